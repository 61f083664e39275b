"""Scenarios: sessions, commands and faults of simulated hosts; the seed chooses when exactly."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from swarm.commanding.commands import ALL_PEERS, Action
from swarm.commanding.peer_commands import Obey
from swarm.core.ids import PeerId
from swarm.federation.session_choice import SessionBegun, SessionOver, TakeUp
from swarm.simulation.faults import Crash, ScheduledCommand
from swarm.simulation.history import HistoryEntry
from swarm.simulation.hosting.checkers import HostingCheckers
from swarm.simulation.hosting.faults import HostingFaults, session_of
from swarm.simulation.hosting.simulator import OVER_S, HostingSimulator
from swarm.simulation.peers import peer_names
from swarm.simulation.scenario import Scenario

Peers = tuple[PeerId, ...]
Plan = Callable[[random.Random, Peers, Peers], HostingFaults]
"""Makes a plan for the first peers and for those that start sessions."""

_OPERATOR = PeerId("operator")


@dataclass(frozen=True, slots=True)
class HostingScenario(Scenario[HostingSimulator]):
    """Sessions that follow each other: one of the first peer, and one of each latecomer."""

    plan: Plan
    num_peers: int = 6
    num_sessions: int = 3

    def prepare(
        self, seed: int, num_peers: int | None = None, length: int | None = None
    ) -> HostingSimulator:
        """A swarm in which nothing has happened yet; `length` is the number of sessions."""
        peers, sessions = num_peers or self.num_peers, max(2, length or self.num_sessions)
        names = peer_names(peers + sessions - 1)
        chance = random.Random(seed)  # noqa: S311 (reproducible)
        faults = self.plan(chance, names[:peers], (names[0], *names[peers:]))
        return HostingSimulator(faults, peers, seed)

    def watch(self, world: HostingSimulator) -> HostingCheckers:
        """Check the promises of docs/protocol.md, 11.10 and section 12."""
        return HostingCheckers(world)

    def transcribe(self, write: Callable[[str], None]) -> Callable[[HistoryEntry], None]:
        """Write down what each peer took up, began, ended and obeyed."""

        def record(entry: HistoryEntry) -> None:
            shown = isinstance(entry.event, SessionBegun | SessionOver)
            done = [effect for effect in entry.effects if isinstance(effect, TakeUp | Obey)]
            for what in (*([entry.event] if shown else []), *done):
                write(f"{entry.now_s:9.3f} {entry.peer} {what}")

        return record


def _calm(chance: random.Random, _peers: Peers, starters: Peers) -> HostingFaults:
    """Each session starts before or after the end of the one before; the newest lasts."""
    lengths_s = [chance.uniform(20.0, 80.0) for _ in starters[1:]]
    return HostingFaults(
        sessions=tuple(zip(starters, (*lengths_s, 2 * OVER_S), strict=True)),
        join_at_s=tuple(sorted(chance.uniform(10.0, 120.0) for _ in starters[1:])),
    )


def _lossy(chance: random.Random, peers: Peers, starters: Peers) -> HostingFaults:
    """Messages are lost, doubled and replayed; peers die and restart, some during commands."""
    plan = _calm(chance, peers, starters)
    crashes = tuple(
        Crash(peer, 0, chance.uniform(3.0, 150.0), chance.uniform(1.0, 40.0))
        for peer in (*chance.choices(peers, k=4), starters[-1])
    )
    loss_rate = chance.uniform(0.02, 0.12)
    return replace(
        plan, crashes=crashes, loss_rate=loss_rate, duplicate_rate=0.1, replay_rate=0.05
    )


def _idle(chance: random.Random, peers: Peers, starters: Peers) -> HostingFaults:
    """Two peers wait for commands to join. All are to leave the first session early.

    A third peer is to keep out of the session before the newest.
    """
    third, one, other = peers[-3:]
    plan = _lossy(chance, peers, starters)
    first_s, newest_s = chance.uniform(3.0, 30.0), plan.join_at_s[-1]
    commands = (
        _command(first_s, "join", one, starters[0]),
        _command(first_s + chance.uniform(0.5, 40.0), "leave", ALL_PEERS, starters[0]),
        _command(chance.uniform(3.0, newest_s), "leave", third, starters[-2]),
        _command(newest_s + chance.uniform(1.0, 60.0), "join", other, starters[-1]),
    )
    return replace(plan, operators=(_OPERATOR,), commands=commands, idle=frozenset((one, other)))


def _hostile(chance: random.Random, peers: Peers, starters: Peers) -> HostingFaults:
    """One peer invents sessions, commands and is no operator; then an operator calls all out."""
    plan, liar = _idle(chance, peers, starters), peers[1]
    newest_s = plan.join_at_s[-1]
    commands = (
        *plan.commands,
        _command(chance.uniform(3.0, newest_s), "leave", ALL_PEERS, starters[0], liar),
        _command(chance.uniform(3.0, newest_s), "join", peers[-1], starters[0], liar),
        _command(newest_s + chance.uniform(1.0, 90.0), "join", ALL_PEERS, starters[-1]),
    )
    return replace(plan, crashes=(), replay_rate=0.3, hostile=liar, commands=commands)


def _command(
    at_s: float, action: Action, scope: str, starter: PeerId, operator: PeerId = _OPERATOR
) -> ScheduledCommand:
    session = session_of(starter).id
    return ScheduledCommand(at_s, operator, action, scope=scope, session=session)


HOSTING_SCENARIOS = {
    "hosting-calm": HostingScenario(_calm),
    "hosting-lossy": HostingScenario(_lossy),
    "hosting-idle": HostingScenario(_idle),
    "hosting-hostile": HostingScenario(_hostile),
}
