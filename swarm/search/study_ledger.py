"""StudyLedger: every trial, report, loss and result of a study; in the end the same everywhere.

A ledger is a set of entries with at most one entry per key. The only rule of order is that a trial
comes before its reports, losses and result. So two peers can exchange entries in any order and end
with the same keys. Where both have an entry of one key, the entry of the coordinator with the
greater term stays (`adopt`).

The checksum is the sum over the entries, modulo 2**64, of a 64-bit digest of (key, entry). It
depends on the set and not on the order, and an added or replaced entry changes it in constant
time. Ledgers of equal length and checksum count as equal. Everything else here (`results`,
`losses`, `next_number`, ...) is an index of the entries.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from swarm.core.canonical import digest_of
from swarm.core.ids import PeerId
from swarm.search.study import StudySpec
from swarm.search.trial import COMPLETE, ERROR_LENGTH_MAX, Trial, TrialId, TrialReport, TrialResult

DONE, CANCELLED, FAILED = REASONS = ("done", "cancelled", "failed")
LOSSES_MAX = 5
"""A trial that may have been running at this many lost workers is recorded as failed."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A coordinator asked for this trial."""

    trial: Trial


@dataclass(frozen=True, slots=True)
class Reported:
    """A worker reported an epoch of a trial."""

    report: TrialReport


@dataclass(frozen=True, slots=True)
class Lost:
    """A worker was lost while it may have been running this trial, perhaps because of it."""

    trial: TrialId
    number: int
    """Counts the trial's losses, from 1."""
    worker: PeerId

    def __post_init__(self) -> None:
        if not 1 <= self.number <= LOSSES_MAX:
            raise ValueError(f"number must be between 1 and {LOSSES_MAX}, got {self.number}")


@dataclass(frozen=True, slots=True)
class Recorded:
    """The first result of a trial."""

    result: TrialResult


@dataclass(frozen=True, slots=True)
class Closed:
    """The study is over: its coordinator records nothing more."""

    reason: str
    """`done`, `cancelled`, or `failed`."""
    peer: PeerId
    error: str = ""
    """The reason of a failure."""

    def __post_init__(self) -> None:
        if len(self.error) > ERROR_LENGTH_MAX:
            raise ValueError(f"error must have at most {ERROR_LENGTH_MAX} characters")
        if self.reason not in REASONS:
            raise ValueError(f"reason must be one of {', '.join(REASONS)}, got {self.reason!r}")


Entry = Asked | Reported | Lost | Recorded | Closed
EntryKey = tuple[str, TrialId, int, int]


def entry_key(entry: Entry) -> EntryKey:
    """The key of an entry; a ledger has at most one entry of each key."""
    match entry:
        case Asked(trial):
            return ("asked", trial.id, 0, 0)
        case Reported(report):
            return ("reported", report.trial, report.point.fold, report.point.epoch)
        case Lost(trial_id, number):
            return ("lost", trial_id, number, 0)
        case Recorded(result):
            return ("recorded", result.trial, 0, 0)
        case Closed():
            return ("closed", TrialId(""), 0, 0)


class StudyLedger:
    """Entries in the order in which this peer added them.

    Invariants:
        There is at most one entry of each key.
        A report, a loss or a result comes after its trial.
    """

    def __init__(self, spec: StudySpec, entries: Iterable[Entry] = ()) -> None:
        self.spec = spec
        self.entries: list[Entry] = []
        self.trials: dict[TrialId, Trial] = {}
        self.results: dict[TrialId, TrialResult] = {}
        self.reports: dict[TrialId, dict[tuple[int, int], TrialReport]] = {}
        """Reports of each trial, by fold and epoch."""
        self.losses: dict[TrialId, dict[int, PeerId]] = {}
        """Workers lost with each trial, by the number of the loss."""
        self.closed: Closed | None = None
        self.checksum = 0
        """Sum of the entries' digests modulo 2**64: equal for equal sets in any order."""
        self._places: dict[EntryKey, int] = {}
        self._numbers: set[int] = set()
        self._next_number = 0
        for entry in entries:
            self.add(entry)

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, entry: Entry) -> bool:
        return entry_key(entry) in self._places

    def add(self, entry: Entry) -> bool:
        """Add an entry, unless there is one of its key; return whether it was added."""
        key = entry_key(entry)
        if key in self._places or not self._allows(entry):
            return False
        self._places[key] = len(self.entries)
        self.entries.append(entry)
        self._apply(entry)
        self.checksum = (self.checksum + _number(entry)) % 2**64
        return True

    def adopt(self, entry: Entry) -> bool:
        """Add an entry, or replace the one of its key; return whether that changed anything.

        For entries of a coordinator. Two coordinators that did not know of each other may have
        recorded different results of one trial; the result of the greater term stays.
        """
        place = self._places.get(entry_key(entry))
        if place is None:
            return self.add(entry)
        former = self.entries[place]
        if former == entry:
            return False
        self.entries[place] = entry
        self._apply(entry)
        self.checksum = (self.checksum + _number(entry) - _number(former)) % 2**64
        return True

    @property
    def next_number(self) -> int:
        """The least number that no trial has. A trial that was lost leaves a gap."""
        return self._next_number

    @property
    def open_trials(self) -> list[Trial]:
        """Trials without a result, by number."""
        rest = (trial for trial in self.trials.values() if trial.id not in self.results)
        return sorted(rest, key=lambda trial: (trial.number, trial.id))

    @property
    def best(self) -> TrialResult | None:
        """The complete result with the best value; among equal ones, that of the first trial."""
        best: TrialResult | None = None
        for result in self.results.values():
            if result.state == COMPLETE and (best is None or self.beats(result, best)):
                best = result
        return best

    def checkpoint(self, trial: TrialId) -> TrialReport | None:
        """The newest report of a trial that has a checkpoint."""
        reports = self.reports.get(trial, {})
        with_one = (key for key, report in reports.items() if report.checkpoint is not None)
        newest = max(with_one, default=None)
        return reports[newest] if newest is not None else None

    def beats(self, result: TrialResult, best: TrialResult) -> bool:
        """Whether a complete result is better than another, or equal and of an earlier trial."""
        value, other = result.value or 0.0, best.value or 0.0
        if value == other:
            return self.trials[result.trial].number < self.trials[best.trial].number
        return self.spec.is_better(value, other)

    def _allows(self, entry: Entry) -> bool:
        match entry:
            case Asked(trial):
                return trial.study == self.spec.id
            case Reported(report):
                return report.trial in self.trials
            case Lost(trial_id):
                return trial_id in self.trials
            case Recorded(result):
                return result.trial in self.trials
            case Closed():
                return True

    def _apply(self, entry: Entry) -> None:
        match entry:
            case Asked(trial):
                self.trials[trial.id] = trial
                self._numbers.add(trial.number)
                while self._next_number in self._numbers:
                    self._next_number += 1
            case Reported(report):
                reports = self.reports.setdefault(report.trial, {})
                reports[report.point.fold, report.point.epoch] = report
            case Lost(trial_id, number, worker):
                self.losses.setdefault(trial_id, {})[number] = worker
            case Recorded(result):
                self.results[result.trial] = result
            case Closed():
                self.closed = entry


def _number(entry: Entry) -> int:
    return int(digest_of((entry_key(entry), entry))[:16], 16)
