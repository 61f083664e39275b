"""LeaseBook: which worker has which trials, how many more each should have, which are lost.

A coordinator leases each trial to one worker at a time. A lease goes through these states:

    waiting -> leased -> sent -> confirmed -> ended by a result
       ^______________________________|      or lost, then waiting again, before all others

Workers confirm a lease by naming the trial in their heartbeats. A lease is lost when its worker
is silent (3.5 heartbeats), leaves or cannot be reached, and when two heartbeats in a row lack a
trial that was confirmed: the worker restarted, say. A lease that is not confirmed is sent again.

A worker should never run dry while a result travels to the coordinator and the next lease travels
back. So each slot gets `1 + ceil(turnaround / trial duration)` trials, between 2 and 64. Near the
end of a study it gets at most half of its share of the trials that are left, so that the last
trials do not queue at one worker while another has nothing to do.
"""

import math
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, field

from swarm.core.ids import PeerId
from swarm.search.messages import WorkerHeartbeat
from swarm.search.study import StudySpec
from swarm.search.trial import Trial, TrialId

TURNAROUND_S = 0.5
"""Time for a result to arrive and the next lease to return, with batching and busy machines."""
TURNAROUND_HERE_S = 0.05
"""The same for the coordinator's own worker."""
DEPTH_MIN = 2
"""Trials a slot should have: one that runs and one that waits."""
DEPTH_MAX = 64
UNCONFIRMED_HEARTBEATS = 2.5
"""A lease that is not confirmed this many heartbeats after it was sent is sent again."""
MISSED_MAX = 2
"""A confirmed trial that is absent from this many heartbeats in a row is lost."""
CUT_OFF_HEARTBEATS = 2.0
"""The coordinator is cut off if it hears no other worker for this many heartbeats."""
SUSPECT_LOSSES = 2
"""A trial that was lost with this many workers was hardly lost by chance."""


@dataclass(slots=True)
class KnownWorker:
    """What the coordinator knows of a worker."""

    slots: int
    coordinates: bool
    heard_s: float
    duration_s: float | None = None
    """Moving average of the durations of its trials."""
    synced: bool = False
    """Whether its ledger equaled ours in its last heartbeat."""
    leases: dict[TrialId, "LeasedTrial"] = field(default_factory=dict)


@dataclass(slots=True)
class LeasedTrial:
    """One lease."""

    trial: Trial
    worker: PeerId
    sent_s: float
    was_sent: bool = False
    was_confirmed: bool = False
    num_missed: int = 0
    """Heartbeats in a row without the trial, after it was confirmed."""
    may_have_run: bool = False
    """For a lost lease: whether the worker may have been running the trial.

    Workers begin trials about in the order of their leases.
    """


class LeaseBook:
    """The coordinator's record of workers and leases.

    Invariants:
        A trial is with one worker, or waits, or neither; never two of these.
        Only trials without a result are here.
    """

    def __init__(self, spec: StudySpec, me: PeerId, lookahead_max: int) -> None:
        self.workers: dict[PeerId, KnownWorker] = {}
        self.waiting: deque[Trial] = deque()
        """Trials to be leased; lost ones come first."""
        self.attempts: Counter[TrialId] = Counter()
        """Number of lost leases of each trial that were sent to their worker."""
        self._spec = spec
        self._me = me
        self._lookahead_max = lookahead_max
        self._heard_s: dict[PeerId, float] = {}
        """When workers were heard, including those that were lost recently."""
        self._leased: dict[TrialId, LeasedTrial] = {}
        self._lessees: dict[TrialId, set[PeerId]] = {}
        """Workers that each trial was ever leased to in this term."""

    def take_heartbeat(
        self, heartbeat: WorkerHeartbeat, synced: bool, now_s: float
    ) -> list[LeasedTrial]:
        """Update a worker by its heartbeat; return the leases it lost."""
        worker = self.workers.get(heartbeat.sender)
        if worker is None:
            worker = self.workers[heartbeat.sender] = KnownWorker(
                heartbeat.slots, heartbeat.coordinates, now_s
            )
        worker.slots, worker.coordinates = heartbeat.slots, heartbeat.coordinates
        worker.heard_s, worker.synced = now_s, synced
        self._heard_s[heartbeat.sender] = now_s
        held = set(heartbeat.held)
        for leased in worker.leases.values():
            is_held = leased.trial.id in held
            leased.was_confirmed = leased.was_confirmed or is_held
            is_missed = leased.was_confirmed and not is_held
            leased.num_missed = leased.num_missed + 1 if is_missed else 0
        lost = [leased for leased in worker.leases.values() if leased.num_missed >= MISSED_MAX]
        self._take_away(worker, lost)
        return lost

    def extend_leases(self, peer: PeerId, now_s: float) -> None:
        """A worker sent something other than a heartbeat: it is alive, too."""
        worker = self.workers.get(peer)
        if worker is not None:
            worker.heard_s = now_s

    def take_claim(self, trial: Trial, worker: PeerId, now_s: float) -> None:
        """Believe a worker that says it holds a trial, unless another was leased it here."""
        if trial.id in self._leased or self._lessees.get(trial.id, set()) - {worker}:
            return
        if trial in self.waiting:
            self.waiting.remove(trial)
        self.lease(trial, worker, now_s)
        leased = self._leased[trial.id]
        leased.was_sent = leased.was_confirmed = True

    def lease(self, trial: Trial, worker: PeerId, now_s: float) -> None:
        """Lease a trial that no longer waits."""
        leased = LeasedTrial(trial, worker, now_s)
        self._leased[trial.id] = self.workers[worker].leases[trial.id] = leased
        self._lessees.setdefault(trial.id, set()).add(worker)

    def mark_sent(self, trial: TrialId) -> None:
        """Note that the lease of this trial is being sent to its worker."""
        self._leased[trial].was_sent = True

    def may_report(self, trial: TrialId, worker: PeerId) -> bool:
        """Whether a worker's result counts: it has or had the trial, or no known worker had."""
        return worker in self._lessees.get(trial, {worker})

    def holds(self, trial: TrialId, worker: PeerId) -> bool:
        """Whether the worker has the trial now."""
        leased = self._leased.get(trial)
        return leased is not None and leased.worker == worker

    def num_leased(self, worker: PeerId) -> int:
        """Number of trials the worker has, including those not sent yet."""
        return len(self.workers[worker].leases)

    def end_lease(self, trial: TrialId, duration_s: float) -> None:
        """A trial has its result: it is no longer leased, and no longer waits."""
        leased = self._leased.get(trial)
        if leased is None:
            self.waiting = deque(t for t in self.waiting if t.id != trial)
            return
        self._forget(leased)
        worker = self.workers.get(leased.worker)
        if worker is not None:
            old_s = worker.duration_s
            worker.duration_s = duration_s if old_s is None else 0.8 * old_s + 0.2 * duration_s

    def lose_worker(self, peer: PeerId) -> list[LeasedTrial]:
        """A worker is gone; return the leases lost with it."""
        worker = self.workers.pop(peer, None)
        if worker is None:
            return []
        lost = list(worker.leases.values())
        self._take_away(worker, lost)
        return lost

    def put_back(self, leased: LeasedTrial) -> None:
        """A lease was lost: the trial waits again, before all others."""
        self.waiting.appendleft(leased.trial)
        self.attempts[leased.trial.id] += leased.was_sent

    def add_waiting(self, trials: Iterable[Trial]) -> list[Trial]:
        """Let those of these trials wait that are neither leased nor waiting; return them."""
        waiting = {trial.id for trial in self.waiting}
        added = [t for t in trials if t.id not in self._leased and t.id not in waiting]
        self.waiting.extend(added)
        return added

    def take_waiting(self, peer: PeerId, losses: Mapping[TrialId, Sized]) -> Trial | None:
        """Take the first waiting trial that this worker may get; None if there is none.

        A suspect trial may have ended several workers. It does not run at the coordinator while
        other workers have slots, because the coordinator's death costs the study more.

        Args:
            peer: The worker.
            losses: The known workers lost with each trial.
        """
        for place, trial in enumerate(self.waiting):
            is_suspect = len(losses.get(trial.id, ())) >= SUSPECT_LOSSES
            if not is_suspect or peer != self._me or self._works_alone():
                del self.waiting[place]
                return trial
        return None

    def is_cut_off(self, peer: PeerId, now_s: float) -> bool:
        """Whether the coordinator hears no worker at all, rather than only not this one.

        In that case all others fell silent together with it, the last a moment before or after.
        """
        limit_s = CUT_OFF_HEARTBEATS * self._spec.heartbeat_s
        window_s = self._spec.lease_s + limit_s
        self._heard_s = {p: s for p, s in self._heard_s.items() if now_s - s <= window_s}
        others_s = [s for p, s in self._heard_s.items() if p not in {peer, self._me}]
        return bool(others_s) and now_s - max(others_s) > limit_s

    def silent_workers(self, now_s: float) -> list[PeerId]:
        """Workers whose leases expired: three heartbeats missed, and time for one on its way."""
        limit_s = self._spec.lease_s + self._spec.heartbeat_s / 2
        return [peer for peer, w in self.workers.items() if now_s - w.heard_s > limit_s]

    def unconfirmed(self, now_s: float) -> Iterator[LeasedTrial]:
        """Leases to send again: they should have been confirmed by now."""
        limit_s = UNCONFIRMED_HEARTBEATS * self._spec.heartbeat_s
        for leased in self._leased.values():
            if not leased.was_confirmed and now_s - leased.sent_s > limit_s:
                leased.sent_s = now_s
                yield leased

    def vacancies(self, num_left: float) -> list[PeerId]:
        """The worker of each trial that should be leased now, the least busy worker first.

        Args:
            num_left: Number of trials still to be leased; infinite if unknown.
        """
        able = {peer: w for peer, w in self.workers.items() if w.slots}
        if not able:
            return []
        num_slots = sum(worker.slots for worker in able.values())
        share = math.ceil(num_left / (2 * num_slots)) if num_left < 1e9 else 1e9
        turns: list[tuple[float, PeerId]] = []
        for peer, worker in able.items():
            depth = max(1, min(self._depth(peer, worker), share))
            places = range(len(worker.leases), int(worker.slots * depth))
            turns.extend((place / worker.slots, peer) for place in places)
        return [peer for _, peer in sorted(turns)]

    def members(self) -> list[PeerId]:
        """The coordinator, and the workers that may succeed it."""
        return sorted({self._me, *(p for p, w in self.workers.items() if w.coordinates)})

    def _depth(self, peer: PeerId, worker: KnownWorker) -> int:
        """Number of trials each slot of this worker should have."""
        if worker.duration_s is None:
            return DEPTH_MIN
        turnaround_s = TURNAROUND_HERE_S if peer == self._me else TURNAROUND_S
        depth = 1 + math.ceil(turnaround_s / max(worker.duration_s, 1e-3))
        return max(DEPTH_MIN, min(depth, DEPTH_MAX, self._lookahead_max))

    def _works_alone(self) -> bool:
        return not any(w.slots for peer, w in self.workers.items() if peer != self._me)

    def _take_away(self, worker: KnownWorker, lost: list[LeasedTrial]) -> None:
        sent = [leased for leased in worker.leases.values() if leased.was_sent]
        for leased in sent[: worker.slots]:
            leased.may_have_run = True
        for leased in lost:
            self._forget(leased)

    def _forget(self, leased: LeasedTrial) -> None:
        del self._leased[leased.trial.id]
        worker = self.workers.get(leased.worker)
        if worker is not None:
            worker.leases.pop(leased.trial.id, None)
