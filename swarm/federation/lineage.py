"""Lineage: the heads a peer knows, which of them it holds, and which it should adopt."""

from bisect import insort
from collections.abc import Iterator

from swarm.core.ids import Digest
from swarm.core.session import SessionSpec
from swarm.federation.messages import GlobalModel
from swarm.federation.validity import (
    InvalidRecordError,
    check_common,
    check_first_head,
    check_head,
)

KNOWN_MAX = 2048
"""Heads kept for checking descendants and for history; the oldest go first."""
ORPHANS_MAX = 256
"""Heads kept whose ancestors are still to come."""


class Lineage:
    """Orders heads by their key and by nothing else.

    Invariants:
        `held` only ever moves up the head order, and is known.
        Every known head with a known parent is valid against it. One without is head 0, was
        believed of a bootstrap or remembered, or is an ancestor of such a one by its digest.
    """

    def __init__(self, spec: SessionSpec) -> None:
        self._spec = spec
        self._known: dict[Digest, GlobalModel] = {}
        self._orphans: dict[Digest, GlobalModel] = {}
        self._unknown_parents: set[Digest] = set()
        self._greater: list[GlobalModel] = []
        self.held: GlobalModel | None = None

    def resume(self, heads: tuple[GlobalModel, ...]) -> None:
        """Take back what an earlier life of this peer adopted, oldest first."""
        for head in heads:
            self._learn(head)
            self.adopt(head)

    def add(self, head: GlobalModel, *, trusted: bool) -> bool:
        """Learn of a head; return whether it is known now, not an orphan.

        Args:
            head: The record, its signature already verified.
            trusted: Believe it without its parent, as a joiner believes its bootstrap.

        Raises:
            InvalidRecordError: The record breaks a rule.
        """
        if head.digest in self._known:
            return True
        if head.parent is None:
            check_first_head(head, self._spec)
        elif head.parent in self._known:
            check_head(head, self._known[head.parent], self._spec)
        elif head.digest in self._unknown_parents or (trusted and self.held is None):
            check_common(head, self._spec)
        else:
            self._orphan(head)
            return False
        self._learn(head)
        return True

    def adopt(self, head: GlobalModel) -> None:
        """Hold `head`; it must be known and greater than what is held."""
        if head.digest not in self._known or (self.held and head.key <= self.held.key):
            raise ValueError(f"head {head.digest} must be known and greater than the held one")
        self.held = head
        self._greater = [h for h in self._greater if h.key > head.key]

    def get(self, digest: Digest) -> GlobalModel | None:
        """The known head of this digest, or None."""
        return self._known.get(digest)

    def missing_ancestor(self, head: GlobalModel) -> Digest | None:
        """The first unknown ancestor of an orphan, or None."""
        parent = head.parent
        while parent is not None and parent in self._orphans:
            parent = self._orphans[parent].parent
        return None if parent is None or parent in self._known else parent

    def candidates(self) -> list[GlobalModel]:
        """Known heads greater than the held one, greatest first."""
        return self._greater[::-1]

    def ancestors(self, head: GlobalModel) -> Iterator[GlobalModel]:
        """`head`, its parent, and so on, as far as they are known."""
        step: GlobalModel | None = head
        while step is not None:
            yield step
            step = self._known.get(step.parent) if step.parent is not None else None

    def _learn(self, head: GlobalModel) -> None:
        learnt = [head]
        while learnt:
            head = learnt.pop()
            self._remember(head)
            children = [o for o in self._orphans.values() if o.parent == head.digest]
            for orphan in children:
                del self._orphans[orphan.digest]
                try:
                    check_head(orphan, head, self._spec)
                except InvalidRecordError:
                    continue  # its own announcement already counted; descendants stay orphans
                learnt.append(orphan)

    def _remember(self, head: GlobalModel) -> None:
        self._known[head.digest] = head
        self._unknown_parents.discard(head.digest)
        if head.parent is not None and head.parent not in self._known:
            self._unknown_parents.add(head.parent)
        if self.held is None or head.key > self.held.key:
            insort(self._greater, head, key=lambda h: h.key)
        if len(self._known) > KNOWN_MAX:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        oldest = next(h for h in self._known.values() if h is not self.held)
        del self._known[oldest.digest]
        self._greater = [h for h in self._greater if h is not oldest]
        if oldest.parent is not None:
            self._unknown_parents.discard(oldest.parent)

    def _orphan(self, head: GlobalModel) -> None:
        self._orphans[head.digest] = head
        if len(self._orphans) > ORPHANS_MAX:
            del self._orphans[next(iter(self._orphans))]
