"""Messages between the peers of a study, accepted only from senders that libp2p authenticated."""

from dataclasses import dataclass

from swarm.core.blobs import BlobRef
from swarm.core.ids import PeerId
from swarm.core.machine import Event
from swarm.core.message_kinds import MessageKind
from swarm.search.study import NOBODY, StudyId, StudySpec
from swarm.search.study_ledger import Entry
from swarm.search.trial import Trial, TrialId, TrialReport, TrialResult, check_trial_id

MEMBERS_MAX = 256
SLOTS_MAX = 256
HELD_MAX = 2048
"""Most trials that one peer may hold."""
BATCH_MAX = 256
"""Most leases, results, reports or entries in one message."""
HOLDERS_MAX = 8
"""Most holders of a checkpoint that a lease names."""


@dataclass(frozen=True, slots=True)
class StudyQuery(Event):
    """`sender` asks which studies exist."""

    sender: PeerId


@dataclass(frozen=True, slots=True)
class StudyOffer(Event):
    """`sender` knows this study and its coordinator."""

    sender: PeerId
    spec: StudySpec
    term: int
    coordinator: PeerId
    closed: bool
    """Whether the study is over; if so, `sender` has the whole ledger."""

    def __post_init__(self) -> None:
        if self.spec.submitter == NOBODY:
            raise ValueError("the study must name its submitter")
        _check_term(self.term)


@dataclass(frozen=True, slots=True)
class CoordinatorHeartbeat(Event):
    """`sender` coordinates in this term; peers follow the greatest (term, sender) they hear."""

    study: StudyId
    sender: PeerId
    term: int
    length: int
    """Number of entries in its ledger."""
    checksum: int
    """Checksum of its ledger."""
    elapsed_s: float
    """How long the study has been running."""
    members: tuple[PeerId, ...]
    """Peers that may succeed it."""
    unsynced: int
    """Number of workers whose ledgers are not known to equal its own."""

    def __post_init__(self) -> None:
        _check_term(self.term)
        _check_ledger(self.length, self.checksum)
        if not 0 <= self.elapsed_s < float("inf"):
            raise ValueError(f"elapsed_s must be finite and at least 0, got {self.elapsed_s}")
        if len(self.members) > MEMBERS_MAX or self.unsynced < 0:
            raise ValueError(f"members must have at most {MEMBERS_MAX} entries")


@dataclass(frozen=True, slots=True)
class WorkerHeartbeat(Event):
    """`sender` is alive and holds these trials: they wait, run or have an unrecorded result."""

    study: StudyId
    sender: PeerId
    term: int
    """Term of the coordinator it follows."""
    slots: int
    """Number of trials it executes at once; 0 if it only watches."""
    coordinates: bool
    """Whether it may succeed the coordinator."""
    held: tuple[TrialId, ...]
    length: int
    checksum: int

    def __post_init__(self) -> None:
        _check_term(self.term)
        _check_ledger(self.length, self.checksum)
        if not 0 <= self.slots <= SLOTS_MAX:
            raise ValueError(f"slots must be in [0, {SLOTS_MAX}], got {self.slots}")
        if len(self.held) > HELD_MAX:
            raise ValueError(f"held must have at most {HELD_MAX} entries")
        for trial in self.held:
            check_trial_id(trial)


@dataclass(frozen=True, slots=True)
class Lease:
    """A trial that one worker shall execute."""

    trial: Trial
    attempt: int = 0
    """Number of earlier leases of it that were sent and lost."""
    checkpoint: BlobRef | None = None
    """State of an earlier attempt, to resume from."""
    holders: tuple[PeerId, ...] = ()
    """Peers that may have the checkpoint."""

    def __post_init__(self) -> None:
        if self.attempt < 0:
            raise ValueError(f"attempt must be at least 0, got {self.attempt}")
        if len(self.holders) > HOLDERS_MAX:
            raise ValueError(f"holders must have at most {HOLDERS_MAX} entries")


@dataclass(frozen=True, slots=True)
class Leases(Event):
    """The coordinator leases trials to one worker."""

    study: StudyId
    sender: PeerId
    term: int
    leases: tuple[Lease, ...]

    def __post_init__(self) -> None:
        _check_term(self.term)
        _check_batch("leases", self.leases)


@dataclass(frozen=True, slots=True)
class StopTrials(Event):
    """The coordinator asks a worker to end these trials where they are."""

    study: StudyId
    sender: PeerId
    term: int
    trials: tuple[TrialId, ...]

    def __post_init__(self) -> None:
        _check_term(self.term)
        _check_batch("trials", self.trials)


@dataclass(frozen=True, slots=True)
class WorkerNews(Event):
    """A worker sends the coordinator reports and results of trials."""

    study: StudyId
    sender: PeerId
    reports: tuple[TrialReport, ...]
    results: tuple[TrialResult, ...]

    def __post_init__(self) -> None:
        _check_batch("reports", self.reports)
        _check_batch("results", self.results)
        peers = {report.peer for report in self.reports} | {r.peer for r in self.results}
        if peers - {self.sender}:
            raise ValueError("reports and results must be the sender's own")


@dataclass(frozen=True, slots=True)
class StudyLedgerPage(Event):
    """Entries of the sender's ledger from `start` on; published when new, sent on request."""

    study: StudyId
    sender: PeerId
    term: int
    start: int
    entries: tuple[Entry, ...]
    length: int
    """Number of entries in the whole ledger."""

    def __post_init__(self) -> None:
        _check_term(self.term)
        _check_batch("entries", self.entries)
        if not 0 <= self.start <= self.length - len(self.entries):
            raise ValueError(f"start must be in the ledger of {self.length}, got {self.start}")


@dataclass(frozen=True, slots=True)
class StudyLedgerRequest(Event):
    """`sender` requests the page that begins at `start`."""

    study: StudyId
    sender: PeerId
    start: int

    def __post_init__(self) -> None:
        if self.start < 0:
            raise ValueError(f"start must be at least 0, got {self.start}")


@dataclass(frozen=True, slots=True)
class MissingEntries(Event):
    """Entries that the coordinator seems to lack."""

    study: StudyId
    sender: PeerId
    term: int
    entries: tuple[Entry, ...]

    def __post_init__(self) -> None:
        _check_term(self.term)
        _check_batch("entries", self.entries)


@dataclass(frozen=True, slots=True)
class CancelStudy(Event):
    """`sender` wants the study to end now; repeated until the ledger is closed."""

    study: StudyId
    sender: PeerId


@dataclass(frozen=True, slots=True)
class LeaveStudy(Event):
    """`sender` leaves the study on purpose."""

    study: StudyId
    sender: PeerId


MESSAGE_KINDS = (
    MessageKind("study?", StudyQuery),
    MessageKind("study", StudyOffer),
    MessageKind("study-coordinator", CoordinatorHeartbeat),
    MessageKind("study-worker", WorkerHeartbeat),
    MessageKind("study-leases", Leases),
    MessageKind("study-stop", StopTrials),
    MessageKind("study-news", WorkerNews),
    MessageKind("study-ledger", StudyLedgerPage),
    MessageKind("study-ledger?", StudyLedgerRequest),
    MessageKind("study-missing", MissingEntries),
    MessageKind("study-cancel", CancelStudy),
    MessageKind("study-leave", LeaveStudy),
)
"""What the wire must know of these messages; docs/search.md has the same table."""


def _check_term(term: int) -> None:
    if not 0 <= term < 2**53:
        raise ValueError(f"term must be in [0, 2**53), got {term}")


def _check_ledger(length: int, checksum: int) -> None:
    if length < 0 or not 0 <= checksum < 2**64:
        raise ValueError("length must be at least 0, checksum in [0, 2**64)")


def _check_batch(name: str, items: tuple[object, ...]) -> None:
    if len(items) > BATCH_MAX:
        raise ValueError(f"{name} must have at most {BATCH_MAX} entries, got {len(items)}")
