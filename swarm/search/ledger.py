"""Ledger: every trial, report and result of a study, the same at every peer in the end."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from swarm.core.canonical import digest_of
from swarm.core.ids import PeerId
from swarm.search.study import StudySpec
from swarm.search.trial import COMPLETE, Trial, TrialId, TrialReport, TrialResult

DONE, CANCELLED = REASONS = ("done", "cancelled")


@dataclass(frozen=True, slots=True)
class Asked:
    """A proposer asked for this trial."""

    trial: Trial


@dataclass(frozen=True, slots=True)
class Reported:
    """An epoch of a trial was reported."""

    report: TrialReport


@dataclass(frozen=True, slots=True)
class Recorded:
    """The first result of a trial."""

    result: TrialResult


@dataclass(frozen=True, slots=True)
class Closed:
    """The study is over; what is still under way does not count."""

    reason: str
    """`done` or `cancelled`."""
    peer: PeerId

    def __post_init__(self) -> None:
        if self.reason not in REASONS:
            raise ValueError(f"reason must be one of {', '.join(REASONS)}, got {self.reason!r}")


Entry = Asked | Reported | Recorded | Closed
EntryKey = tuple[str, TrialId, int, int]


def entry_key(entry: Entry) -> EntryKey:
    """What there is one of in a ledger."""
    match entry:
        case Asked(trial):
            return ("asked", trial.id, 0, 0)
        case Reported(report):
            return ("reported", report.trial, report.point.fold, report.point.epoch)
        case Recorded(result):
            return ("recorded", result.trial, 0, 0)
        case Closed():
            return ("closed", TrialId(""), 0, 0)


class Ledger:
    """Entries in the order in which this peer took them in.

    Invariants:
        At most one entry of each key; the first one stays.
        A report or a result comes after its trial.
        After a trial's result there are no reports of it, after `Closed` nothing.
    """

    def __init__(self, spec: StudySpec, entries: Iterable[Entry] = ()) -> None:
        self.spec = spec
        self.entries: list[Entry] = []
        self.trials: dict[TrialId, Trial] = {}
        self.results: dict[TrialId, TrialResult] = {}
        self.reports: dict[TrialId, list[TrialReport]] = {}
        self.closed: Closed | None = None
        self.checksum = 0
        """Sum of the entries' digests modulo 2**64: equal for equal sets, whatever their order."""
        self._digests: dict[EntryKey, int] = {}
        for entry in entries:
            self.add(entry)

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, entry: Entry) -> bool:
        return entry_key(entry) in self._digests

    def add(self, entry: Entry) -> bool:
        """Take in an entry; say whether it was new and allowed."""
        key = entry_key(entry)
        if key in self._digests or not self._allows(entry):
            return False
        match entry:
            case Asked(trial):
                self.trials[trial.id] = trial
            case Reported(report):
                self.reports.setdefault(report.trial, []).append(report)
            case Recorded(result):
                self.results[result.trial] = result
            case Closed():
                self.closed = entry
        number = int(digest_of(entry)[:16], 16)
        self._digests[key] = number
        self.checksum = (self.checksum + number) % 2**64
        self.entries.append(entry)
        return True

    def missing(self, others: Iterable[Entry]) -> Iterator[Entry]:
        """Entries of mine whose keys are not among `others`."""
        keys = {entry_key(entry) for entry in others}
        return (entry for entry in self.entries if entry_key(entry) not in keys)

    @property
    def open_trials(self) -> list[Trial]:
        """Trials without a result, by number."""
        rest = (trial for trial in self.trials.values() if trial.id not in self.results)
        return sorted(rest, key=lambda trial: (trial.number, trial.id))

    @property
    def best(self) -> TrialResult | None:
        """The complete result with the best value; of equals the first trial's."""
        best: TrialResult | None = None
        for result in self.results.values():
            if result.state == COMPLETE and (best is None or self._beats(result, best)):
                best = result
        return best

    def checkpoint(self, trial: TrialId) -> TrialReport | None:
        """The newest report of a trial with a checkpoint."""
        with_one = (r for r in self.reports.get(trial, ()) if r.checkpoint is not None)
        return max(with_one, key=lambda r: (r.point.fold, r.point.epoch), default=None)

    def _beats(self, result: TrialResult, best: TrialResult) -> bool:
        value, other = result.value or 0.0, best.value or 0.0
        if value == other:
            return self.trials[result.trial].number < self.trials[best.trial].number
        return self.spec.is_better(value, other)

    def _allows(self, entry: Entry) -> bool:
        if self.closed is not None:
            return False
        match entry:
            case Asked(trial):
                return trial.study == self.spec.id
            case Reported(report):
                return report.trial in self.trials and report.trial not in self.results
            case Recorded(result):
                return result.trial in self.trials
            case Closed():
                return True
