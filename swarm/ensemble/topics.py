"""Topics of ensembles: one for all of them, and one for each."""

from swarm.core.protocol import PROTOCOL_VERSION
from swarm.ensemble.spec import EnsembleId

ENSEMBLES_TOPIC = f"swarm/{PROTOCOL_VERSION}/ensembles"
"""Offers of ensembles; members and askers subscribe."""


def ensemble_topic(ensemble: EnsembleId) -> str:
    """Heartbeats, cards and orders to fit; members and askers of the ensemble subscribe."""
    return f"{ENSEMBLES_TOPIC}/{ensemble}"
