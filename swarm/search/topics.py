"""Topics of searches: one for all searches, and one for each study."""

from swarm.core.protocol import PROTOCOL_VERSION
from swarm.search.study import StudyId

SEARCH_TOPIC = f"swarm/{PROTOCOL_VERSION}/search"
"""Offers of studies; every peer that works for studies or asks for them subscribes."""


def study_topic(study: StudyId) -> str:
    """The coordinator's heartbeats and ledger pages; every peer of the study subscribes."""
    return f"{SEARCH_TOPIC}/{study}"
