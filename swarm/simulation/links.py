"""Links: which peers are connected, and which messages get through.

A pair of peers is connected, disconnected or broken. A broken pair was connected until the
network between the two was cut or one of them froze. Both ends notice that after a few seconds,
as with pings that get no answer, and they redial once the network is whole again. When a process
dies, its connections close at once, and a redial is refused.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from swarm.core.effects import PeerConnected, PeerUnreachable
from swarm.core.ids import PeerId
from swarm.core.machine import Event
from swarm.simulation.clock import Clock
from swarm.simulation.faults import FaultPlan
from swarm.simulation.peers import SimulatedPeer

FULL_MESH_PEERS_MAX = 32
"""In a swarm of at most this many peers, each is connected with all others."""
MESH_DEGREE = 8
"""In a larger one, each peer dials this number of others, and those its machine asks for."""
DIAL_S = 0.05
REFUSAL_NOTICED_AFTER_S = 0.2
"""When a process dies, its connections close at once, and a redial is refused."""
SILENCE_NOTICED_AFTER_S = (3.5, 4.5)
"""Pings get no answer: the other peer is frozen, or the network between is cut."""
REDIALLED_AFTER_S = (0.2, 5.0)

Pair = tuple[PeerId, PeerId]


class Links:
    """Connections between live peers, and the faults of the network between them.

    Invariants:
        A pair is open, broken or neither, never two of these.
        Both ends get an event for every change, unless they are dead by then.
    """

    def __init__(
        self,
        plan: FaultPlan,
        clock: Clock,
        chance: random.Random,
        peers: Mapping[PeerId, SimulatedPeer],
        notify: Callable[[PeerId, Event], None],
    ) -> None:
        self.quiet = True
        """Whether nothing is cut, frozen, broken or lost one way at present."""
        self._plan = plan
        self._clock = clock
        self._chance = chance
        self._peers = peers
        self._notify = notify
        self._running: list[PeerId] = []
        self._open: defaultdict[PeerId, dict[PeerId, None]] = defaultdict(dict)
        self._broken: defaultdict[PeerId, dict[PeerId, None]] = defaultdict(dict)
        self._severed: dict[Pair, int] = {}
        """Pairs between which nothing passes, with the serial number of the cut."""
        self._num_cuts = 0
        self._islands: dict[PeerId, tuple[int, ...]] = {}
        self._mainland: tuple[int, ...] = ()
        self._stalled: set[PeerId] = set()
        self._frozen: set[PeerId] = set()
        for partition in plan.partitions:
            clock.at(partition.start_s, self._cut)
            clock.at(partition.end_s, self._cut)
        for loss in plan.one_way_losses:
            clock.at(loss.start_s, self._cut)
            clock.at(loss.end_s, self._cut)

    def of(self, name: PeerId) -> tuple[PeerId, ...]:
        """Peers that a peer is connected with."""
        return tuple(self._open[name])

    def publishes(self, source: PeerId, target: PeerId) -> bool:
        """Whether what `source` publishes reaches `target`, directly or through others."""
        return self.sends(source, target) and target not in self._broken[source]

    def sends(self, source: PeerId, target: PeerId) -> bool:
        """Whether `source` can dial `target`, and what it then sends gets there."""
        return not (
            self.parted(source, target)
            or target in self._stalled
            or self._lost_one_way(source, target)
        )

    def parted(self, source: PeerId, target: PeerId) -> bool:
        """Whether a partition separates the two."""
        islands, mainland = self._islands, self._mainland
        return bool(islands) and islands.get(source, mainland) != islands.get(target, mainland)

    def island(self, peer: PeerId) -> tuple[int, ...]:
        """The part of the network that a peer is in; peers in the same part have equal values."""
        return self._islands.get(peer, self._mainland)

    def start(self, name: PeerId) -> None:
        """Connect a peer that starts."""
        self._connect(name, self.strangers(name))
        self._running.append(name)

    def strangers(self, name: PeerId) -> list[PeerId]:
        """Running peers that a starting peer may find, in random order."""
        size = MESH_DEGREE if len(self._peers) > FULL_MESH_PEERS_MAX else len(self._running)
        found = self._chance.sample(self._running, min(size, len(self._running)))
        return [other for other in found if other != name]

    def keep(self, name: PeerId, others: Iterable[PeerId]) -> None:
        """Connect a peer with the peers that its machine asks for."""
        known = self._open[name].keys() | self._broken[name].keys()
        self._connect(name, [other for other in others if other not in known])

    def end(self, name: PeerId) -> None:
        """Close the connections of a peer that died."""
        self._running.remove(name)
        for other in self._open.pop(name, {}):
            del self._open[other][name]
            self._clock.after(REFUSAL_NOTICED_AFTER_S, self._refused, other, name)
        for other in self._broken.pop(name, {}):
            del self._broken[other][name]
        self._severed = {pair: cut for pair, cut in self._severed.items() if name not in pair}
        self._frozen.discard(name)
        self._stalled.discard(name)
        self._quieten()

    def freeze(self, name: PeerId) -> None:
        """Let the connections of a frozen peer time out."""
        self._frozen.add(name)
        self._recheck(name)

    def thaw(self, name: PeerId) -> None:
        """Let a frozen peer go on."""
        self._frozen.discard(name)
        self._stalled.discard(name)
        self._recheck(name)

    def _connect(self, name: PeerId, others: Iterable[PeerId]) -> None:
        for other in others:
            if other not in self._peers or not self._peers[other].alive:
                self._clock.after(REFUSAL_NOTICED_AFTER_S, self._refused, name, other)
            elif self._blocked(name, other):
                self._break(name, other)
            else:
                self._clock.after(DIAL_S, self._opened, name, other)

    def _refused(self, name: PeerId, other: PeerId) -> None:
        """A dial was refused; the peer may have restarted since then."""
        if other in self._open[name]:
            return  # it restarted and dialled us
        if other in self._peers and self._peers[other].alive:
            self._connect(name, [other])
        else:
            self._notify(name, PeerUnreachable(other))

    def _opened(self, a: PeerId, b: PeerId) -> None:
        if not (self._peers[a].alive and self._peers[b].alive) or b in self._open[a]:
            return
        self._broken[a].pop(b, None)
        self._broken[b].pop(a, None)
        self._open[a][b] = self._open[b][a] = None
        self._notify(a, PeerConnected(b))
        self._notify(b, PeerConnected(a))
        self._check_pair(a, b)

    def _cut(self) -> None:
        """Apply the partitions of this moment."""
        now_s = self._clock.now_s
        active = [p for p in self._plan.partitions if p.start_s <= now_s < p.end_s]
        self._mainland = (-1,) * len(active)
        self._islands = {}
        for place, partition in enumerate(active):
            for number, island in enumerate(partition.islands):
                for name in island:
                    islands = list(self._islands.get(name, self._mainland))
                    islands[place] = number
                    self._islands[name] = tuple(islands)
        for name in self._peers:
            self._recheck(name)

    def _recheck(self, name: PeerId) -> None:
        for other in (*self._open[name], *self._broken[name]):
            self._check_pair(name, other)
        self._quieten()

    def _check_pair(self, a: PeerId, b: PeerId) -> None:
        pair = (a, b) if a < b else (b, a)
        blocked = self._blocked(a, b)
        if blocked and pair not in self._severed:
            self._num_cuts += 1
            self._severed[pair] = self._num_cuts
            delay_s = self._chance.uniform(*SILENCE_NOTICED_AFTER_S)
            self._clock.after(delay_s, self._notice, pair, self._num_cuts)
        elif not blocked and pair in self._severed:
            del self._severed[pair]
            if b in self._broken[a]:
                self._clock.after(self._chance.uniform(*REDIALLED_AFTER_S), self._redial, pair)

    def _notice(self, pair: Pair, cut: int) -> None:
        a, b = pair
        if self._severed.get(pair) != cut:
            return
        self._stalled |= {name for name in pair if name in self._frozen}
        if b in self._open[a]:
            self._break(a, b)  # redials get no answer, which is no refusal

    def _redial(self, pair: Pair) -> None:
        a, b = pair
        if b in self._broken[a] and pair not in self._severed:
            self._opened(a, b)
            self._quieten()

    def _break(self, a: PeerId, b: PeerId) -> None:
        self._open[a].pop(b, None)
        self._open[b].pop(a, None)
        self._broken[a][b] = self._broken[b][a] = None
        self._check_pair(a, b)
        self._quieten()

    def _blocked(self, a: PeerId, b: PeerId) -> bool:
        return a in self._frozen or b in self._frozen or self.parted(a, b)

    def _lost_one_way(self, source: PeerId, target: PeerId) -> bool:
        now_s = self._clock.now_s
        return any(
            loss.start_s <= now_s < loss.end_s
            and source in loss.sources
            and target in loss.targets
            for loss in self._plan.one_way_losses
        )

    def _quieten(self) -> None:
        self.quiet = not (
            self._islands
            or self._frozen
            or self._stalled
            or self._plan.one_way_losses
            or any(self._broken.values())
        )
