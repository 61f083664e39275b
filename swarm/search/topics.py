"""Topics of searches: one for all that search, one for each study."""

from swarm.core.protocol import PROTOCOL_VERSION
from swarm.search.study import StudyId

SEARCH_TOPIC = f"swarm/{PROTOCOL_VERSION}/search"
"""Which studies there are: every peer that works or asks listens."""


def study_topic(study: StudyId) -> str:
    """The coordinator's beats and ledger; every peer of the study listens."""
    return f"{SEARCH_TOPIC}/{study}"
