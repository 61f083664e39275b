"""StudyCounts: the progress of a study, counted entry by entry."""

from collections import Counter
from dataclasses import dataclass
from itertools import islice

from swarm.core.ids import PeerId
from swarm.search.study import StudySpec
from swarm.search.study_ledger import DONE, Entry, Recorded, Reported, StudyLedger
from swarm.search.trial import COMPLETE, FAILED, Trial, TrialId, TrialResult

RUNNING = "running"
HISTORY_MAX = 1000
"""Most trials shown one by one: those that were asked for last."""
WORKERS_MAX = 256


@dataclass(frozen=True, slots=True)
class TrialView:
    """One trial, as its history shows it."""

    number: int
    state: str
    """`running` (it may still wait at its worker), or the state of its result: `trial.STATES`."""
    value: float | None
    peer: PeerId | None
    """The peer that ran it, or that last reported on it; None if no peer has."""


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A peer that runs trials or ran some."""

    peer: PeerId
    trial: int | None
    """Number of its newest reported trial without a result; None if it reported on none."""
    num_done: int
    """Number of its results, including failures."""


@dataclass(frozen=True, slots=True)
class StudyView:
    """The state of a study at one moment."""

    spec: StudySpec
    closed: str
    """`done`, `cancelled` or `failed`; empty while the study runs."""
    complete: bool
    """Whether the whole ledger was read."""
    num_trials: int
    """Number of trials in all, as far as it is known."""
    num_running: int
    """Trials asked for that have no result."""
    num_done: int
    """Trials with a value: complete and pruned ones."""
    num_failed: int
    best: tuple[Trial, TrialResult] | None
    history: tuple[TrialView, ...]
    """By number; at most `HISTORY_MAX`."""
    workers: tuple[WorkerView, ...]


class StudyCounts:
    """Counts a ledger's entries one by one, so that a view costs little for any number of them.

    Invariant: the counts are those of the entries that `count` was given.
    """

    def __init__(self, ledger: StudyLedger) -> None:
        self._ledger = ledger
        self._results: dict[TrialId, TrialResult] = {}
        self._runners: dict[TrialId, PeerId] = {}
        """The peer that last reported on each trial without a result."""
        self._states: Counter[str] = Counter()
        self._done_by: Counter[PeerId] = Counter()
        self._best: TrialResult | None = None
        for entry in ledger.entries:
            self.count(entry)

    def count(self, entry: Entry) -> None:
        """Count an entry that was added to the ledger or replaced another."""
        match entry:
            case Reported(report) if report.trial not in self._results:
                self._runners[report.trial] = report.peer
            case Recorded(result):
                self._record(result)

    def view(self, members: tuple[PeerId, ...], *, complete: bool) -> StudyView:
        """Make a view of the study as it is now.

        Args:
            members: Peers that take part, as the coordinator says.
            complete: Whether the whole ledger was read.
        """
        ledger = self._ledger
        num_failed = self._states[FAILED]
        best = self._best
        return StudyView(
            ledger.spec,
            ledger.closed.reason if ledger.closed is not None else "",
            complete,
            self._num_trials(),
            len(ledger.trials) - len(self._results),
            len(self._results) - num_failed,
            num_failed,
            (ledger.trials[best.trial], best) if best is not None else None,
            self._history(),
            self._workers(members if ledger.closed is None else ()),
        )

    def _num_trials(self) -> int:
        ledger = self._ledger
        if ledger.closed is not None and ledger.closed.reason == DONE:
            return len(ledger.trials)  # the strategy may have had fewer than wanted
        return max(ledger.spec.num_trials, len(ledger.trials))

    def _record(self, result: TrialResult) -> None:
        former = self._results.get(result.trial)
        self._results[result.trial] = result
        self._runners.pop(result.trial, None)
        self._states[result.state] += 1
        self._done_by[result.peer] += 1
        if former is not None:
            self._states[former.state] -= 1
            self._done_by[former.peer] -= 1
        if former is not None and former is self._best:
            self._best = self._ledger.best
        elif result.state == COMPLETE and (
            self._best is None or self._ledger.beats(result, self._best)
        ):
            self._best = result

    def _history(self) -> tuple[TrialView, ...]:
        newest = islice(reversed(self._ledger.trials.values()), HISTORY_MAX)
        return tuple(map(self._trial_view, sorted(newest, key=lambda t: (t.number, t.id))))

    def _trial_view(self, trial: Trial) -> TrialView:
        result = self._results.get(trial.id)
        if result is None:
            return TrialView(trial.number, RUNNING, None, self._runners.get(trial.id))
        return TrialView(trial.number, result.state, result.value, result.peer)

    def _workers(self, members: tuple[PeerId, ...]) -> tuple[WorkerView, ...]:
        running = {
            peer: self._ledger.trials[trial].number for trial, peer in self._runners.items()
        }
        done = (peer for peer, count in self._done_by.most_common() if count)
        peers = dict.fromkeys((*members, *running, *done))
        return tuple(
            WorkerView(peer, running.get(peer), self._done_by[peer])
            for peer in islice(peers, WORKERS_MAX)
        )
