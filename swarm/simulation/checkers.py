"""Checkers: what must hold after every event of a simulated swarm."""

from swarm.core.ids import Digest, PeerId
from swarm.federation.messages import GlobalModel
from swarm.simulation.simulator import SimulatedPeer, Simulator, Vector

TOLERANCE = 1e-9
STORE_MAX = 48
"""Most blobs a peer of a small swarm may hold at a time."""
SENT_PER_S_MAX = 10.0
"""Messages a peer may send in a second of a round: beats, repeats and requests ..."""
SENT_PER_ROUND_MAX = 40
"""... and so many besides, however short the round."""


class CheckError(AssertionError):
    """A promise of the protocol was broken."""


class Checkers:
    """Watches a simulator; call `check` after every event."""

    def __init__(self, simulator: Simulator, round_s_max: float = 120.0) -> None:
        self._simulator = simulator
        self._round_s_max = round_s_max
        self._held: dict[PeerId, GlobalModel] = {}
        self._adopted: dict[PeerId, tuple[float, int]] = {}
        self._correct: set[Digest] = set()
        self._seen = 0
        self._newest: GlobalModel | None = None
        self._newest_s = 0.0

    def check(self) -> None:
        """Check the peers the newest events went to.

        Raises:
            CheckError: A promise was broken.
        """
        history = self._simulator.history
        for index in range(self._seen, len(history)):
            name = history[index].peer
            peer = self._simulator.peers[name]
            head = peer.machine.held
            if head is not None:
                self._check_store(name, peer, head)
                if head is not self._held.get(name):
                    self._check_adopted(name, peer, head)
        self._seen = len(history)
        self._check_progress()

    def check_end(self) -> None:
        """After the last fault every live peer is done, and they hold one head.

        No peer ever announced two results of training from one base.

        Raises:
            CheckError: A promise was broken.
        """
        for (name, _), blobs in self._simulator.announced.items():
            _require(len(blobs) <= 1, f"{name} announced {len(blobs)} results for one base")
        live = self._simulator.live
        undone = [name for name, p in live.items() if not p.machine.final_metrics]
        _require(not undone, f"not done by {self._simulator.now_s:.0f} s: {', '.join(undone)}")
        heads = {p.machine.held.digest for p in live.values() if p.machine.held}
        _require(len(heads) == 1, f"live peers hold {len(heads)} different heads")

    def _check_store(self, name: PeerId, peer: SimulatedPeer, head: GlobalModel) -> None:
        _require(head.blob.digest in peer.store, f"{name} lacks the weights of its head")
        _require(len(peer.store) <= STORE_MAX, f"{name} holds {len(peer.store)} blobs")

    def _check_adopted(self, name: PeerId, peer: SimulatedPeer, head: GlobalModel) -> None:
        before = self._held.get(name)
        _require(before is None or head.key >= before.key, f"{name} went down the head order")
        self._held[name] = head
        self._check_sent(name)
        self._check_lineage(name, peer, head)
        if head.contributors and head.digest not in self._correct:
            self._correct.add(head.digest)
            self._check_weights(head)
        if self._newest is None or head.key > self._newest.key:
            self._newest, self._newest_s = head, self._simulator.now_s

    def _check_sent(self, name: PeerId) -> None:
        now_s, sent = self._simulator.now_s, self._simulator.sent[name]
        then_s, sent_then = self._adopted.get(name, (0.0, 0))
        allowed = SENT_PER_ROUND_MAX + SENT_PER_S_MAX * (now_s - then_s)
        _require(sent - sent_then <= allowed, f"{name} sent {sent - sent_then} in one round")
        self._adopted[name] = now_s, sent

    def _check_lineage(self, name: PeerId, peer: SimulatedPeer, head: GlobalModel) -> None:
        """No contribution counts twice."""
        seen: set[tuple[PeerId, Digest]] = set()
        for ancestor in peer.machine.lineage.ancestors(head):
            keys = {c.key for c in ancestor.contributors}
            _require(not keys & seen, f"a contribution counts twice in {name}'s lineage")
            seen |= keys

    def _check_weights(self, head: GlobalModel) -> None:
        """The head's weights are the weighted mean of what its contributors trained."""
        total = sum(c.num_examples for c in head.contributors)
        options = [self._simulator.trained[c.key] for c in head.contributors]
        shares = [c.num_examples / total for c in head.contributors]
        actual = self._simulator.vectors[head.blob.digest]
        _require(
            any(_close(mean, actual) for mean in _means(options, shares)),
            f"head {head.round} is not the mean of its contributions",
        )

    def _check_progress(self) -> None:
        """Some peer adopts a greater head before the bound, until the last round is done."""
        done = self._newest is not None and self._newest.round >= self._simulator.spec.rounds
        waited_s = self._simulator.now_s - self._newest_s
        number = self._newest.round + 1 if self._newest is not None else 0
        _require(done or waited_s <= self._round_s_max, f"round {number} takes {waited_s:.0f} s")


def _means(options: list[list[Vector]], shares: list[float]) -> list[Vector]:
    """Means over one vector per contributor; a restarted peer may have trained more than one."""
    sums: list[Vector] = [()]
    for vectors, share in zip(options, shares, strict=True):
        sums = [
            tuple(
                s * share + t for s, t in zip(vector, total or (0.0,) * len(vector), strict=True)
            )
            for total in sums
            for vector in vectors
        ]
    return sums


def _close(a: Vector, b: Vector) -> bool:
    return all(abs(x - y) <= TOLERANCE * max(1.0, abs(x)) for x, y in zip(a, b, strict=True))


def _require(condition: object, promise: str) -> None:
    if not condition:
        raise CheckError(promise)
