"""Arithmetic: what a head's weights must be, computed anew from what it names."""

import math
from collections.abc import Iterator

from swarm.core.ids import Digest, PeerId
from swarm.core.session import SessionSpec
from swarm.federation.records import Contributor, GlobalModel, Merged
from swarm.simulation.federation.simulated_learning import SimulatedLearner, Vector, weighted_mean

TOLERANCE = 1e-9
STALENESS_MAX = 4
"""A contribution counts if its base is the parent or at most this number of heads before it."""


class WrongHeadError(Exception):
    """A head breaks the rules of arithmetic; the message says which."""


class Heads:
    """Every head that a peer ever adopted, and all heads behind it.

    Invariant: the parent of a known head, and the heads it merges, are known as well.
    """

    def __init__(self, learner: SimulatedLearner, spec: SessionSpec) -> None:
        self._learner = learner
        self._num_examples_max = spec.num_examples_max
        self._patience = spec.early_stop
        self._heads: dict[Digest, GlobalModel] = {}
        self._admitted: set[Digest] = set()

    def remember(self, head: GlobalModel) -> None:
        """Remember the head of a hostile peer: others may build on it, once it is checked."""
        self._heads[head.digest] = head

    def admit(self, head: GlobalModel) -> None:
        """Check a head against its past, once, and remember it.

        Raises:
            WrongHeadError: It counts something twice, or its weights or examples are wrong.
        """
        if head.digest in self._admitted:
            return
        self._admitted.add(head.digest)
        for digest in _links(head):
            if digest not in self._heads:
                raise WrongHeadError(
                    f"head {head.round} names {digest:.8}, which no peer ever held"
                )
        self._heads[head.digest] = head
        self._check_counted_once(head)
        if head.parent is not None:
            self._check_examples(head, self._heads[head.parent])
            self._check_weights(head, self._heads[head.parent])
            self._check_best(head, self._heads[head.parent])

    def past(self, head: GlobalModel) -> dict[Digest, GlobalModel]:
        """The head and all behind it, through parents and merges."""
        past: dict[Digest, GlobalModel] = {}
        rest = [head]
        while rest:
            step = rest.pop()
            if step.digest not in past:
                past[step.digest] = step
                rest += [self._heads[digest] for digest in _links(step)]
        return past

    def parent(self, head: GlobalModel) -> GlobalModel | None:
        """The head before an admitted one."""
        return self._heads[head.parent] if head.parent is not None else None

    @property
    def known(self) -> frozenset[Digest]:
        """All heads so far, including those of hostile peers."""
        return frozenset(self._heads)

    def num_since(self, head: GlobalModel, known: frozenset[Digest]) -> int:
        """Number of heads from `head` back to its first ancestor in `known`."""
        number = 0
        step: GlobalModel | None = head
        while step is not None and step.digest not in known:
            number += 1
            step = self.parent(step)
        return number

    def is_stopped(self, head: GlobalModel) -> bool:
        """Whether the session stops early with this head: its last models were not better."""
        since = self._best(head)[1]
        return self._patience > 0 and since >= self._patience

    def _best(self, head: GlobalModel) -> tuple[GlobalModel | None, int]:
        """The first of the best models behind a head, and how many were measured after it."""
        models: list[GlobalModel] = []
        means: list[float] = []
        step = head
        while step.parent is not None:
            parent = self._heads[step.parent]
            if step.metrics and parent.parent is not None:
                models.insert(0, parent)
                rows: list[Vector] = [(m.accuracy,) for m in step.metrics]
                means.insert(0, *weighted_mean(rows, [m.num_examples for m in step.metrics]))
            step = parent
        if not models:
            return None, 0
        place = means.index(max(means))
        return models[place], len(models) - 1 - place

    def _check_best(self, head: GlobalModel, parent: GlobalModel) -> None:
        model, since = self._best(head)
        stated = (head.best.blob, head.best.num_since) if head.best is not None else (None, 0)
        if stated != (model.blob if model is not None else None, since):
            raise WrongHeadError(f"head {head.round} names another best model than was measured")
        if self.is_stopped(parent):
            raise WrongHeadError(f"head {head.round} follows the one that stopped the session")

    def _check_counted_once(self, head: GlobalModel) -> None:
        for merged in head.merged:
            self._check_merged_once(head, self._heads[merged.head])
        seen: set[tuple[PeerId, Digest]] = set()
        for step in self.past(head).values():
            keys = {c.key for c in step.contributors}
            if not seen.isdisjoint(keys):
                twice = ", ".join(sorted(peer for peer, _ in keys & seen))
                raise WrongHeadError(f"contribution of {twice} counts twice behind {head.round}")
            seen |= keys

    def _check_merged_once(self, head: GlobalModel, branch: GlobalModel) -> None:
        """Check that both sides share only what is behind their fork."""
        parent = self.parent(head)
        ours = self.past(parent) if parent is not None else {}
        if branch.digest in ours:
            raise WrongHeadError(f"head {head.round} merges a head that is behind it already")
        common = self.past(branch).keys() & ours.keys()
        shared = (ours[digest] for digest in common)
        fork = max(shared, key=lambda h: h.examples_before, default=None)
        if fork is None or common - self.past(fork).keys():
            raise WrongHeadError(f"head {head.round} merges what both sides merged before")

    def _check_examples(self, head: GlobalModel, parent: GlobalModel) -> None:
        for contributor in head.contributors:
            if contributor.num_examples > self._num_examples_max:
                raise WrongHeadError(
                    f"head {head.round} counts {contributor.num_examples} examples of "
                    f"{contributor.peer}, over the cap of {self._num_examples_max}"
                )
        if head.examples_before != _total(parent):
            raise WrongHeadError(f"head {head.round} miscounts the examples before it")
        for merged in head.merged:
            _, behind = self._parted(parent, merged)
            if merged.num_examples != behind:
                raise WrongHeadError(
                    f"head {head.round} merges {merged.num_examples} examples, not {behind}"
                )

    def _check_weights(self, head: GlobalModel, parent: GlobalModel) -> None:
        rows, weights = [], []
        for contributor in head.contributors:
            base = self._base(contributor, parent)
            staleness = parent.round - base.round
            rows.append(self._rebased(self._chosen(contributor, head), base, parent))
            weights.append(contributor.num_examples / math.sqrt(1 + staleness))
        h = self._vector(parent)
        expected = weighted_mean(rows, weights) if rows else h
        for merged in head.merged:
            ahead, behind = self._parted(parent, merged)
            share, b = behind / (ahead + behind), self._vector(self._heads[merged.head])
            expected = tuple(e + share * (y - x) for e, x, y in zip(expected, h, b, strict=True))
        if not _close(expected, self._vector(head)):
            raise WrongHeadError(f"head {head.round} is not the mean of what it names")

    def _parted(self, parent: GlobalModel, merged: Merged) -> tuple[int, int]:
        """Examples behind the parent, and behind the branch, since their fork."""
        branch = self._heads[merged.head]
        common = self.past(parent).keys() & self.past(branch).keys()
        fork = max((self._heads[digest] for digest in common), key=lambda h: h.key, default=None)
        before = _total(fork) if fork is not None else 0
        return _total(parent) - before, _total(branch) - before

    def _base(self, contributor: Contributor, parent: GlobalModel) -> GlobalModel:
        base = self._heads.get(contributor.base)
        if base is not None and parent.round - STALENESS_MAX <= base.round <= parent.round:
            step: GlobalModel | None = parent
            while step is not None and step.round >= base.round:
                if step is base:
                    return base
                step = self._heads[step.parent] if step.parent is not None else None
        raise WrongHeadError(f"{contributor.peer} did not train from the lineage it counts in")

    def _chosen(self, contributor: Contributor, head: GlobalModel) -> Vector:
        """The contributor's result of training; if it has several, the one that was combined."""
        options = self._learner.trained.get(contributor.key, {})
        blob = head.blob.digest
        sources = self._learner.sources.get(blob, {blob})
        chosen = [vector for digest, vector in options.items() if digest in sources]
        if not chosen:
            raise WrongHeadError(f"head {head.round} names {contributor.peer}, without its work")
        return chosen[0]

    def _rebased(self, vector: Vector, base: GlobalModel, parent: GlobalModel) -> Vector:
        if base is parent:
            return vector
        rows = zip(self._vector(parent), vector, self._vector(base), strict=True)
        return tuple(h + (w - b) for h, w, b in rows)

    def _vector(self, head: GlobalModel) -> Vector:
        return self._learner.vectors[head.blob.digest]


def _links(head: GlobalModel) -> Iterator[Digest]:
    if head.parent is not None:
        yield head.parent
    for merged in head.merged:
        yield merged.head


def _total(head: GlobalModel) -> int:
    """Examples in the lineage, counted anew instead of as the head states them."""
    added = sum(c.num_examples for c in head.contributors)
    added += sum(merged.num_examples for merged in head.merged)
    return head.examples_before + max(1, added)


def _close(a: Vector, b: Vector) -> bool:
    return all(abs(x - y) <= TOLERANCE * max(1.0, abs(x)) for x, y in zip(a, b, strict=True))
