"""A coordinator with one worker, a worker with its coordinator, and filters of their effects."""

from typing import Any

from swarm.core.blobs import BlobRef
from swarm.core.canonical import sha256_hex
from swarm.core.effects import (
    Publish,
    Send,
)
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event, TimerFired
from swarm.search import messages
from swarm.search.effects import (
    Started,
)
from swarm.search.search import Search
from swarm.search.study import StudySpec
from swarm.search.trial import Trial, TrialResult
from tests.search.conftest import ME, OTHER, THIRD

CHECKPOINT = BlobRef(sha256_hex(b"checkpoint"), 10)


def tick(search: Search, now_s: float) -> list[Effect]:
    return search.handle(TimerFired("tick"), now_s)


def of(kind: type[Any], effects: list[Effect]) -> list[Any]:
    return [effect for effect in effects if isinstance(effect, kind)]


def sent(kind: type[Any], effects: list[Effect]) -> list[Any]:
    return [e.message for e in effects if isinstance(e, Send) and isinstance(e.message, kind)]


def published(kind: type[Any], effects: list[Effect]) -> list[Any]:
    return [e.message for e in effects if isinstance(e, Publish) and isinstance(e.message, kind)]


def complete(trial: Trial, value: float = 0.5, peer: PeerId = ME) -> TrialResult:
    return TrialResult(trial.id, "complete", value, 1.0, peer=peer)


def heartbeat(
    spec: StudySpec, sender: PeerId, search: Search, held: tuple[Any, ...] = (), slots: int = 1
) -> messages.WorkerHeartbeat:
    has = len(search.ledger), search.ledger.checksum
    return messages.WorkerHeartbeat(
        spec.id, sender, search.coordinators.term, slots, True, held, *has
    )


class Coordinator:
    """A coordinator with one other worker, and the trials leased to that worker."""

    def __init__(self, spec: StudySpec, slots: int = 1) -> None:
        self.spec = spec
        self.search = Search(ME, spec)
        self.started = self.search.handle(Started(slots, submits=True), 0.0)
        joined = self.search.handle(heartbeat(spec, OTHER, self.search), 0.1)
        (leases,) = sent(messages.Leases, joined)
        self.leased = [lease.trial for lease in leases.leases]

    def news(self, results: tuple[Any, ...] = (), reports: tuple[Any, ...] = ()) -> Event:
        return messages.WorkerNews(self.spec.id, OTHER, reports, results)


class Worker:
    """A worker that follows a coordinator."""

    def __init__(self, spec: StudySpec, me: PeerId = ME) -> None:
        self.spec = spec
        self.search = Search(me, spec)
        self.search.handle(Started(1, term=1, contact=OTHER, coordinator=OTHER), 0.0)
        self.search.handle(self.coordinator_heartbeat(), 0.1)
        self.trials = [Trial(spec.id, k, "knn", (("k", k),), 1, OTHER) for k in range(3)]

    def coordinator_heartbeat(
        self, sender: PeerId = OTHER, term: int = 1
    ) -> messages.CoordinatorHeartbeat:
        members = (ME, OTHER, THIRD)
        return messages.CoordinatorHeartbeat(self.spec.id, sender, term, 0, 0, 0.0, members, 0)

    def leases(self, *trials: Trial, sender: PeerId = OTHER, **fields: Any) -> messages.Leases:
        leased = tuple(messages.Lease(trial, **fields) for trial in trials)
        return messages.Leases(self.spec.id, sender, 1, leased)


def own_trial(search: Search, number: int) -> Trial:
    (trial,) = [t for t in search.ledger.trials.values() if t.number == number]
    return trial


def leased_to(peer: PeerId, effects: list[Effect]) -> list[Trial]:
    return [
        lease.trial
        for effect in effects
        if isinstance(effect, Send) and effect.peer == peer
        if isinstance(effect.message, messages.Leases)
        for lease in effect.message.leases
    ]
