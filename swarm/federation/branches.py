"""Branches: lineages that were left for a greater one, until a head merges them.

When a partition heals, all peers adopt the greater head. The work of the other side is then in a
branch: the last head of the lineage that was left. Each peer that left it announces the branch and
a holder of its weights, with its join requests and contributions; aggregates pass branches up to
the root.

The peer that composes the next head asks the holder for the branch's records and weights. It
merges at most one branch into a head, the one with the most examples since the fork. The weights
must come from a holder other than the author, unless the author was the only contributor: a peer
in the root's succession can sign a head that no peer trained, but it cannot make others hold it.

Contributions that a mergeable branch names are claimed: they count with the branch, so they must
not be applied as stale ones. A branch is settled when the held head contains all its work. It is
kept even then: a standby's head that did not merge it may still win. After `KEPT_FOR_ADOPTIONS`
adoptions a branch is given up. If its work is lost by then, a note says why.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from swarm.core.blobs import BlobRef
from swarm.core.ids import Digest, PeerId
from swarm.core.machine import Effect
from swarm.federation.ancestry import Key, Relation, UnknownAncestorError
from swarm.federation.blob_tracker import BlobTracker
from swarm.federation.effects import Note
from swarm.federation.head_holders import HeadHolders
from swarm.federation.lineage import Lineage
from swarm.federation.messages import HISTORY_MAX
from swarm.federation.records import BRANCHES_MAX, Branch, GlobalModel, Merged

KNOWN_BRANCHES_MAX = 16
HOLDERS_MAX = 4
KEPT_FOR_ADOPTIONS = 12
"""A branch that no head merged during this many adoptions is given up."""


@dataclass(frozen=True, slots=True)
class Mergeable:
    """A branch whose weights are here, as seen from the head of a round."""

    head: GlobalModel
    relation: Relation

    @property
    def name(self) -> str:
        """Its name among the inputs of a combination."""
        return f"merge of {self.head.digest[:12]}"

    @property
    def merged(self) -> Merged:
        """How the head that merges it names it."""
        return Merged(self.head.digest, self.relation.examples[1])


@dataclass(slots=True)
class _Kept:
    holders: dict[PeerId, None]
    adoptions: int = 0
    obstacle: str = "no head merged it"
    settled: bool = False
    """Whether the held head contains all of its work. Another head may be adopted that does
    not."""
    own: bool = False
    """Whether this peer held its head, and so keeps its weights."""

    def vouching(self, head: GlobalModel) -> tuple[PeerId, ...]:
        """Holders that prove by having the weights that the author did not invent the head."""
        alone = {c.peer for c in head.contributors} == {head.author}
        return tuple(peer for peer in self.holders if alone or peer != head.author)


class Branches:
    """Remembers branches, announces them, and chooses the one that the next head merges.

    Invariants:
        Remembers at most `KNOWN_BRANCHES_MAX`, none for more than `KEPT_FOR_ADOPTIONS` adoptions.
        A branch is given up only once. Unless a head merged it, a note says why.
    """

    def __init__(self, me: PeerId) -> None:
        self._me = me
        self._kept: dict[Digest, _Kept] = {}
        self._closed: dict[Digest, None] = {}
        """Branches given up, or merged long ago: they are not taken up again."""
        self.claimed: frozenset[Key] = frozenset()
        """Contributions that will count with a branch, and so must not be applied as stale."""
        self.mergeable: Mergeable | None = None
        """The branch to merge into the next head of this round, once its weights are here."""

    def adopted(
        self, head: GlobalModel, before: GlobalModel | None, lineage: Lineage
    ) -> list[Effect]:
        """Take note that `head` was adopted and `before` was held until then."""
        self.claimed, self.mergeable = frozenset(), None
        for kept in self._kept.values():
            kept.adoptions += 1
        if before is not None and head.parent != before.digest:
            self._leave(before.digest)
            if before.author == self._me and before.parent is not None:
                self._leave(before.parent)  # maybe no other peer holds the head it just composed
        effects: list[Effect] = []
        for digest, kept in list(self._kept.items()):
            branch = lineage.get(digest)
            if branch is not None:
                self._judge(head, branch, lineage)
            if kept.adoptions > KEPT_FOR_ADOPTIONS:
                effects += self._give_up(digest)
        return effects

    def ended(self) -> list[Effect]:
        """Take note that no head will follow."""
        return [note for digest in list(self._kept) for note in self._give_up(digest)]

    def claim(self, base: GlobalModel, lineage: Lineage) -> None:
        """Find anew which contributions will count with a branch, as seen from `base`."""
        claimed: set[Key] = set()
        for digest in list(self._kept):
            branch = lineage.get(digest)
            relation = self._judge(base, branch, lineage) if branch is not None else None
            if relation is not None and not relation.conflict:
                claimed |= relation.only_theirs
        self.claimed = frozenset(claimed)

    def note(self, branches: Iterable[Branch]) -> None:
        """Take note of branches that others announce."""
        for branch in branches:
            kept = self._kept.get(branch.head)
            if kept is None:
                self._keep(branch.head, _Kept({branch.holder: None}))
            elif len(kept.holders) < HOLDERS_MAX:
                kept.holders[branch.holder] = None

    def to_announce(self) -> tuple[Branch, ...]:
        """Some branches to announce, those that this peer held first."""
        open_ = [item for item in self._kept.items() if not item[1].settled]
        kept = sorted(open_, key=lambda item: not item[1].own)
        return tuple(Branch(digest, next(iter(k.holders))) for digest, k in kept[:BRANCHES_MAX])

    def blobs(self, lineage: Lineage) -> frozenset[BlobRef]:
        """Weights of the branches that this peer held."""
        heads = (lineage.get(digest) for digest, kept in self._kept.items() if kept.own)
        return frozenset(head.blob for head in heads if head is not None)

    def prepare_merge(
        self,
        base: GlobalModel,
        lineage: Lineage,
        blobs: BlobTracker,
        head_holders: HeadHolders,
        now_s: float,
    ) -> list[Effect]:
        """Get what a merge into a head on `base` takes, and choose the branch to merge."""
        effects: list[Effect] = []
        ready: list[Mergeable] = []
        for digest, kept in list(self._kept.items()):
            branch = lineage.get(digest)
            if branch is None:
                missing = lineage.missing(digest)
                holder = next(iter(kept.holders))
                effects += head_holders.ask(missing, holder, now_s, HISTORY_MAX)
                continue
            relation = self._judge(base, branch, lineage)
            if relation is None or relation.conflict:
                continue
            effects += blobs.want(branch.blob, kept.vouching(branch), 0.0, now_s)
            if blobs.has(branch.blob) and branch.key < base.key:
                ready.append(Mergeable(branch, relation))
        self.mergeable = max(
            ready, key=lambda m: (m.relation.examples[1], m.head.digest), default=None
        )
        return effects

    def rejected(self, mergeable: Mergeable, reason: str) -> list[Effect]:
        """Take note that the branch's weights failed a gate."""
        return self._close(mergeable.head.digest, reason)

    def _judge(self, base: GlobalModel, branch: GlobalModel, lineage: Lineage) -> Relation | None:
        """Relate a branch to `base`; None if nothing is left to merge or an ancestor is not known.

        A conflict holds for this base only: another lineage may be adopted in a moment.
        """
        kept = self._kept[branch.digest]
        try:
            relation = lineage.relate(base, branch)
        except UnknownAncestorError:
            kept.obstacle = "its fork is too far back"
            return None
        kept.settled = relation.examples[1] < 1 or not relation.only_theirs
        if kept.settled:
            return None
        if relation.conflict:
            lost = f"{len(relation.only_theirs)} contributions are lost"
            kept.obstacle = f"{relation.conflict}; {lost}"
        return relation

    def _give_up(self, digest: Digest) -> list[Effect]:
        kept = self._kept[digest]
        return self._close(digest, "" if kept.settled else kept.obstacle)

    def _close(self, digest: Digest, reason: str) -> list[Effect]:
        self._kept.pop(digest, None)
        self._closed[digest] = None
        if len(self._closed) > KNOWN_BRANCHES_MAX * 4:
            del self._closed[next(iter(self._closed))]
        text = f"work of another side of a split (head {digest[:12]}) was not merged: {reason}"
        return [Note("skipped", text)] if reason else []

    def _leave(self, digest: Digest) -> None:
        """Keep a branch whose head this peer held."""
        heard = self._kept.get(digest)
        holders = heard.holders if heard is not None else {}
        self._keep(digest, _Kept({self._me: None, **holders}, own=True))

    def _keep(self, digest: Digest, kept: _Kept) -> None:
        if digest not in self._closed:
            self._kept[digest] = kept
        while len(self._kept) > KNOWN_BRANCHES_MAX:
            oldest = max(self._kept, key=lambda digest: self._kept[digest].settled)
            del self._kept[oldest]
