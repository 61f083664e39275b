"""Commands: what an operator asks of a session. Signed, numbered, and void after a time."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, get_args

from swarm.core.canonical import digest_of
from swarm.core.ids import Digest, PeerId, SessionId
from swarm.core.machine import Event
from swarm.core.message_kinds import MessageKind

Action = Literal["start", "pause", "resume", "stop", "remove", "readmit", "threshold"]
ACTIONS: tuple[str, ...] = get_args(Action)
COMMANDS_MAX = 32
"""Most commands in one message, and most that a peer keeps."""
VALID_FOR_S = 3600.0
"""A command is taken up for so long after it was given."""
VALID_FOR_S_MAX = 24 * 3600.0
"""No command may be valid for longer."""
SEQUENCE_MAX = 2**53
_ABOUT_A_PEER = ("remove", "readmit")
_UNSIGNED = frozenset({"signature"})


@dataclass(frozen=True)
class Command:
    """One command of an operator, `author`, to the peers of a session that trust it.

    `start` releases a held session; `remove` has nothing taken from a peer until `readmit`;
    `threshold` sets by how much accuracy may fall before it is an alert.
    """

    session: SessionId
    author: PeerId
    sequence: int
    """Greater than of all commands the operator knew: of two that conflict the greater counts."""
    action: Action
    expires_unix_s: float
    """Nobody takes it up after this time; who holds it goes on obeying it."""
    subject: PeerId | None = None
    """For `remove` and `readmit`."""
    value: float | None = None
    """For `threshold`: a share of accuracy, 0 to 1."""
    signature: bytes = b""

    def __post_init__(self) -> None:
        if not 0 <= self.sequence <= SEQUENCE_MAX:
            raise ValueError(f"sequence must be in [0, 2**53], got {self.sequence}")
        if self.action not in ACTIONS:
            raise ValueError(f"action must be one of {', '.join(ACTIONS)}, got {self.action!r}")
        if not 0 <= self.expires_unix_s < float("inf"):
            raise ValueError(f"expires_unix_s must be finite, got {self.expires_unix_s}")
        if (self.subject is not None) != (self.action in _ABOUT_A_PEER):
            raise ValueError(f"a peer must be named to {' or '.join(_ABOUT_A_PEER)}, only then")
        if (self.value is not None) != (self.action == "threshold"):
            raise ValueError("a value must be given for threshold, only then")
        if self.value is not None and not 0 < self.value <= 1:
            raise ValueError(f"threshold must be in (0, 1], got {self.value}")

    @cached_property
    def digest(self) -> Digest:
        """Digest of the command without its signature: its name."""
        return digest_of(self, without=_UNSIGNED)

    @property
    def key(self) -> tuple[int, PeerId]:
        """Order of commands; of those about one thing the greatest counts."""
        return self.sequence, self.author

    @property
    def register(self) -> str:
        """What it is about."""
        if self.subject is not None:
            return f"member {self.subject}"
        return "threshold" if self.action == "threshold" else "run"

    def signed(self, signature: bytes) -> "Command":
        """The same command with its author's signature."""
        return replace(self, signature=signature)


@dataclass(frozen=True, slots=True)
class RelayedCommands(Event):
    """Commands of a session, passed on by `sender`, who need not be their author."""

    session: SessionId
    sender: PeerId
    commands: tuple[Command, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.commands) <= COMMANDS_MAX:
            raise ValueError(f"commands must be 1 to {COMMANDS_MAX}, got {len(self.commands)}")


MESSAGE_KINDS = (
    MessageKind("commands", RelayedCommands, signed_records=lambda message: message.commands),
)
"""What the wire must know of these messages; docs/protocol.md has the same table."""
