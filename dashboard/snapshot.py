"""What the page knows of a swarm: the snapshot's schema, and the source snapshots come from.

A snapshot is plain JSON. Every field below is always present; what is not known yet is None.
"""

from typing import Literal, Protocol, TypedDict

Phase = Literal["connecting", "gathering", "training", "aggregating", "finished"]
PeerPhase = Literal["starting", "waiting", "training", "evaluating", "aggregating", "finished"]
PeerState = Literal["alive", "suspect", "lost", "left"]
Role = Literal["root", "aggregator", "standby", "trainer", "joining", "waiting"]
FlowKind = Literal["contribution", "aggregate", "head"]
EventKind = Literal["joined", "lost", "left", "head", "takeover", "rejected", "finished", "info"]


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
    strategy: str
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
    rejections: int


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
    age_s: float


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
        "clusters": list[ClusterFacts],
        "links": list[Link],
        "flows": list[Flow],  # of the last five seconds or so
        "curves": Curves,
        "events": list[Event],  # newest last, at most 200
        "observer": ObserverFacts,
    },
)
"""Everything the page shows, at one moment."""


class SnapshotSource(Protocol):
    """Where snapshots come from. It owns its thread; every method may be called from any other."""

    def start(self) -> None:
        """Begin to observe; called once, in the process that serves the page."""

    def stop(self) -> None:
        """Stop observing and join the thread, within a few seconds."""

    def snapshot(self) -> Snapshot:
        """Return the newest snapshot, a value that nobody changes afterwards."""

    def wait_change(self, seen_version: int, timeout_s: float) -> int:
        """Block until the version is above `seen_version`, or for `timeout_s`; return it."""
