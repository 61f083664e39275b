"""Ancestry: how heads descend from each other, through parents and through merged branches.

Heads form a graph. Each head names one parent, and at most one merged branch. All heads behind a
head are its past; the contributions that they name are its lineage's, and none may count twice.

A contribution is named by its key: the peer, and the head that it was trained from. It is fresh in
the round on that head. In a later round it is stale: its staleness is the number of heads between.
The `Window` of a round holds its base and up to `STALENESS_MAX` ancestors along the parents. From
it follow which stale contributions may still count, and their weights.

`relate` compares two lineages. It finds their fork (the greatest head that both descend from),
counts the examples on each side since then, and collects the keys that each side names. Sides that
name a common key, or that both merged one third lineage, cannot be merged: that work would count
twice. A record that is missing on the way raises `UnknownAncestorError`, so that it can be asked
for.
"""

import heapq
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from swarm.core.ids import Digest, PeerId
from swarm.federation.records import Contributor, GlobalModel

STALENESS_MAX = 4
"""A stale contribution may count in a head if its base is at most this many heads back."""
Key = tuple[PeerId, Digest]
"""(peer, base) of a contribution: it may count at most once in a lineage."""
Known = Mapping[Digest, GlobalModel]
_OURS, _THEIRS, _BELOW = 1, 2, 4


class UnknownAncestorError(LookupError):
    """A record that the answer depends on is not known."""

    def __init__(self, digest: Digest) -> None:
        super().__init__(f"head {digest} is not known")
        self.digest = digest


@dataclass(frozen=True)
class Window:
    """The base of a round and its ancestors, as far back as a contribution may be stale."""

    known: Known
    heads: tuple[GlobalModel, ...]
    """The base first; at most `STALENESS_MAX` ancestors, fewer near head 0."""

    @property
    def base(self) -> GlobalModel:
        """The head the round starts from."""
        return self.heads[0]

    @property
    def missing(self) -> Digest | None:
        """The first ancestor within the window that is not known, or None."""
        return self.heads[-1].parent if len(self.heads) <= STALENESS_MAX else None

    @cached_property
    def named(self) -> frozenset[Key]:
        """Contributions to heads of the window that the lineage names already."""
        oldest = self.heads[-1]
        keys: set[Key] = set()
        steps, seen = [self.base], {self.base.digest}
        while steps:
            head = steps.pop()
            keys |= head.keys
            for digest in _parents(head):
                parent = self.known.get(digest)
                # A descendant of a head has more examples before it than the head itself.
                if parent is None or digest in seen:
                    continue
                if parent.examples_before > oldest.examples_before:
                    seen.add(digest)
                    steps.append(parent)
        return frozenset(keys)

    def past(self) -> Iterator[GlobalModel]:
        """The base, its parent, and so on, as far as they are known."""
        return chain_of(self.known, self.base)

    def find(self, base: Digest) -> GlobalModel | None:
        """The head of this digest, if it is in the window."""
        return next((head for head in self.heads if head.digest == base), None)

    def staleness(self, base: Digest) -> int | None:
        """Number of heads between: 0 for the round's base, None outside the window."""
        return next((n for n, head in enumerate(self.heads) if head.digest == base), None)

    def may_apply_stale(self, contributor: Contributor) -> bool:
        """Whether this is a stale contribution that may still count."""
        return bool(self.staleness(contributor.base)) and contributor.key not in self.named

    def weight(self, contributors: Iterable[Contributor]) -> float:
        """Sum of the examples behind contributions, each divided by sqrt(1 + staleness).

        Raises:
            UnknownAncestorError: A base is not in the window.

        Source:
            Nguyen et al. 2022 (FedBuff), section 3, arXiv:2106.06639.
        """
        total = 0.0
        for contributor in contributors:
            staleness = self.staleness(contributor.base)
            if staleness is None:
                raise UnknownAncestorError(contributor.base)
            total += contributor.num_examples / math.sqrt(1 + staleness)
        return total


def chain_of(known: Known, head: GlobalModel) -> Iterator[GlobalModel]:
    """`head`, its parent, and so on, as far as they are known."""
    step: GlobalModel | None = head
    while step is not None:
        yield step
        step = known.get(step.parent) if step.parent is not None else None


def window_of(known: Known, base: GlobalModel) -> Window:
    """The window of the round that starts from `base`."""
    return Window(known, tuple(itertools.islice(chain_of(known, base), 1 + STALENESS_MAX)))


@dataclass(frozen=True, slots=True)
class Relation:
    """What two lineages did since their fork, or since one was last merged into the other."""

    examples: tuple[int, int]
    """Examples on our side and on theirs."""
    only_theirs: frozenset[Key]
    """Contributions that their side names and ours does not."""
    conflict: str = ""
    """Why theirs cannot be merged into ours; empty if it can."""

    @property
    def share(self) -> float:
        """Their part of the examples since the fork."""
        return self.examples[1] / sum(self.examples)


def relate(known: Known, ours: GlobalModel, theirs: GlobalModel) -> Relation:
    """Compare two lineages back to the greatest head that both descend from.

    The walk visits both pasts at once, newest head first. A head's descendants all have more
    examples before them, so each head is visited after everything that descends from it.

    Raises:
        UnknownAncestorError: A head since the fork is not known.
    """
    walk = _Walk(known)
    walk.reach(ours, _OURS)
    walk.reach(theirs, _THEIRS)
    fork: GlobalModel | None = None
    keys: dict[int, set[Key]] = {_OURS: set(), _THEIRS: set()}
    conflict = ""
    while walk.num_open:
        head, marks = walk.next()
        if marks == _OURS | _THEIRS:
            if fork is not None:  # reached from both sides, but not through the fork
                conflict = f"both sides merged head {head.digest[:12]}"
            fork = fork or head
            marks = _BELOW
        elif not marks & _BELOW:
            keys[marks] |= head.keys
        walk.climb(head, _BELOW if marks & _BELOW else marks)
    if fork is None:
        return Relation((ours.total, theirs.total), frozenset(), "they have no common ancestor")
    if twice := keys[_OURS] & keys[_THEIRS]:
        conflict = f"both sides name the contribution of {min(twice)[0]}"
    examples = ours.total - fork.total, theirs.total - fork.total
    return Relation(examples, frozenset(keys[_THEIRS] - keys[_OURS]), conflict)


class _Walk:
    """Heads still to be visited, newest first, with the sides from which they were reached."""

    def __init__(self, known: Known) -> None:
        self.num_open = 0
        """Heads that are not known to be behind both sides."""
        self._known = known
        self._marks: dict[Digest, int] = {}
        self._queue: list[tuple[int, Digest, GlobalModel]] = []

    def reach(self, head: GlobalModel, marks: int) -> None:
        before = self._marks.get(head.digest, 0)
        if not before:
            heapq.heappush(self._queue, (-head.examples_before, head.digest, head))
        after = self._marks[head.digest] = before | marks
        self.num_open += (not after & _BELOW) - bool(before and not before & _BELOW)

    def next(self) -> tuple[GlobalModel, int]:
        _, digest, head = heapq.heappop(self._queue)
        marks = self._marks[digest]
        self.num_open -= not marks & _BELOW
        return head, marks

    def climb(self, head: GlobalModel, marks: int) -> None:
        for digest in _parents(head):
            parent = self._known.get(digest)
            if parent is not None:
                self.reach(parent, marks)
            elif not marks & _BELOW:
                raise UnknownAncestorError(digest)


def _parents(head: GlobalModel) -> Iterable[Digest]:
    if head.parent is not None:
        yield head.parent
    for merged in head.merged:
        yield merged.head
