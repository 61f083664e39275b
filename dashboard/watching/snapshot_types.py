"""The types of a snapshot: everything that the page knows about a swarm.

A snapshot is plain JSON. Every field is always present; a value that is not known yet is None.
"""

from typing import Literal, TypedDict

from dashboard.watching.ensemble_types import EnsembleInfo
from dashboard.watching.study_types import StudyInfo

Phase = Literal["connecting", "gathering", "training", "aggregating", "finished"]
PeerPhase = Literal["starting", "waiting", "training", "evaluating", "aggregating", "finished"]
PeerState = Literal["alive", "suspect", "lost", "left", "quarantined", "removed"]
Role = Literal["root", "aggregator", "standby", "trainer", "joining", "waiting"]
FlowKind = Literal["contribution", "aggregate", "head"]
AlertKind = Literal[
    "lost", "left", "joined", "takeover", "rejected", "quarantined", "partition", "late",
    "folded", "merged", "skipped", "drop", "disk", "started", "paused", "resumed", "stopped",
    "removed", "readmitted", "threshold", "refused", "finished", "failed", "learning",
    "info",
]  # fmt: skip
Severity = Literal["info", "warning", "error"]
EventKind = AlertKind | Literal["head"]
RunState = Literal["held", "running", "paused", "stopped"]
"""`held`: the session waits until an operator starts it."""
OperatorAction = Literal[
    "start", "pause", "resume", "stop", "remove", "readmit", "threshold", "join", "leave"
]
CommandState = Literal["pending", "confirmed", "partial", "expired"]


class SessionInfo(TypedDict):
    """What is trained, and by which rules."""

    id: str
    model: str
    dataset: str
    dataset_label: str
    """The data set's name as people write it, such as `CIFAR-10`."""
    stand_in: bool
    """The data are generated, because the real data set was not available."""
    rounds: int
    cluster_size: int
    min_peers: int


class Head(TypedDict):
    """The newest global model that the observer knows."""

    digest: str
    round: int
    author: str
    num_contributors: int


class GlobalMetrics(TypedDict):
    """Test accuracy and loss of the newest head that was evaluated on all test shards."""

    accuracy: float | None
    loss: float | None
    round: int | None


class TrainingMetrics(TypedDict):
    """Running accuracy on training batches, mean of the peers that train now."""

    accuracy: float | None
    points: list["TrainingPoint"]
    """The accuracy along the run, at most 120 points."""


class TrainingPoint(TypedDict):
    """Mean training accuracy at one place of the run."""

    at: float
    """Rounds done, as a fraction: 2.5 is the middle of round 3."""
    accuracy: float


class PeerInfo(TypedDict):
    """One peer, by its newest status."""

    id: str
    name: str
    role: Role
    tier: int
    cluster: int | None
    """Index of its tier-1 cluster."""
    state: PeerState
    phase: PeerPhase
    progress: float
    """Finished share of the current phase, 0 to 1."""
    round: int
    train_accuracy: float | None
    train_loss: float | None
    accuracy: float | None
    """Test accuracy of the global model on this peer's test shard."""
    accuracy_round: int | None
    """Round of the model that `accuracy` and `loss` are about; 0 is the untrained model."""
    loss: float | None
    num_examples: int
    bytes_sent: int
    bytes_received: int
    seen_s_ago: float
    """Whole seconds; 0 while at most 3 s have passed since its last message."""
    rejections: int
    site: str
    """Site that its owner set; empty if there is none."""
    addresses: list[str]
    """Multiaddrs on which it listens."""
    blob_bytes_sent: int
    """Part of `bytes_sent` that was weights."""
    data: "DataCounts | None"
    run_state: RunState
    """State that operators' commands put it in, as it reports."""
    refused_commands: int
    """Operators' commands that it refused: not trusted, expired, or with an invalid signature."""


class PastPeer(TypedDict):
    """A peer that is gone; known only from heads and from the ledgers of other peers."""

    id: str
    name: str
    """The end of its id if no ledger has its name."""
    site: str


class DataCounts(TypedDict):
    """What a peer reports about its data: a label and counts, never more."""

    label: str
    num_train: int
    num_test: int


class ObserverPeer(TypedDict):
    """A peer that takes no part but has connections, for example another dashboard."""

    id: str
    num_links: int
    me: bool


class ClusterInfo(TypedDict):
    """One cluster of the aggregation tree."""

    id: str
    tier: int
    index: int
    members: list[str]
    """Peer ids in tier 1, cluster ids in higher tiers."""
    aggregator: str


class Link(TypedDict):
    """A connection between two peers."""

    source: str
    target: str


class Flow(TypedDict):
    """A message that went from one peer to another in the last seconds."""

    seq: int
    source: str
    target: str
    kind: FlowKind
    size_bytes: int
    elapsed_s: float
    """Time, on the clock of the snapshot's `elapsed_s`."""


class CurvePoint(TypedDict):
    """One round of a curve."""

    round: int
    accuracy: float | None
    loss: float | None


# `global` is a keyword of Python, so this type and `Snapshot` use the functional form.
Curves = TypedDict(
    "Curves",
    {
        "global": list[CurvePoint],
        "peers": dict[str, list[CurvePoint]],  # by peer id
    },
)
"""History since round 1, each list in the order of its rounds."""


class Event(TypedDict):
    """One line of the log."""

    seq: int
    elapsed_s: float
    kind: EventKind
    text: str
    severity: Severity
    peer: str | None
    """Id of the peer that the line is about, or None."""
    round: int | None


class Alert(TypedDict):
    """Something that may need a person's attention, found in heads and in the peers' ledgers.

    It is listed once, even if many peers noticed it.
    """

    id: str
    """The same on every dashboard and after restarts."""
    kind: AlertKind
    severity: Severity
    peer: str | None
    """The peer it is about, or None."""
    round: int | None
    """The round during which it happened."""
    unix_s: float | None
    """Time, by the clock of a peer that noticed it; None for an alert found in heads only."""
    text: str
    reporters: list[str]
    """Ids of the peers that noticed it."""


class HistoryExtent(TypedDict):
    """How much of the run's past is known. The rounds themselves are read page by page."""

    first_round: int | None
    last_round: int | None
    complete: bool
    """Whether it reaches back to head 0."""


class CommandInfo(TypedDict):
    """A command that this dashboard gave, and what the peers report about it."""

    id: str
    action: OperatorAction
    peer: str | None
    value: float | None
    session: str | None
    """For `join` and `leave`, which are commands to peers."""
    sequence: int
    unix_s: float
    expires_unix_s: float
    state: CommandState
    """`confirmed` once all live peers that obey this operator report it."""
    confirmed_by: list[str]
    waiting_for: list[str]
    """Live peers that have not reported it."""


class OperatorInfo(TypedDict):
    """The effect of operators' commands, as the peers report it."""

    enabled: bool
    """Whether this dashboard can give commands."""
    operator_id: str | None
    """Id that peers must trust (`--operator`) to obey this dashboard."""
    run_state: RunState
    """State that most live peers report."""
    agreed: bool
    """Whether all live peers report the same state."""
    drop_threshold: float
    """A drop of the global accuracy by more than this raises an alert."""
    removed: list[str]
    commands: list[CommandInfo]
    """Newest last, at most 32."""


class ClusterRecord(TypedDict):
    """One cluster of the tree in which a round's head was made."""

    id: str
    tier: int
    index: int
    members: list[str]
    aggregator: str | None
    """Peer that combined it, as far as is known; None if it was not combined."""


class ContributorRecord(TypedDict):
    """One contribution that a head names."""

    peer: str
    num_examples: int
    duration_s: float
    staleness: int
    """Number of heads between its base and the parent; 0 unless it came late."""


class MetricRecord(TypedDict):
    """Result of a round's head on one peer's test shard."""

    peer: str
    accuracy: float
    loss: float
    num_examples: int


class RoundRecord(TypedDict):
    """One round of the past: how its head was made, and how good it is."""

    round: int
    digest: str
    author: str
    term: int
    """0: made by the root's aggregator; 1 or more: by a standby that took over."""
    unix_s: float | None
    """When the head was adopted, by a peer's clock; None if no peer reported it."""
    cohort: list[str]
    """Peers of this round: the parent's cohort, or for round 0 the founding cohort."""
    contributors: list[ContributorRecord]
    absent: list[str]
    """Peers of the cohort that the head does not name as contributors."""
    merged_examples: int
    """Examples of the other side of a partition that the head merges; 0 for none."""
    accuracy: float | None
    loss: float | None
    metrics: list[MetricRecord]
    """Results of this head; empty until the next head reports them."""
    clusters: list[ClusterRecord]
    alerts: list[Alert]


class RoundPage(TypedDict):
    """Some rounds, oldest first."""

    rounds: list[RoundRecord]
    next: int | None
    """First round of the next page; None at the end."""
    history: HistoryExtent


class ObserverInfo(TypedDict):
    """The dashboard's own peer."""

    peer_id: str
    connected: int
    """Number of peers it is connected to."""


Snapshot = TypedDict(
    "Snapshot",
    {
        "version": int,  # grows with every change
        "session": SessionInfo | None,
        "round": int,  # the round that is trained now
        "phase": Phase,
        "finished": bool,
        "elapsed_s": float,
        "head": Head | None,
        "global": GlobalMetrics,
        "training": TrainingMetrics,
        "time_left_s": float | None,  # estimated; None while the pace is unknown
        "peers": list[PeerInfo],
        "past_peers": list[PastPeer],
        "clusters": list[ClusterInfo],
        "links": list[Link],
        "flows": list[Flow],  # of about the last five seconds
        "curves": Curves,
        "events": list[Event],  # newest last, at most 200
        "observer": ObserverInfo,
        "observers": list[ObserverPeer],  # this dashboard's own peer included
        "alerts": list[Alert],  # newest last, at most 200; GET /api/v1/alerts has all
        "history": HistoryExtent,
        "operator": OperatorInfo,
        "studies": list[StudyInfo],
        "ensembles": list[EnsembleInfo],
    },
)
"""Everything that the page shows, at one moment."""
