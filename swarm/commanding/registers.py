"""CommandRegisters: which operators' commands a peer obeys, and what follows from them."""

from collections.abc import Iterable

from swarm.commanding.commands import COMMANDS_MAX, PEER_ACTIONS, VALID_FOR_S_MAX, Command
from swarm.core.ids import Digest, PeerId

DROP_THRESHOLD = 0.1
"""Default of the threshold: a fall of accuracy by more than ten points is an alert."""
REFUSED_MAX = 64
CLOCK_ERROR_S_MAX = 60.0
"""Clocks of operators and peers may differ by this many seconds."""
DONE = {
    "start": "started",
    "pause": "paused",
    "resume": "resumed",
    "stop": "stopped",
    "remove": "removed",
    "readmit": "readmitted",
    "threshold": "threshold",
    "join": "joins",
    "leave": "leaves",
}
"""The kind of note for each action."""
_STATES = {"start": "running", "pause": "paused", "resume": "running", "stop": "stopped"}


class RefusedCommandError(Exception):
    """A command is not obeyed; the message says why."""


class CommandRegisters:
    """One register for the run, one for the threshold, and one for each member or session.

    Each register contains the greatest command about its subject. So peers that heard the same
    commands do the same, whatever the order and the repetitions.

    Invariants:
        Contains only commands of trusted operators, at most `COMMANDS_MAX`.
        A register only moves up in the order of commands.
    """

    def __init__(
        self,
        *scopes: str,
        trusted: Iterable[PeerId] = (),
        held: bool = False,
        of_peers: bool = False,
    ) -> None:
        """Make empty registers.

        Args:
            scopes: Scopes of the commands to obey.
            trusted: Operators to obey.
            held: Whether a session waits for `start`.
            of_peers: Whether these are commands to peers, not to a session.
        """
        self.num_refused = 0
        self.removed: frozenset[PeerId] = frozenset()
        """Peers whose messages are ignored."""
        self._scopes = frozenset(scopes)
        self._of_peers = of_peers
        self._trusted = frozenset(trusted)
        self._initial = "held" if held else "running"
        self._held: dict[str, Command] = {}
        self._refused: dict[Digest, None] = {}

    @property
    def commands(self) -> tuple[Command, ...]:
        """The commands in force."""
        return tuple(self._held.values())

    @property
    def run_state(self) -> str:
        """`held`, `running`, `paused` or `stopped`."""
        command = self._held.get("run")
        return _STATES[command.action] if command is not None else self._initial

    @property
    def waits(self) -> bool:
        """Whether rounds must wait."""
        return self.run_state in ("held", "paused")

    @property
    def stopped(self) -> bool:
        """Whether an operator ended the session."""
        return self.run_state == "stopped"

    @property
    def drop_threshold(self) -> float:
        """A larger fall of accuracy than this is an alert."""
        command = self._held.get("threshold")
        return command.value if command is not None and command.value else DROP_THRESHOLD

    def resume(self, commands: Iterable[Command]) -> None:
        """Restore the commands of an earlier life whose operators are still trusted."""
        for command in commands:
            if command.author in self._trusted and command.scope in self._scopes:
                self._held[command.register] = command
        self.removed = removed_by(self._held.values())

    def take(self, command: Command, unix_s: float) -> bool:
        """Accept a command whose signature is checked; return whether it is new.

        Raises:
            RefusedCommandError: The command must not be obeyed; raised once for each command.
        """
        held = self._held.get(command.register)
        if held is not None and command.key <= held.key:
            return False
        reason = self._objection(command, unix_s)
        if reason:
            self._refuse(command, reason)
            return False
        self._held[command.register] = command
        self.removed = removed_by(self._held.values())
        return True

    def is_newer(self, command: Command) -> bool:
        """Whether a greater command about the same subject is in force here."""
        held = self._held.get(command.register)
        return held is not None and held.key > command.key

    def _objection(self, command: Command, unix_s: float) -> str:
        """Why a command is refused; empty if it is not refused."""
        is_full = command.register not in self._held and len(self._held) >= COMMANDS_MAX
        target = "peer" if self._of_peers else "session"
        rules = (
            (command.scope not in self._scopes, "it is for another session or peer"),
            (
                (command.action in PEER_ACTIONS) != self._of_peers,
                f"it is not a command to a {target}",
            ),
            (
                command.author not in self._trusted,
                f"{command.author} is no operator that this peer trusts",
            ),
            (
                unix_s > command.expires_unix_s + CLOCK_ERROR_S_MAX,
                f"it expired {unix_s - command.expires_unix_s:.0f} s ago",
            ),
            (
                command.expires_unix_s > unix_s + VALID_FOR_S_MAX + CLOCK_ERROR_S_MAX,
                f"it may be valid for {VALID_FOR_S_MAX:.0f} s, not longer",
            ),
            (is_full, f"{COMMANDS_MAX} commands are in force already"),
        )
        return next((reason for broken, reason in rules if broken), "")

    def _refuse(self, command: Command, reason: str) -> None:
        if command.digest in self._refused:
            return
        self._refused[command.digest] = None
        if len(self._refused) > REFUSED_MAX:
            del self._refused[next(iter(self._refused))]
        self.num_refused += 1
        raise RefusedCommandError(f"{command.action}: {reason}")


def removed_by(commands: Iterable[Command]) -> frozenset[PeerId]:
    """The peers that these commands remove; each command is about another subject."""
    return frozenset(c.subject for c in commands if c.action == "remove" and c.subject)
