"""Checkers: what must hold after every event of a simulated swarm."""

from swarm.core.ids import Digest, PeerId
from swarm.federation.messages import GlobalModel, HeadKey
from swarm.simulation.simulator import Simulator, Vector

TOLERANCE = 1e-9


class CheckError(AssertionError):
    """A promise of the protocol was broken."""


class Checkers:
    """Watches a simulator; call `check` after every event."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._held: dict[PeerId, HeadKey] = {}
        self._checked: set[Digest] = set()
        self._seen = 0

    def check(self) -> None:
        """Check the peer the newest events went to.

        Raises:
            CheckError: A promise was broken.
        """
        history = self._simulator.history
        for name in {entry.peer for entry in history[self._seen :]}:
            head = self._simulator.peers[name].machine.held
            if head is not None:
                self._check_order(name, head)
                self._check_weights(name, head)
                self._check_lineage(name, head)
        self._seen = len(history)

    def check_agreement(self) -> None:
        """After the last fault, every live peer holds one head."""
        heads = {p.machine.held.digest for p in self._simulator.live.values() if p.machine.held}
        _require(len(heads) == 1, f"live peers hold {len(heads)} different heads")

    def _check_order(self, name: PeerId, head: GlobalModel) -> None:
        before = self._held.get(name)
        _require(before is None or head.key >= before, f"{name} went down the head order")
        self._held[name] = head.key

    def _check_weights(self, name: PeerId, head: GlobalModel) -> None:
        """The head's weights are the weighted mean of what its contributors trained."""
        _require(
            head.blob.digest in self._simulator.peers[name].store, f"{name} lacks its head's blob"
        )
        if head.digest in self._checked or not head.contributors:
            return
        self._checked.add(head.digest)
        total = sum(c.num_examples for c in head.contributors)
        options = [self._simulator.trained[c.key] for c in head.contributors]
        shares = [c.num_examples / total for c in head.contributors]
        actual = self._simulator.vectors[head.blob.digest]
        _require(
            any(_close(mean, actual) for mean in _means(options, shares)),
            f"head {head.round} is not the mean of its contributions",
        )

    def _check_lineage(self, name: PeerId, head: GlobalModel) -> None:
        if head.digest in self._checked and name in self._held:
            seen: set[tuple[PeerId, Digest]] = set()
            for ancestor in self._simulator.peers[name].machine.lineage.ancestors(head):
                keys = {c.key for c in ancestor.contributors}
                _require(not keys & seen, f"a contribution counts twice in {name}'s lineage")
                seen |= keys


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


def _require(condition: bool, promise: str) -> None:
    if not condition:
        raise CheckError(promise)
