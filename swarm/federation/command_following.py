"""CommandFollowing: takes operators' commands, says what follows from them, and passes them on."""

from collections.abc import Iterable

from swarm.commanding.commands import Command, RelayedCommands
from swarm.commanding.registers import DONE, CommandRegisters, RefusedCommandError
from swarm.core.effects import Publish
from swarm.core.ids import PeerId, SessionId
from swarm.core.machine import Effect
from swarm.federation.effects import Leave, Note, SaveCommands

REMIND_EVERY_REPEATS = 3
"""While the session waits or is stopped, commands are passed on once in this many repeats."""
FRESH_REPEATS = 2
"""Number of repeats in which a command that is new here is passed on to the cluster."""


class CommandFollowing:
    """One peer's side of what operators command.

    A peer that lost a command, or comes back, or was cut off, gets it from its cluster. Across
    clusters it gets it from the peers that send session heartbeats.

    Invariant: passes on only commands that this peer obeys itself.
    """

    def __init__(
        self,
        session: SessionId,
        me: PeerId,
        operators: Iterable[PeerId] = (),
        *,
        held: bool = False,
    ) -> None:
        self.registers = CommandRegisters(session, trusted=operators, held=held)
        self._session = session
        self._me = me
        self._num_due = 0
        self._num_repeats = 0

    def resume(self, commands: Iterable[Command]) -> None:
        """Take back the commands that an earlier life of this peer obeyed."""
        self.registers.resume(commands)

    def hear(self, relayed: RelayedCommands, unix_s: float) -> tuple[list[Command], list[Effect]]:
        """Take commands; return those that are new, and the effects: notes, saving, leaving."""
        news: list[Command] = []
        effects: list[Effect] = []
        for command in relayed.commands:
            try:
                if self.registers.take(command, unix_s):
                    news.append(command)
                    effects.append(_note_of(command))
                elif self.registers.is_newer(command):
                    self._num_due = max(self._num_due, 1)  # its sender is behind
            except RefusedCommandError as error:
                text = f"a command was not followed: {error}"
                effects.append(Note("refused", text, command.author))
        if news:
            self._num_due = FRESH_REPEATS
            effects.append(SaveCommands(self.registers.commands))
        if any(c.action == "remove" and c.subject == self._me for c in news):
            effects.append(Leave("an operator removed this peer"))
        return news, effects

    def remind(self, home: str | None, session: str | None) -> list[Effect]:
        """Pass commands on: to the home cluster, and to the whole session if that is due.

        Args:
            home: The home cluster's topic, if there is one.
            session: The session's topic, if this peer sends a session heartbeat now.
        """
        self._num_repeats += 1
        commands = self.registers.commands
        if not commands:
            return []
        waiting = self.registers.run_state != "running"
        due = self._num_due or (waiting and self._num_repeats % REMIND_EVERY_REPEATS == 0)
        self._num_due = max(0, self._num_due - 1)
        topics = [session, home if due else None]
        relayed = RelayedCommands(self._session, self._me, commands)
        return [Publish(topic, relayed) for topic in topics if topic is not None]


def _note_of(command: Command) -> Note:
    say = _SENTENCES.get(command.action, command.action)
    what = say.format(subject=command.subject, value=command.value)
    return Note(DONE[command.action], f"the operator {command.author} {what}", command.subject)


_SENTENCES = {
    "start": "started the run",
    "pause": "paused the run: no training begins until it is resumed",
    "resume": "resumed the run",
    "stop": "stopped the run: the model of the last round stays",
    "remove": "removed {subject}: its work is not taken any more",
    "readmit": "readmitted {subject}: its work is taken again",
    "threshold": "asks for an alert when accuracy falls by more than {value}",
}
