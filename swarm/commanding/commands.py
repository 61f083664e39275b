"""Commands: what an operator wants of a session, or of peers. Signed, numbered, and expiring."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, get_args

from swarm.core.canonical import digest_of
from swarm.core.ids import Digest, PeerId, SessionId
from swarm.core.machine import Event
from swarm.core.message_kinds import MessageKind

Action = Literal[
    "start", "pause", "resume", "stop", "remove", "readmit", "threshold", "join", "leave"
]
ACTIONS: tuple[str, ...] = get_args(Action)
PEER_ACTIONS = ("join", "leave")
"""Commands to peers, about one of their sessions; all others are commands to a session."""
ALL_PEERS = "*"
"""Scope of a command to every peer that trusts its operator."""
COMMANDS_MAX = 32
"""Most commands in one message, and most that a peer keeps in one set of registers."""
VALID_FOR_S = 3600.0
"""Seconds after which a command is not taken up any more."""
VALID_FOR_S_MAX = 24 * 3600.0
"""No command may be valid for longer."""
SEQUENCE_MAX = 2**53
SCOPE_LENGTH_MAX = 128
_ABOUT_A_PEER = ("remove", "readmit")
_UNSIGNED = frozenset({"signature"})


@dataclass(frozen=True)
class Command:
    """One command of an operator, `author`, to the peers that trust it.

    To a session: `start` releases a held one, `pause`, `resume` and `stop` act on its rounds;
    `remove` takes nothing from a peer until `readmit`; `threshold` sets by how much accuracy may
    fall before that is an alert. To peers: `join` takes part in a session beside what runs
    there, `leave` ends that part.
    """

    scope: str
    """A session's id, or a peer's id, or `ALL_PEERS`."""
    author: PeerId
    sequence: int
    """Of two commands in conflict the greater one counts; greater than all the operator knew."""
    action: Action
    expires_unix_s: float
    """Not taken up after this time; a peer that holds it goes on obeying it."""
    subject: PeerId | None = None
    """For `remove` and `readmit`."""
    value: float | None = None
    """For `threshold`: a share of accuracy, 0 to 1."""
    session: SessionId | None = None
    """For `join` and `leave`."""
    signature: bytes = b""

    def __post_init__(self) -> None:
        if not 1 <= len(self.scope) <= SCOPE_LENGTH_MAX:
            raise ValueError(f"scope must have 1 to {SCOPE_LENGTH_MAX} characters")
        if not 0 <= self.sequence <= SEQUENCE_MAX:
            raise ValueError(f"sequence must be in [0, 2**53], got {self.sequence}")
        if self.action not in ACTIONS:
            raise ValueError(f"action must be one of {', '.join(ACTIONS)}, got {self.action!r}")
        if not 0 <= self.expires_unix_s < float("inf"):
            raise ValueError(f"expires_unix_s must be finite, got {self.expires_unix_s}")
        if (self.subject is not None) != (self.action in _ABOUT_A_PEER):
            raise ValueError(f"{' and '.join(_ABOUT_A_PEER)} must name a peer, others none")
        if (self.session is not None) != (self.action in PEER_ACTIONS):
            raise ValueError(f"{' and '.join(PEER_ACTIONS)} must name a session, others none")
        if (self.value is not None) != (self.action == "threshold"):
            raise ValueError("threshold must have a value, other actions none")
        if self.value is not None and not 0 < self.value <= 1:
            raise ValueError(f"threshold must be in (0, 1], got {self.value}")

    @cached_property
    def digest(self) -> Digest:
        """Digest of the command without its signature: its name."""
        return digest_of(self, without=_UNSIGNED)

    @property
    def key(self) -> tuple[int, PeerId]:
        """Order of commands; in each register the greatest counts."""
        return self.sequence, self.author

    @property
    def register(self) -> str:
        """What it is about."""
        if self.session is not None:
            return f"session {self.session}"
        if self.subject is not None:
            return f"member {self.subject}"
        return "threshold" if self.action == "threshold" else "run"

    def signed(self, signature: bytes) -> "Command":
        """The same command with its author's signature."""
        return replace(self, signature=signature)


@dataclass(frozen=True, slots=True)
class RelayedCommands(Event):
    """Commands of one scope, passed on by `sender`, which need not be their author."""

    scope: str
    sender: PeerId
    commands: tuple[Command, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.commands) <= COMMANDS_MAX:
            raise ValueError(f"commands must be 1 to {COMMANDS_MAX}, got {len(self.commands)}")

    @property
    def session(self) -> str:
        """The session that commands to a session are for; what machines of sessions look at."""
        return self.scope


MESSAGE_KINDS = (
    MessageKind("commands", RelayedCommands, signed_records=lambda message: message.commands),
)
"""What the wire must know of these messages; docs/protocol.md has the same table."""
