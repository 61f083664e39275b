"""Leases: which worker has which trials, how many more each should have, and what was lost."""

import math
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, field

from swarm.core.ids import PeerId
from swarm.search.messages import WorkerHeartbeat
from swarm.search.study import StudySpec
from swarm.search.trial import Trial, TrialId

TURNAROUND_S = 0.5
"""A result on its way, and the next lease back, batches and busy machines included."""
TURNAROUND_HERE_S = 0.05
"""The same at the coordinator's own worker."""
DEPTH_MIN = 2
"""Trials a slot should have: one that runs, and one that waits."""
DEPTH_MAX = 64
UNSEEN_AFTER = 2.5
"""So many heartbeats after a lease was sent without being confirmed it is sent again."""
MISSING_MAX = 2
"""Beats in a row without a trial that the worker had confirmed: it lost it, by a restart, say."""

CUT_OFF_AFTER = 2.0
"""So many heartbeats without any worker's."""
SUSPECT_FROM = 2
"""So many workers that were lost with a trial hardly were by chance."""


@dataclass(slots=True)
class KnownWorker:
    """What the coordinator knows of a worker."""

    slots: int
    coordinates: bool
    heard_s: float
    duration_s: float | None = None
    """Of its trials, a moving average."""
    synced: bool = False
    """Whether its ledger equals ours, as of its last beat."""
    leases: dict[TrialId, "LeasedTrial"] = field(default_factory=dict)


@dataclass(slots=True)
class LeasedTrial:
    """One lease."""

    trial: Trial
    worker: PeerId
    sent_s: float
    told: bool = False
    """Whether it was sent to the worker."""
    seen: bool = False
    """Whether the worker confirmed it."""
    missing: int = 0
    """Beats in a row without it, since."""
    was_next: bool = False
    """Once it is lost: whether the worker may have been running it: it begins about in order."""


class Leases:
    """The coordinator's book of workers and leases.

    Invariants:
        A trial is with one worker, or waits, or neither; never two of these.
        Only trials without a result are here.
    """

    def __init__(self, spec: StudySpec, me: PeerId, lookahead_max: int) -> None:
        self.workers: dict[PeerId, KnownWorker] = {}
        self.waiting: deque[Trial] = deque()
        """Trials to be lent out; those that were lost come first."""
        self.attempts: Counter[TrialId] = Counter()
        """How many leases of a trial were lost that its worker was told of."""
        self._spec = spec
        self._me = me
        self._lookahead_max = lookahead_max
        self._heard_s: dict[PeerId, float] = {}
        """When workers were heard, those that were lost of late among them."""
        self._leased: dict[TrialId, LeasedTrial] = {}
        self._lessees: dict[TrialId, set[PeerId]] = {}

    def hear(self, heartbeat: WorkerHeartbeat, synced: bool, now_s: float) -> list[LeasedTrial]:
        """Take in a worker's beat; return the leases it lost."""
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
            leased.seen = leased.seen or leased.trial.id in held
            leased.missing = (
                leased.missing + 1 if leased.seen and leased.trial.id not in held else 0
            )
        lost = [leased for leased in worker.leases.values() if leased.missing >= MISSING_MAX]
        self._take_away(worker, lost)
        return lost

    def claim(self, trial: Trial, worker: PeerId, now_s: float) -> bool:
        """A worker says it has a trial: believe it, if nobody else was lent it here."""
        if trial.id in self._leased or self._lessees.get(trial.id, set()) - {worker}:
            return False
        if trial in self.waiting:
            self.waiting.remove(trial)
        self.lease(trial, worker, now_s)
        leased = self._leased[trial.id]
        leased.told = leased.seen = True
        return True

    def lease(self, trial: Trial, worker: PeerId, now_s: float) -> None:
        """Lend a trial that does not wait any more."""
        leased = LeasedTrial(trial, worker, now_s)
        self._leased[trial.id] = self.workers[worker].leases[trial.id] = leased
        self._lessees.setdefault(trial.id, set()).add(worker)

    def tell(self, trial: TrialId) -> None:
        """The worker is being told that it has the trial."""
        self._leased[trial].told = True

    def may_tell(self, trial: TrialId, worker: PeerId) -> bool:
        """Whether a worker's word on a trial counts: it has or had it, or nobody is known to."""
        return worker in self._lessees.get(trial, {worker})

    def holds(self, trial: TrialId, worker: PeerId) -> bool:
        """Whether the worker has the trial now."""
        leased = self._leased.get(trial)
        return leased is not None and leased.worker == worker

    def num_leased(self, worker: PeerId) -> int:
        """How many trials the worker has, told or not."""
        return len(self.workers[worker].leases)

    def is_leased(self, trial: TrialId) -> bool:
        """Whether anybody has the trial now."""
        return trial in self._leased

    def end(self, trial: TrialId, duration_s: float | None = None) -> None:
        """A trial has its result: it is no longer lent, nor does it wait."""
        leased = self._leased.get(trial)
        if leased is not None:
            self._forget(leased)
            worker = self.workers.get(leased.worker)
            if worker is not None and duration_s is not None:
                old_s = worker.duration_s
                worker.duration_s = duration_s if old_s is None else 0.8 * old_s + 0.2 * duration_s
        else:
            self.waiting = deque(t for t in self.waiting if t.id != trial)

    def lose(self, peer: PeerId) -> list[LeasedTrial]:
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
        self.attempts[leased.trial.id] += leased.told

    def next_for(self, peer: PeerId, losses: Mapping[TrialId, Sized]) -> Trial | None:
        """Take the first waiting trial that the worker may be lent; None if there is none.

        While others can work, what may have ended several workers does not run beside the
        coordinator, whose death costs the study more.

        Args:
            peer: The worker.
            losses: Of trials, what is known of workers lost with them.
        """
        for place, trial in enumerate(self.waiting):
            is_suspect = len(losses.get(trial.id, ())) >= SUSPECT_FROM
            if not is_suspect or peer != self._me or self._works_alone():
                del self.waiting[place]
                return trial
        return None

    def is_cut_off(self, peer: PeerId, now_s: float) -> bool:
        """Whether it is rather we who hear nobody, not only this worker that fell silent.

        Then all others fell silent with it, the last of them a moment before or after it.
        """
        limit_s = CUT_OFF_AFTER * self._spec.heartbeat_s
        window_s = self._spec.lease_s + limit_s
        self._heard_s = {p: s for p, s in self._heard_s.items() if now_s - s <= window_s}
        others_s = [s for p, s in self._heard_s.items() if p not in {peer, self._me}]
        return bool(others_s) and now_s - max(others_s) > limit_s

    def silent(self, now_s: float) -> list[PeerId]:
        """Workers whose leases expired."""
        limit_s = (
            self._spec.lease_s + self._spec.heartbeat_s / 2
        )  # three beats, and one on its way
        return [peer for peer, w in self.workers.items() if now_s - w.heard_s > limit_s]

    def unconfirmed(self, now_s: float) -> Iterator[LeasedTrial]:
        """Leases that should have been confirmed by now; each once in a while."""
        limit_s = UNSEEN_AFTER * self._spec.heartbeat_s
        for leased in self._leased.values():
            if not leased.seen and now_s - leased.sent_s > limit_s:
                leased.sent_s = now_s
                yield leased

    def rooms(self, rest: float) -> list[PeerId]:
        """Workers that should have one more trial each, the least busy first; with repeats.

        Args:
            rest: Trials still to be lent out; infinite if nobody knows.
        """
        able = {peer: w for peer, w in self.workers.items() if w.slots}
        if not able:
            return []
        # Towards the end nobody should wait for trials that wait in somebody's queue.
        share = math.ceil(rest / (2 * sum(w.slots for w in able.values()))) if rest < 1e9 else 1e9
        turns: list[tuple[float, PeerId]] = []
        for peer, worker in able.items():
            depth = max(1, min(self._depth(peer, worker), share))
            places = range(len(worker.leases), int(worker.slots * depth))
            turns.extend((place / worker.slots, peer) for place in places)
        return [peer for _, peer in sorted(turns)]

    def members(self) -> Iterable[PeerId]:
        """Workers that may succeed the coordinator, and the coordinator."""
        return sorted({self._me, *(p for p, w in self.workers.items() if w.coordinates)})

    def _depth(self, peer: PeerId, worker: KnownWorker) -> int:
        if worker.duration_s is None:
            return DEPTH_MIN
        turnaround_s = TURNAROUND_HERE_S if peer == self._me else TURNAROUND_S
        depth = 1 + math.ceil(turnaround_s / max(worker.duration_s, 1e-3))
        return max(DEPTH_MIN, min(depth, DEPTH_MAX, self._lookahead_max))

    def _works_alone(self) -> bool:
        return not any(w.slots for peer, w in self.workers.items() if peer != self._me)

    def _take_away(self, worker: KnownWorker, lost: list[LeasedTrial]) -> None:
        told = [leased for leased in worker.leases.values() if leased.told]
        for leased in told[: worker.slots]:
            leased.was_next = True
        for leased in lost:
            self._forget(leased)

    def _forget(self, leased: LeasedTrial) -> None:
        del self._leased[leased.trial.id]
        worker = self.workers.get(leased.worker)
        if worker is not None:
            worker.leases.pop(leased.trial.id, None)
