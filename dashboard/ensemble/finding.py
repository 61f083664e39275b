"""find_ensemble(): which ensemble an address names."""

from dashboard.watching.ensemble_types import EnsembleInfo
from swarm.core.errors import SwarmError

ID_LENGTH_MIN = 8
"""Characters of an id that are enough to name an ensemble."""


class UnknownEnsembleError(SwarmError):
    """An address names no ensemble, or several; the message lists those that exist."""


def find_ensemble(ensembles: list[EnsembleInfo], name: str) -> EnsembleInfo:
    """Return the ensemble with a name, or with an id that begins so.

    Raises:
        UnknownEnsembleError: There is none, or more than one.
    """
    found = [one for one in ensembles if one["name"] == name]
    if not found and len(name) >= ID_LENGTH_MIN:
        found = [one for one in ensembles if one["id"].startswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(one["id"][:16] for one in found)
        raise UnknownEnsembleError(
            f"{len(found)} ensembles have the name {name!r:.80}: use the beginning of an id "
            f"instead, one of {ids}"
        )
    known = ", ".join(sorted(repr(one["name"]) for one in ensembles)) or "none"
    raise UnknownEnsembleError(f"no ensemble {name!r:.80} is known; known are: {known}")
