"""Traffic: what a peer may send, receive and keep in a round, whatever the swarm's size."""

from dataclasses import dataclass

from swarm.core.session import SessionSpec
from swarm.federation.records import GlobalModel
from swarm.federation.validity import tree_of


@dataclass(frozen=True, slots=True)
class Budget:
    """Bounds for one peer and one round, from the cluster size, the tiers and the cohort only."""

    sent_per_s: float
    """Heartbeats, repeats and requests."""
    received_per_s: float
    """The same, from all peers in its clusters."""
    messages: int
    """Messages allowed besides, however short the round."""
    contacts: int
    """Distinct peers sent to or kept connected."""
    blobs: int

    def sent(self, elapsed_s: float) -> float:
        """Most messages sent in a round that took `elapsed_s`."""
        return self.messages + self.sent_per_s * elapsed_s

    def received(self, elapsed_s: float) -> float:
        """Most messages received in a round that took `elapsed_s`."""
        return self.messages + self.received_per_s * elapsed_s


def budget(head: GlobalModel, spec: SessionSpec) -> Budget:
    """What a peer may use in the round on `head`."""
    num_tiers, cohort = len(tree_of(head, spec).tiers), len(head.cohort)
    listening = spec.cluster_size * (1 + 3 * num_tiers)
    return Budget(
        sent_per_s=5 + 3 * num_tiers,
        received_per_s=5 + 2 * listening,
        messages=40 + 2 * listening + cohort,
        contacts=8 + listening + cohort // 2,
        blobs=16 + 2 * listening,
    )
