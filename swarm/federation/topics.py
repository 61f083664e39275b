"""Topics: one for the whole session, one per cluster, one for observers."""

from swarm.core.ids import ClusterId, SessionId
from swarm.core.protocol import PROTOCOL_VERSION


def session_topic(session: SessionId) -> str:
    """Heads, session heartbeats and commands: every peer of the session listens."""
    return f"swarm/{PROTOCOL_VERSION}/{session}"


def cluster_topic(session: SessionId, cluster: ClusterId) -> str:
    """Contributions or aggregates for one cluster, and its heartbeats."""
    return f"swarm/{PROTOCOL_VERSION}/{session}/cluster/{cluster}"


def status_topic(session: SessionId) -> str:
    """Status of peers: only observers listen."""
    return f"swarm/{PROTOCOL_VERSION}/{session}/status"
