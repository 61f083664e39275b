"""CommandChecks: what must hold where operators give commands, and strangers try to."""

from collections.abc import Iterator

from swarm.commanding.commands import Command
from swarm.core.ids import PeerId
from swarm.federation.records import GlobalModel
from swarm.simulation.federation.peers import SessionPeer
from swarm.simulation.federation.simulator import SessionSimulator


class CommandChecks:
    """Yields the broken promises."""

    def __init__(self, simulator: SessionSimulator, obedience_s: float) -> None:
        self._simulator = simulator
        self._obedience_s = obedience_s
        """Seconds after a command by which each peer follows it."""

    @property
    def stopped(self) -> bool:
        """Whether an operator stopped the session."""
        return any(c.action == "stop" for _, c in self._trusted())

    def broken_now(self, newest_s: float) -> Iterator[str]:
        """Check the present; `newest_s` is when the newest head was first adopted."""
        current = self._current()
        if current is None or current[1].action not in ("pause", "stop"):
            return
        given_s, command = current
        due_s = given_s + self._obedience_s
        if self._simulator.now_s < due_s:
            return
        if newest_s > due_s:
            yield f"a head was made {newest_s - given_s:.0f} s after {command.action}"
        state = {"pause": "paused", "stop": "stopped"}[command.action]
        for peer in self._simulator.live.values():
            now = peer.machine.registers.run_state
            if self._knows(peer) and now != state:
                waited_s = self._simulator.now_s - given_s
                yield f"{peer.name} is {now} {waited_s:.0f} s after it"

    def broken_at_end(self, last: GlobalModel | None) -> Iterator[str]:
        """Check the end of the history."""
        simulator = self._simulator
        trusted = frozenset(simulator.plan.operators)
        strangers = {c.author for _, c in simulator.operators.given} - trusted
        notes = [note for p in simulator.peers.values() for _, note in p.notes]
        for stranger in strangers:
            if not any(n.kind == "refused" and n.about == stranger for n in notes):
                yield f"no peer noted that {stranger} was refused"
        for name, peer in simulator.live.items():
            if any(c.author not in trusted for c in peer.machine.registers.commands):
                yield f"{name} obeys a stranger"
        for _, command in self._trusted():
            if command.action == "remove" and command.subject is not None:
                yield from self._still_there(command.subject, last)
        if self.stopped and last is not None and last.round >= simulator.spec.rounds:
            yield "the session was not stopped"

    def _still_there(self, removed: PeerId, last: GlobalModel | None) -> Iterator[str]:
        if removed in self._simulator.live:
            yield f"{removed} was removed and stays"
        if last is not None and removed in last.members:
            yield f"{removed} was removed and is asked into the last cohort"

    def _knows(self, peer: SessionPeer) -> bool:
        """Whether it has been running for long enough to know the command."""
        return self._simulator.now_s - peer.started_s > self._obedience_s

    def _trusted(self) -> list[tuple[float, Command]]:
        operators = self._simulator.plan.operators
        return [(s, c) for s, c in self._simulator.operators.given if c.author in operators]

    def _current(self) -> tuple[float, Command] | None:
        return next((o for o in reversed(self._trusted()) if o[1].register == "run"), None)
