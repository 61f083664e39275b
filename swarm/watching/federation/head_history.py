"""KnownHeads: the heads of a run that an observer knows, back to head 0, and their accuracy."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from swarm.core.ids import Digest, PeerId, RoundNumber
from swarm.federation.lineage import Lineage
from swarm.federation.messages import HeadHistory
from swarm.federation.records import GlobalModel, Metrics

HEADS_MAX = 4096
"""Heads remembered besides the lineage's; older heads of longer runs are not asked for."""


@dataclass(frozen=True, slots=True)
class Point:
    """Test accuracy and loss of one round's global model."""

    round: RoundNumber
    accuracy: float
    loss: float


class KnownHeads:
    """The chain from the newest head back, and the accuracy curves along it.

    Invariant: `chain` and the curves are replaced, never changed, so they may be handed out.
    """

    def __init__(self, lineage: Lineage) -> None:
        self.chain: tuple[GlobalModel, ...] = ()
        """The newest head and its known ancestors, newest first."""
        self.unix_s: dict[Digest, float] = {}
        """When a head was adopted, by the clock of the first peer that reported it."""
        self.version = 0
        """Grows whenever the chain does."""
        self._lineage = lineage
        self._ancestors: dict[Digest, GlobalModel] = {}
        self._overall: list[Point] = []
        self._points: dict[PeerId, list[Point]] = {}

    @property
    def peers(self) -> Collection[PeerId]:
        """Peers on whose test shards some head was measured."""
        return self._points.keys()

    @property
    def missing(self) -> Digest | None:
        """The ancestor to ask for next, or None."""
        if not self.chain or len(self.chain) >= HEADS_MAX:
            return None
        return self.chain[-1].parent

    def take_history(self, history: HeadHistory) -> None:
        """Believe ancestors that are named by their child's digest."""
        older: list[GlobalModel] = []
        wanted = self.missing
        for head in history.heads:
            if wanted is not None and head.digest == wanted:
                self._ancestors[head.digest] = head
                older.append(head)
                wanted = head.parent
        for head, unix_s in zip(history.heads, history.adopted_unix_s, strict=False):
            self._note_time(head, unix_s)
        if older:
            self.chain = (*self.chain, *older)
            before, points = _measured(reversed(older))
            self._overall = before + self._overall
            peers = {**dict.fromkeys(points), **dict.fromkeys(self._points)}
            self._points = {p: points.get(p, []) + self._points.get(p, []) for p in peers}
            self.version += 1

    def adopt(self, head: GlobalModel, unix_s: float) -> None:
        """Take a new head."""
        self._note_time(head, unix_s)
        self._ancestors[head.digest] = head
        if len(self._ancestors) > HEADS_MAX:
            oldest = min(self._ancestors.values(), key=lambda h: h.key)
            del self._ancestors[oldest.digest]
        if self.chain and head.parent == self.chain[0].digest:
            self.chain = (head, *self.chain[: HEADS_MAX - 1])
            after, points = _measured([head])
            self._overall = self._overall + after
            later = {p: self._points.get(p, []) + new for p, new in points.items()}
            self._points = {**self._points, **later}
        else:
            self._rebuild(head)
        self.version += 1

    def curve(self, newest: Iterable[Metrics] = (), peer: PeerId | None = None) -> list[Point]:
        """Accuracy and loss by round, on one peer's test shard or over all shards.

        Args:
            newest: Measurements of the newest head, once every shard was measured.
            peer: The peer, or None for all.
        """
        known = self._overall if peer is None else self._points.get(peer, [])
        chosen = [m for m in newest if peer is None or m.peer == peer]
        if not chosen or not self.chain:
            return known
        return [*known, weighted(self.chain[0].round, chosen)]

    def _note_time(self, head: GlobalModel, unix_s: float) -> None:
        if unix_s > 0 and head.digest not in self.unix_s:
            self.unix_s[head.digest] = unix_s
            if len(self.unix_s) > 2 * HEADS_MAX:
                del self.unix_s[next(iter(self.unix_s))]

    def _rebuild(self, newest: GlobalModel) -> None:
        chain = [newest]
        while chain[-1].parent is not None and len(chain) < HEADS_MAX:
            parent = self._find(chain[-1].parent)
            if parent is None:
                break
            chain.append(parent)
        self.chain = tuple(chain)
        self._overall, self._points = _measured(reversed(chain))

    def _find(self, digest: Digest) -> GlobalModel | None:
        return self._lineage.get(digest) or self._ancestors.get(digest)


def _measured(heads: Iterable[GlobalModel]) -> tuple[list[Point], dict[PeerId, list[Point]]]:
    """What heads, oldest first, say of their parents: over all shards, and on each peer's."""
    overall: list[Point] = []
    points: dict[PeerId, list[Point]] = {}
    for head in heads:
        number = RoundNumber(head.round - 1)
        if not head.metrics or number < 0:
            continue
        overall.append(weighted(number, head.metrics))
        for one in head.metrics:
            points.setdefault(one.peer, []).append(Point(number, one.accuracy, one.loss))
    return overall, points


def weighted(number: RoundNumber, metrics: Iterable[Metrics]) -> Point:
    """The mean over test shards, weighted by their numbers of examples."""
    shards = list(metrics)
    total = sum(m.num_examples for m in shards)
    return Point(
        number,
        sum(m.accuracy * m.num_examples for m in shards) / total,
        sum(m.loss * m.num_examples for m in shards) / total,
    )
