"""What the page knows of a swarm: the snapshot's schema.

A snapshot is plain JSON. Every field below is always present; what is not known yet is None.
"""

from typing import Literal, TypedDict

from dashboard.watching.study_facts import StudyFacts

Phase = Literal["connecting", "gathering", "training", "aggregating", "finished"]
PeerPhase = Literal["starting", "waiting", "training", "evaluating", "aggregating", "finished"]
PeerState = Literal["alive", "suspect", "lost", "left", "quarantined", "removed"]
Role = Literal["root", "aggregator", "standby", "trainer", "joining", "waiting"]
FlowKind = Literal["contribution", "aggregate", "head"]
AlertKind = Literal[
    "lost", "left", "joined", "takeover", "rejected", "quarantined", "partition", "folded",
    "merged", "skipped", "drop", "disk", "started", "paused", "resumed", "stopped", "removed",
    "readmitted", "threshold", "refused", "finished", "info",
]  # fmt: skip
Severity = Literal["info", "warning", "error"]
EventKind = AlertKind | Literal["head"]
RunState = Literal["held", "running", "paused", "stopped"]
"""`held`: waits for an operator to start it."""
OperatorAction = Literal["start", "pause", "resume", "stop", "remove", "readmit", "threshold"]
CommandState = Literal["pending", "confirmed", "partial", "expired"]


class SessionFacts(TypedDict):
    """What is trained and by which rules."""

    id: str
    model: str
    dataset: str
    dataset_label: str
    """The data set's name as people write it, such as `CIFAR-10`."""
    stand_in: bool
    """The data are generated, because the real ones could not be had."""
    rounds: int
    cluster_size: int
    min_peers: int


class Head(TypedDict):
    """The newest global model the observer holds."""

    digest: str
    round: int
    author: str
    num_contributors: int


class GlobalMetrics(TypedDict):
    """Test accuracy and loss of the newest head that all test shards have evaluated."""

    accuracy: float | None
    loss: float | None
    round: int | None


class TrainingMetrics(TypedDict):
    """Running accuracy on training batches, mean over the peers now training."""

    accuracy: float | None


class PeerFacts(TypedDict):
    """One peer, as the observer last heard of it."""

    id: str
    name: str
    role: Role
    tier: int
    cluster: int | None
    """Index of its tier-1 cluster."""
    state: PeerState
    phase: PeerPhase
    progress: float
    """Share of the current phase that is done, 0 to 1."""
    round: int
    train_accuracy: float | None
    train_loss: float | None
    accuracy: float | None
    """Test accuracy of the global model on this peer's test shard."""
    loss: float | None
    num_examples: int
    bytes_sent: int
    bytes_received: int
    seen_s_ago: float
    """Whole seconds; 0 as long as it is heard of every 3 s."""
    rejections: int
    site: str
    """Where its owner says it is; empty if it says nothing."""
    addresses: list[str]
    """Addresses it listens at, multiaddrs."""
    blob_bytes_sent: int
    """Of `bytes_sent`, weights."""
    data: "DataFacts | None"
    run_state: RunState
    """What it says it does by operators' orders."""
    refused_commands: int
    """Operators' commands it did not take: untrusted, expired, or badly signed."""


class PastPeer(TypedDict):
    """A peer that is gone, and of which only heads and the others' ledgers tell."""

    id: str
    name: str
    """The end of its id if no ledger tells its name."""
    site: str


class DataFacts(TypedDict):
    """What a peer tells of its data. Never more than counts."""

    label: str
    num_train: int
    num_test: int


class ObserverPeer(TypedDict):
    """A peer that others are connected with and that takes no part: another dashboard, say."""

    id: str
    num_links: int
    me: bool


class ClusterFacts(TypedDict):
    """One cluster of the aggregation tree."""

    id: str
    tier: int
    index: int
    members: list[str]
    """Peer ids in tier 1, cluster ids above."""
    aggregator: str


class Link(TypedDict):
    """A connection between two peers."""

    source: str
    target: str


class Flow(TypedDict):
    """Something that moved from one peer to another in the last seconds."""

    seq: int
    source: str
    target: str
    kind: FlowKind
    size_bytes: int
    elapsed_s: float
    """When, on the clock of the snapshot's `elapsed_s`."""


class CurvePoint(TypedDict):
    """One round of a curve."""

    round: int
    accuracy: float | None
    loss: float | None


# `global` is a keyword of Python, hence the functional form of the next one and the last one.
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
    """Peer id, where the line is about one."""
    round: int | None


class Alert(TypedDict):
    """Something a person may have to look at, from heads and from the peers' ledgers.

    Told once, however many peers noticed it.
    """

    id: str
    """Stays the same across dashboards and restarts."""
    kind: AlertKind
    severity: Severity
    peer: str | None
    """The peer it is about, or None."""
    round: int | None
    """The round that was being made."""
    unix_s: float | None
    """When, by the clock of the peer that noticed it; None for what only heads tell."""
    text: str
    reporters: list[str]
    """Peer ids of those who noticed it."""


class HistoryFacts(TypedDict):
    """How much of the run's past is here; the rounds themselves are asked for, page by page."""

    first_round: int | None
    last_round: int | None
    complete: bool
    """Whether it reaches back to head 0."""


class CommandFacts(TypedDict):
    """A command this dashboard gave, and what the swarm reports of it."""

    id: str
    action: OperatorAction
    peer: str | None
    value: float | None
    sequence: int
    unix_s: float
    expires_unix_s: float
    state: CommandState
    """`confirmed` once every live peer that obeys this operator reports it."""
    confirmed_by: list[str]
    waiting_for: list[str]
    """Live peers that have not reported it."""


class OperatorFacts(TypedDict):
    """What operators asked of the swarm, as the peers report it."""

    enabled: bool
    """Whether this dashboard can give commands at all."""
    operator_id: str | None
    """Whom peers must trust (`--operator`) to obey this dashboard."""
    run_state: RunState
    """What most live peers report."""
    agreed: bool
    """Whether all live peers report the same."""
    drop_threshold: float
    """A fall of the global accuracy by more than this is an alert."""
    removed: list[str]
    commands: list[CommandFacts]
    """Newest last, at most 32."""


class ClusterRecord(TypedDict):
    """One cluster of the tree in which a round's head was made."""

    id: str
    tier: int
    index: int
    members: list[str]
    aggregator: str | None
    """Who combined it, as far as is known; None if nobody did."""


class ContributorRecord(TypedDict):
    """One contribution that a head names."""

    peer: str
    num_examples: int
    duration_s: float
    staleness: int
    """Heads between its base and the parent; more than 0 for work that was folded in."""


class MetricRecord(TypedDict):
    """How a round's head did on one peer's test shard."""

    peer: str
    accuracy: float
    loss: float
    num_examples: int


class RoundRecord(TypedDict):
    """One round of the past: how its head came to be, and how good it is."""

    round: int
    digest: str
    author: str
    term: int
    """0: by the root's aggregator; 1 and more: by a standby that took over."""
    unix_s: float | None
    """When the head was adopted, by a peer's clock, if one told."""
    cohort: list[str]
    """Who was asked: the parent's cohort. For round 0 the founding cohort."""
    contributors: list[ContributorRecord]
    absent: list[str]
    """Of the cohort, those whose work it does not name."""
    merged_examples: int
    """Examples of the other side of a partition that it takes in; 0 for none."""
    accuracy: float | None
    loss: float | None
    metrics: list[MetricRecord]
    """Of this head; empty until the next head tells."""
    clusters: list[ClusterRecord]
    alerts: list[Alert]


class RoundPage(TypedDict):
    """Some rounds, oldest first."""

    rounds: list[RoundRecord]
    next: int | None
    """Ask on from this round; None at the end."""
    history: HistoryFacts


class ObserverFacts(TypedDict):
    """The dashboard's own peer."""

    peer_id: str
    connected: int
    """Peers it has a connection to."""


Snapshot = TypedDict(
    "Snapshot",
    {
        "version": int,  # grows with every change
        "session": SessionFacts | None,
        "round": int,  # the round now being trained
        "phase": Phase,
        "finished": bool,
        "elapsed_s": float,
        "head": Head | None,
        "global": GlobalMetrics,
        "training": TrainingMetrics,
        "peers": list[PeerFacts],
        "past_peers": list[PastPeer],
        "clusters": list[ClusterFacts],
        "links": list[Link],
        "flows": list[Flow],  # of the last five seconds or so
        "curves": Curves,
        "events": list[Event],  # newest last, at most 200
        "observer": ObserverFacts,
        "observers": list[ObserverPeer],  # this dashboard's own peer included
        "alerts": list[Alert],  # newest last, at most 200; all of them: GET /api/v1/alerts
        "history": HistoryFacts,
        "operator": OperatorFacts,
        "studies": list[StudyFacts],
    },
)
"""Everything the page shows, at one moment."""
