"""Succession: which member coordinates next; each peer derives the same order."""

import hashlib
from collections.abc import Iterable

from swarm.core.ids import PeerId
from swarm.search.study import StudyId


def succession(study: StudyId, term: int, members: Iterable[PeerId]) -> list[PeerId]:
    """Members in the order in which they take over from the coordinator of `term`.

    Rendezvous hashing (Thaler and Ravishankar 1998): a peer that joins or leaves does not change
    the relative order of the others, and each term has another order.
    """
    return sorted(set(members), key=lambda peer: _rank(study, term, peer))


def stagger(study: StudyId, term: int, peer: PeerId) -> float:
    """A fraction in [0, 1) that spreads out in time peers that do not know each other."""
    return int.from_bytes(_rank(study, term, peer)[:6]) / 256**6


def _rank(study: StudyId, term: int, peer: PeerId) -> bytes:
    return hashlib.sha256(f"{study}\0{term}\0{peer}".encode()).digest()
