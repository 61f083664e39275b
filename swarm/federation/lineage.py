"""Lineage: the heads a peer knows, the one it holds, and those it should adopt.

A head is known once it was checked against its past. A head that cannot be checked yet is an
orphan: its parent, a branch that it merges, or an older record on which the check depends is
missing. `missing` says which record to ask for first. When a record becomes known, all orphans are
looked at again.

Some heads are believed without a check of their past: head 0 (by its own rules), the first head of
a peer that offered the session, and ancestors that a known head names by digest.

Known heads that are greater than the held one are candidates. The machine adopts the greatest
whose weights it has. Heads are compared by their key (examples before, term, digest) and by
nothing else, so peers that know the same heads choose the same one.
"""

from bisect import insort
from collections.abc import Iterator

from swarm.core.ids import Digest
from swarm.core.session import SessionSpec
from swarm.federation.ancestry import (
    Relation,
    UnknownAncestorError,
    Window,
    chain_of,
    relate,
    window_of,
)
from swarm.federation.records import GlobalModel
from swarm.federation.validity import (
    InvalidRecordError,
    check_common,
    check_first_head,
    check_head,
)

KNOWN_MAX = 2048
"""Heads kept for checking descendants and for history; the oldest go first."""
ORPHANS_MAX = 256
"""Heads kept while their ancestors are missing."""


class Lineage:
    """Orders heads by their key and by nothing else.

    Invariants:
        `held` only ever moves up the head order, and is known.
        Every known head is valid against its past; or it is head 0, believed of a peer that
        offered the session, or remembered from an earlier life; or it is an ancestor of such a
        head by digest.
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
            trusted: Whether to believe it without its parent, as a joiner believes its bootstrap.

        Raises:
            InvalidRecordError: The record breaks a rule.
        """
        if head.digest in self._known:
            return True
        if not self._is_believed(head, trusted=trusted):
            if self._lacks(head) is not None:
                self._orphan(head)
                return False
            check_head(head, self._known, self._spec)
        self._learn(head)
        return True

    def adopt(self, head: GlobalModel) -> None:
        """Hold `head`; it must be known and greater than the held head."""
        if head.digest not in self._known or (self.held and head.key <= self.held.key):
            raise ValueError(f"head {head.digest} must be known and greater than the held one")
        self.held = head
        self._greater = [h for h in self._greater if h.key > head.key]

    def get(self, digest: Digest) -> GlobalModel | None:
        """The known head of this digest, or None."""
        return self._known.get(digest)

    def missing(self, digest: Digest) -> Digest | None:
        """The record to ask for before the head `digest` can be known; None if it is known."""
        steps, seen = [digest], {digest}
        while steps:
            step = steps.pop()
            if step in self._known:
                continue
            if step not in self._orphans:
                return step
            lacking = self._lacks(self._orphans[step])
            if lacking is not None and lacking not in seen:
                seen.add(lacking)
                steps.append(lacking)
        return None

    def window(self, base: GlobalModel) -> Window:
        """The window of the round that starts from `base`."""
        return window_of(self._known, base)

    def relate(self, ours: GlobalModel, theirs: GlobalModel) -> Relation:
        """Compare two known lineages back to their fork; see `ancestry.relate`."""
        return relate(self._known, ours, theirs)

    def candidates(self) -> list[GlobalModel]:
        """Known heads greater than the held one, greatest first."""
        return self._greater[::-1]

    def ancestors(self, head: GlobalModel) -> Iterator[GlobalModel]:
        """`head`, its parent, and so on, as far as they are known."""
        return chain_of(self._known, head)

    def _learn(self, head: GlobalModel) -> None:
        """Remember a checked head, and all orphans that can be checked now."""
        self._remember(head)
        grown = bool(self._orphans)
        while grown:
            ready = [o for o in self._orphans.values() if self._can_check(o)]
            grown = bool(ready)
            for orphan in ready:
                del self._orphans[orphan.digest]
                try:
                    if not self._is_believed(orphan, trusted=False):
                        check_head(orphan, self._known, self._spec)
                except InvalidRecordError:
                    continue  # it was counted when it was announced; its descendants stay orphans
                self._remember(orphan)

    def _is_believed(self, head: GlobalModel, *, trusted: bool) -> bool:
        """Check a head that needs no past; return whether it is such a head."""
        if head.parent is None:
            check_first_head(head, self._spec)
            return True
        if head.digest in self._unknown_parents or (trusted and self.held is None):
            check_common(head, self._spec)
            return True
        return False

    def _can_check(self, orphan: GlobalModel) -> bool:
        return orphan.digest in self._unknown_parents or self._lacks(orphan) is None

    def _lacks(self, head: GlobalModel) -> Digest | None:
        """The first record that is missing to check `head`, or None."""
        parent = self._known.get(head.parent) if head.parent is not None else None
        if parent is None:
            return head.parent
        if any(c.base != head.parent for c in head.contributors):
            window = self.window(parent)
            unseen = any(window.find(c.base) is None for c in head.contributors)
            if unseen and window.missing is not None:
                return window.missing
        for merged in head.merged:
            branch = self._known.get(merged.head)
            if branch is None:
                return merged.head
            try:
                self.relate(parent, branch)
            except UnknownAncestorError as error:
                return error.digest
        return None

    def _remember(self, head: GlobalModel) -> None:
        self._known[head.digest] = head
        self._orphans.pop(head.digest, None)
        self._unknown_parents.discard(head.digest)
        if head.parent is not None and head.parent not in self._known:
            self._unknown_parents.add(head.parent)
        if self.held is None or head.key > self.held.key:
            insort(self._greater, head, key=lambda h: h.key)
        if len(self._known) > KNOWN_MAX:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        # By place, not by arrival: a newcomer learns of the oldest heads last.
        oldest = min((h for h in self._known.values() if h is not self.held), key=lambda h: h.key)
        del self._known[oldest.digest]
        self._greater = [h for h in self._greater if h is not oldest]
        if oldest.parent is not None:
            self._unknown_parents.discard(oldest.parent)

    def _orphan(self, head: GlobalModel) -> None:
        self._orphans[head.digest] = head
        if len(self._orphans) > ORPHANS_MAX:
            del self._orphans[next(iter(self._orphans))]
