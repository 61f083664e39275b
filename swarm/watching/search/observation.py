"""StudyObservation: finds and follows all studies of a swarm, for those who watch it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from swarm.core.effects import (
    KeepConnected,
    PeerConnected,
    PeerUnreachable,
    Publish,
    Send,
    Subscribe,
    Unsubscribe,
)
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event, SetTimer, TimerFired
from swarm.search.effects import LeaveRequested, SaveEntries, Started
from swarm.search.messages import (
    CoordinatorHeartbeat,
    LeaveStudy,
    StudyLedgerPage,
    StudyOffer,
    StudyQuery,
)
from swarm.search.search import Search
from swarm.search.study import StudyId
from swarm.search.study_ledger import Entry
from swarm.search.topics import SEARCH_TOPIC
from swarm.watching.search.study_counts import StudyCounts, StudyView

STUDIES_MAX = 16
"""Most studies shown. One more drops the oldest that is over or whose coordinator is silent."""
ENTRIES_MAX = 100_000
"""Most ledger entries held in all; beyond that, the longest ledger is read no further."""
SILENT_S = 120.0
"""A study whose coordinator was silent for this long may be dropped for a new one."""
DROPPED_MAX = 1024
ASK_EVERY_S = 5.0
ASKED_MAX = 8
"""Most peers that are asked for studies at a time."""
PEERS_MAX = 256
CONNECTIONS_MAX = 64
_TIMERS = "study observation "
_ASK = _TIMERS + "ask"
_ABOUT_STUDIES = (StudyOffer, CoordinatorHeartbeat, StudyLedgerPage, LeaveStudy)


def is_about_studies(event: Event) -> bool:
    """Whether an event is for `StudyObservation` only."""
    if isinstance(event, TimerFired):
        return event.name.startswith(_TIMERS)
    return isinstance(event, _ABOUT_STUDIES)


@dataclass(slots=True)
class _Watched:
    """A study that is, or was, followed."""

    machine: Search | None
    """None once the study is over and was read to its end, or was given up."""
    counts: StudyCounts | None
    peers: tuple[PeerId, ...] = ()
    """Peers that its machine wants to be connected with."""
    was_read: bool = False
    """Whether its ledger once equaled the coordinator's."""
    view: StudyView | None = field(default=None)
    """None if the study changed since the last view."""

    def current_view(self) -> StudyView:
        """The view of the study; the same object until something changes."""
        if self.view is None:
            assert self.machine is not None  # noqa: S101 (a study that was left has its last view)
            assert self.counts is not None  # noqa: S101
            self.view = self.counts.view(self.machine.coordinators.members, complete=self.was_read)
        return self.view


class StudyObservation:
    """Finds studies and follows each with a machine that has no slots.

    Such a machine never coordinates and gets no leases. A study that is over is left: its last
    view is kept, its ledger is not.

    Invariants:
        At most `STUDIES_MAX` studies, and about `ENTRIES_MAX` entries, are held.
        `version` grows with every change of what `views` returns.
    """

    def __init__(self, me: PeerId) -> None:
        self.version = 0
        self._me = me
        self._studies: dict[StudyId, _Watched] = {}
        self._dropped: dict[StudyId, None] = {}
        self._connected: dict[PeerId, None] = {}
        self._kept: tuple[PeerId, ...] = ()

    def start(self, now_s: float) -> list[Effect]:
        """Subscribe to offers of studies, and begin to ask peers for them."""
        return [Subscribe(SEARCH_TOPIC), SetTimer(_ASK, now_s + ASK_EVERY_S)]

    def handle(self, event: Event, now_s: float) -> list[Effect]:
        """Apply one event; see `swarm.core.machine`."""
        handler = _HANDLERS.get(type(event))
        if handler is None:
            return []
        effects: list[Effect] = handler(self, event, now_s)
        effects += self._give_up_longest(now_s)
        kept = dict.fromkeys(p for watched in self._studies.values() for p in watched.peers)
        if (peers := tuple(kept)[:CONNECTIONS_MAX]) != self._kept:
            self._kept = peers
            effects.append(KeepConnected(peers))
        return effects

    def views(self) -> tuple[StudyView, ...]:
        """All studies, in the order in which they were found."""
        return tuple(watched.current_view() for watched in self._studies.values())

    # -- events

    def _on_connected(self, event: PeerConnected, now_s: float) -> list[Effect]:
        self._connected[event.peer] = None
        if len(self._connected) > PEERS_MAX:
            del self._connected[next(iter(self._connected))]
        return [Send(event.peer, StudyQuery(self._me)), *self._handle_in_all(event, now_s)]

    def _on_unreachable(self, event: PeerUnreachable, now_s: float) -> list[Effect]:
        self._connected.pop(event.peer, None)
        return self._handle_in_all(event, now_s)

    def _on_timer(self, event: TimerFired, now_s: float) -> list[Effect]:
        if event.name == _ASK:
            return self._ask(now_s)
        study, _, name = event.name.removeprefix(_TIMERS).partition(" ")
        return self._handle_in(StudyId(study), TimerFired(name), now_s)

    def _on_message(self, event: Any, now_s: float) -> list[Effect]:
        return self._handle_in(event.study, event, now_s)

    def _on_offer(self, offer: StudyOffer, now_s: float) -> list[Effect]:
        study = offer.spec.id
        watched = self._studies.get(study)
        if watched is not None:
            if not self._can_end_by(offer, watched, now_s):
                return []
            assert watched.machine is not None  # noqa: S101 (see _can_end_by)
            effects = self._follow(offer, tuple(watched.machine.ledger.entries), now_s)
            return [e for e in effects if not isinstance(e, Subscribe)]  # it was never left
        if study in self._dropped:
            return []
        if len(self._studies) < STUDIES_MAX:
            return self._follow(offer, (), now_s)
        oldest = self._dispensable(now_s)
        if oldest is None:
            return []
        return [*self._drop(oldest, now_s), *self._follow(offer, (), now_s)]

    def _can_end_by(self, offer: StudyOffer, watched: _Watched, now_s: float) -> bool:
        """Whether this peer has the end of a study whose coordinator left before we read it."""
        machine = watched.machine
        if machine is None or machine.closed or not offer.closed:
            return False
        return machine.coordinators.silent_s(now_s) >= offer.spec.lease_s

    def _ask(self, now_s: float) -> list[Effect]:
        asked = list(self._connected)[:ASKED_MAX]
        for peer in asked:  # so that other peers are asked next time
            del self._connected[peer]
            self._connected[peer] = None
        queries = [Send(peer, StudyQuery(self._me)) for peer in asked]
        return [*queries, SetTimer(_ASK, now_s + ASK_EVERY_S)]

    # -- studies

    def _follow(self, offer: StudyOffer, known: tuple[Entry, ...], now_s: float) -> list[Effect]:
        machine = Search(self._me, offer.spec, may_coordinate=False)
        started = Started(
            0, known, offer.term, contact=offer.sender, coordinator=offer.coordinator
        )
        effects = machine.handle(started, now_s)
        self._studies[offer.spec.id] = _Watched(machine, StudyCounts(machine.ledger))
        self.version += 1
        return self._pass_on(offer.spec.id, effects, now_s)

    def _handle_in_all(self, event: Event, now_s: float) -> list[Effect]:
        return [e for study in self._studies for e in self._handle_in(study, event, now_s)]

    def _handle_in(self, study: StudyId, event: Event, now_s: float) -> list[Effect]:
        watched = self._studies.get(study)
        if watched is None or watched.machine is None:
            return []
        members = watched.machine.coordinators.members
        effects = watched.machine.handle(event, now_s)
        if watched.machine.coordinators.members != members:
            self._note_changed(watched)
        return self._pass_on(study, effects, now_s)

    def _pass_on(self, study: StudyId, effects: list[Effect], now_s: float) -> list[Effect]:
        """Count the entries that a machine adopted, and pass on its requests to the network."""
        watched = self._studies[study]
        passed: list[Effect] = []
        for effect in effects:
            match effect:
                case SaveEntries(entries) if watched.counts is not None:
                    for entry in entries:
                        watched.counts.count(entry)
                    self._note_changed(watched)
                case SetTimer(name, due_s):
                    passed.append(SetTimer(f"{_TIMERS}{study} {name}", due_s))
                case KeepConnected(peers):
                    watched.peers = peers
                case Publish() | Send() | Subscribe() | Unsubscribe():
                    passed.append(effect)
        machine = watched.machine
        if machine is None or not machine.complete:
            return passed
        if not watched.was_read:
            watched.was_read = True
            self._note_changed(watched)
        return passed + (self._leave(study, now_s) if machine.closed else [])

    def _leave(self, study: StudyId, now_s: float) -> list[Effect]:
        """Leave a study and keep its last view."""
        watched = self._studies[study]
        machine = watched.machine
        if machine is None:
            return []
        watched.current_view()
        watched.machine, watched.counts, watched.peers = None, None, ()
        return self._pass_on(study, machine.handle(LeaveRequested(), now_s), now_s)

    def _give_up_longest(self, now_s: float) -> list[Effect]:
        lengths = {
            study: len(watched.machine.ledger)
            for study, watched in self._studies.items()
            if watched.machine is not None
        }
        if sum(lengths.values()) <= ENTRIES_MAX:
            return []
        longest = max(lengths, key=lengths.__getitem__)
        watched = self._studies[longest]
        watched.was_read = False
        self._note_changed(watched)
        return self._leave(longest, now_s)

    def _dispensable(self, now_s: float) -> StudyId | None:
        """The oldest study no longer followed, or else the oldest with a silent coordinator."""
        silent = None
        for study, watched in self._studies.items():
            if watched.machine is None:
                return study
            if silent is None and watched.machine.coordinators.silent_s(now_s) >= SILENT_S:
                silent = study
        return silent

    def _drop(self, study: StudyId, now_s: float) -> list[Effect]:
        effects = self._leave(study, now_s)
        del self._studies[study]
        self._dropped[study] = None
        if len(self._dropped) > DROPPED_MAX:
            del self._dropped[next(iter(self._dropped))]
        self.version += 1
        return effects

    def _note_changed(self, watched: _Watched) -> None:
        watched.view = None
        self.version += 1


_HANDLERS: dict[type[Event], Callable[..., list[Effect]]] = {
    PeerConnected: StudyObservation._on_connected,
    PeerUnreachable: StudyObservation._on_unreachable,
    TimerFired: StudyObservation._on_timer,
    StudyOffer: StudyObservation._on_offer,
    CoordinatorHeartbeat: StudyObservation._on_message,
    StudyLedgerPage: StudyObservation._on_message,
    LeaveStudy: StudyObservation._on_message,
}
