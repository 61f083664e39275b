"""Announcements: takes contributions and aggregates that come in time, late or early."""

from collections.abc import Iterable

from swarm.core.blobs import BlobRef
from swarm.core.ids import Digest, PeerId
from swarm.core.machine import Effect
from swarm.federation.early_announcements import EarlyAnnouncements
from swarm.federation.messages import Contribution
from swarm.federation.records import Aggregate, Branch
from swarm.federation.screening import Screening
from swarm.federation.shared_state import SharedState
from swarm.federation.validity import InvalidRecordError


class Announcements:
    """Gives each announcement to its round, now or once its head is adopted.

    Invariant: the joiners in an announcement are noted once, so that their requests can expire.
    """

    def __init__(self, shared: SharedState, screening: Screening) -> None:
        self._shared = shared
        self._screening = screening
        self._early = EarlyAnnouncements()

    def take(self, event: Contribution | Aggregate, now_s: float) -> list[Effect]:
        """Take an announcement; ask for its base head if that was missed.

        Raises:
            InvalidRecordError: It breaks a rule.
        """
        shared = self._shared
        current, held = shared.round, shared.held
        known = shared.lineage.get(event.base)
        if current is not None and current.concerns(event):
            if current.take(event):  # repetitions do not count, so that requests expire
                self.note_outsiders(event.joiners, event.branches, now_s)
        elif known is None or held is None or known.key > held.key:
            self._early.keep(event)
            author = event.peer if isinstance(event, Contribution) else event.author
            return shared.exchange.ask_for_base(event.base, author, now_s)
        return []

    def note_outsiders(
        self, joiners: Iterable[PeerId], branches: Iterable[Branch], now_s: float
    ) -> None:
        """Note branches, and peers that ask to join and are neither in the cohort nor removed."""
        shared = self._shared
        asked = shared.held.members if shared.held is not None else frozenset()
        asked |= shared.registers.removed
        outside = [p for p in joiners if p not in asked and p != shared.me]
        shared.joiners.note(outside, now_s)
        shared.branches.note(branches)

    def take_early(self, base: Digest, now_s: float) -> None:
        """Take the announcements for a head just adopted that came before it."""
        for message in self._early.take(base):
            try:
                self.take(message, now_s)
            except InvalidRecordError:
                self._screening.count(1)

    def blobs(self) -> frozenset[BlobRef]:
        """Blobs that early announcements name."""
        return self._early.blobs()
