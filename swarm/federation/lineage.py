"""Lineage: the heads a peer knows, which of them it holds, and which it should adopt."""

from collections.abc import Iterator

from swarm.core.ids import Digest
from swarm.core.session import SessionSpec
from swarm.federation.messages import GlobalModel
from swarm.federation.validity import InvalidRecordError, check_first_head, check_head

KNOWN_MAX = 2048
"""Heads kept for checking descendants and for history; the oldest go first."""
ORPHANS_MAX = 256
"""Heads kept whose ancestors are still to come."""


class Lineage:
    """Orders heads by their key and by nothing else.

    Invariants:
        `held` only ever moves up the head order.
        Every known head but the first is valid against its known parent.
    """

    def __init__(self, spec: SessionSpec) -> None:
        self._spec = spec
        self._known: dict[Digest, GlobalModel] = {}
        self._orphans: dict[Digest, GlobalModel] = {}
        self.held: GlobalModel | None = None

    def resume(self, heads: tuple[GlobalModel, ...]) -> None:
        """Take back what an earlier life of this peer adopted, oldest first."""
        for head in heads:
            self._known[head.digest] = head
            self.held = head

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
            rival = next((h for h in self._known.values() if h.parent is None), None)
            if rival is not None:
                raise InvalidRecordError("a session has one head 0")
        elif head.parent in self._known:
            check_head(head, self._known[head.parent], self._spec)
        elif not (trusted and self.held is None):
            self._orphan(head)
            return False
        self._learn(head)
        return True

    def adopt(self, head: GlobalModel) -> None:
        """Hold `head`; it must be known and greater than what is held."""
        if head.digest not in self._known or (self.held and head.key <= self.held.key):
            raise ValueError(f"head {head.digest} must be known and greater than the held one")
        self.held = head

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
        better = [h for h in self._recent() if self.held is None or h.key > self.held.key]
        return sorted(better, key=lambda head: head.key, reverse=True)

    def ancestors(self, head: GlobalModel) -> Iterator[GlobalModel]:
        """`head`, its parent, and so on, as far as they are known."""
        step: GlobalModel | None = head
        while step is not None:
            yield step
            step = self._known.get(step.parent) if step.parent is not None else None

    def _recent(self) -> Iterator[GlobalModel]:
        # Greater heads were learnt after the held one or shortly before it; the rest is history.
        for index, head in enumerate(reversed(self._known.values())):
            if index >= ORPHANS_MAX + 16:
                return
            yield head

    def _learn(self, head: GlobalModel) -> None:
        self._known[head.digest] = head
        if len(self._known) > KNOWN_MAX:
            del self._known[next(iter(self._known))]
        for orphan in [o for o in self._orphans.values() if o.parent == head.digest]:
            del self._orphans[orphan.digest]
            try:
                check_head(orphan, head, self._spec)
            except InvalidRecordError:
                continue  # its own announcement already counted; descendants stay orphans
            self._learn(orphan)

    def _orphan(self, head: GlobalModel) -> None:
        if self.held is not None and head.key <= self.held.key:
            return
        self._orphans[head.digest] = head
        if len(self._orphans) > ORPHANS_MAX:
            del self._orphans[next(iter(self._orphans))]
