"""Messages: announcements, requests and answers of federated training.

Except for signed records, a message is believed only of its sender, as libp2p authenticated it.
"""

from dataclasses import dataclass, field

from swarm.commanding.commands import COMMANDS_MAX
from swarm.core.blobs import BlobRef
from swarm.core.data_summary import DataSummary
from swarm.core.ids import Digest, PeerId, RoundNumber, SessionId
from swarm.core.machine import Event
from swarm.core.message_kinds import MessageKind
from swarm.core.session import COHORT_MAX, SessionSpec
from swarm.federation.efforts import PLACES_MAX, PROGRESS_MAX, Progress
from swarm.federation.ledger_entries import LedgerPage, LedgerRequest
from swarm.federation.records import (
    Aggregate,
    Branch,
    Contributor,
    GlobalModel,
    HeadKey,
    Metrics,
    check_branches,
)

HISTORY_MAX = 32
"""Most heads one answer to a request may hold."""
UNIX_S_MAX = 1e11
"""No clock is later: it is the year 5138."""
STATUS_TEXT_MAX = 128
ADDRESSES_MAX = 8


@dataclass(frozen=True, slots=True)
class Contribution(Event):
    """One peer's trained weights, announced to its cluster. The first per key counts."""

    session: SessionId
    peer: PeerId
    base: Digest
    num_examples: int
    blob: BlobRef
    duration_s: float
    metrics: Metrics | None
    joiners: tuple[PeerId, ...] = ()
    """Peers outside the cohort that asked this peer to join, or were passed on to it."""
    branches: tuple[Branch, ...] = ()
    """Branches that this peer left or heard of."""
    transfer_s: float = 0.0
    """Seconds that the weights of its base were on the network; the peer that pulls these
    weights adds its own time."""
    site: str = ""

    def __post_init__(self) -> None:
        _ = self.contributor  # checks itself
        if self.metrics is not None and self.metrics.peer != self.peer:
            raise ValueError("metrics must be the contributor's own")
        if len(self.joiners) > COHORT_MAX:
            raise ValueError(f"joiners must have at most {COHORT_MAX} entries")
        check_branches(self.branches)

    @property
    def contributors(self) -> tuple[Contributor, ...]:
        """The one contribution, as an aggregate lists several."""
        return (self.contributor,)

    @property
    def contributor(self) -> Contributor:
        """How an aggregate names it."""
        return Contributor(
            self.peer,
            self.base,
            self.num_examples,
            self.duration_s,
            self.transfer_s,
            self.site,
        )


@dataclass(frozen=True, slots=True)
class Heartbeat(Event):
    """`sender` is alive and holds the head of this key."""

    session: SessionId
    sender: PeerId
    head: HeadKey | None
    progress: Progress = ()
    """How far it is with the round on that head, in clusters; see `efforts`."""

    def __post_init__(self) -> None:
        if len(self.progress) > PLACES_MAX or any(
            not 0 <= done <= PROGRESS_MAX for done in self.progress
        ):
            raise ValueError(f"progress must be {PLACES_MAX} numbers in [0, {PROGRESS_MAX:g}]")


@dataclass(frozen=True, slots=True)
class Goodbye(Event):
    """`sender` leaves: its user wants it, or it cannot go on."""

    session: SessionId
    sender: PeerId
    reason: str = ""
    """`disk` if its disk failed, `training` if it cannot train."""

    def __post_init__(self) -> None:
        if len(self.reason) > 32:
            raise ValueError("reason must have at most 32 characters")


@dataclass(frozen=True, slots=True)
class JoinRequest(Event):
    """`sender` asks to be in the cohort; repeated until the head it holds names it."""

    session: SessionId
    sender: PeerId
    head: HeadKey | None
    branches: tuple[Branch, ...] = ()

    def __post_init__(self) -> None:
        check_branches(self.branches)


@dataclass(frozen=True, slots=True)
class SessionQuery(Event):
    """`sender` asks which session runs here, or for one that it wants."""

    sender: PeerId
    wanted: SessionId | None = None
    """Answer only with this session; None asks for the newest."""


@dataclass(frozen=True, slots=True)
class SessionOffer(Event):
    """`sender` runs this session."""

    sender: PeerId
    spec: SessionSpec

    def __post_init__(self) -> None:
        if not self.spec.starter:
            raise ValueError("the session must name its starter")


@dataclass(frozen=True, slots=True)
class HeadRequest(Event):
    """`sender` asks for the head `digest` (or the newest, if None) and `count - 1` ancestors."""

    session: SessionId
    sender: PeerId
    digest: Digest | None
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.count <= HISTORY_MAX:
            raise ValueError(f"count must be in [1, {HISTORY_MAX}], got {self.count}")


@dataclass(frozen=True, slots=True)
class HeadHistory(Event):
    """Answer to a `HeadRequest`: records, newest first, each the parent of the one before."""

    session: SessionId
    sender: PeerId
    heads: tuple[GlobalModel, ...]
    adopted_unix_s: tuple[float, ...] = ()
    """When the sender adopted each, by its clock; 0 if unknown."""

    def __post_init__(self) -> None:
        if len(self.adopted_unix_s) > len(self.heads) or not all(
            0 <= s < UNIX_S_MAX for s in self.adopted_unix_s
        ):
            raise ValueError("adopted_unix_s must be one time at most for each head, 0 or later")
        if len(self.heads) > HISTORY_MAX:
            raise ValueError(f"heads must have at most {HISTORY_MAX} entries")


@dataclass(frozen=True, slots=True)
class Status(Event):
    """What `sender` is doing, for observers. No peer decides anything by it."""

    session: SessionId
    sender: PeerId
    name: str
    phase: str
    round: RoundNumber
    """The round being worked on."""
    progress: float
    """Share of the phase that is done, 0 to 1."""
    head: HeadKey | None
    train_accuracy: float | None = None
    train_loss: float | None = None
    evaluated: Digest | None = None
    """The head that `evaluation` measures."""
    evaluation: Metrics | None = None
    num_examples: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    rejections: int = 0
    """Number of messages, records and contributions that this peer rejected."""
    links: tuple[PeerId, ...] = field(default=())
    """Peers to which it is connected."""
    blob_bytes_sent: int = 0
    site: str = ""
    """Its site, as its owner named it."""
    addresses: tuple[str, ...] = ()
    """Addresses on which it listens."""
    data_label: str = ""
    """The data set's name; it trains on `num_examples` of it."""
    num_test: int = 0
    data: DataSummary | None = None
    """What its training inputs are like, for observers; None if they are no single array."""
    run_state: str = "running"
    """Its state by operators' commands: `held`, `running`, `paused`, `stopped`."""
    obeyed: tuple[str, ...] = ()
    """Commands in force here: the first 16 characters of their digests."""
    num_refused: int = 0
    """Number of commands that it refused."""

    def __post_init__(self) -> None:
        texts = (self.site, self.data_label, self.run_state, *self.addresses, *self.obeyed)
        if any(len(text) > STATUS_TEXT_MAX for text in texts):
            raise ValueError(f"texts must have at most {STATUS_TEXT_MAX} characters")
        if len(self.addresses) > ADDRESSES_MAX or len(self.obeyed) > COMMANDS_MAX:
            raise ValueError(f"addresses must be at most {ADDRESSES_MAX}, obeyed {COMMANDS_MAX}")
        if len(self.links) > COHORT_MAX:
            raise ValueError(f"links must have at most {COHORT_MAX} entries")
        if len(self.name) > 64 or len(self.phase) > 32:
            raise ValueError("name must have at most 64 characters, phase at most 32")
        if self.round < 0 or not 0 <= self.progress <= 1:
            raise ValueError(f"progress must be in [0, 1], got {self.progress}; round at least 0")
        if self.train_accuracy is not None and not 0 <= self.train_accuracy <= 1:
            raise ValueError(f"train_accuracy must be in [0, 1], got {self.train_accuracy}")


MESSAGE_KINDS = (
    MessageKind("head", GlobalModel, signed_records=lambda head: (head,)),
    MessageKind("aggregate", Aggregate, signed_records=lambda aggregate: (aggregate,)),
    MessageKind("contribution", Contribution, sender_field="peer"),
    MessageKind("heartbeat", Heartbeat),
    MessageKind("goodbye", Goodbye),
    MessageKind("join", JoinRequest),
    MessageKind("session?", SessionQuery),
    MessageKind("session", SessionOffer),
    MessageKind("head?", HeadRequest),
    MessageKind("heads", HeadHistory, signed_records=lambda history: history.heads),
    MessageKind("status", Status),
    MessageKind("ledger?", LedgerRequest),
    MessageKind("ledger", LedgerPage, signed_records=lambda page: page.entries),
)
"""What the wire must know of these messages; docs/protocol.md has the same table."""
