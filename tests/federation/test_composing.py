from dataclasses import replace
from typing import Any

from swarm.core.ids import PeerId
from swarm.federation.composing import gather, next_cohort
from swarm.federation.records import GlobalModel

NEWCOMER = PeerId("newcomer")


def cohort_after(session: Any, base: GlobalModel, contributing: int) -> tuple[PeerId, ...]:
    """The next cohort if the first peers of the base's contribute, and a newcomer asks to join."""
    inputs = [session.contribution(peer, base) for peer in base.cohort[:contributing]]
    return next_cohort(base, gather(inputs, [NEWCOMER], (), base), session.spec)


def test_a_majority_drops_peers_that_did_not_contribute(session: Any) -> None:
    base = session.child(session.head0)

    assert cohort_after(session, base, 4) == (NEWCOMER, *base.cohort[:4])
    assert cohort_after(session, base, 3) == (NEWCOMER, *base.cohort[:3])


def test_a_minority_drops_no_peer_from_the_cohort(session: Any) -> None:
    two = session.contributors(session.head0, session.peers[:2])
    base = session.child(session.head0, contributors=two)

    assert base.cohort == session.peers
    assert cohort_after(session, base, 2) == (NEWCOMER, *session.peers)
    assert cohort_after(session, session.head0, 1) == (NEWCOMER, *session.peers)


def test_the_next_cohort_is_no_larger_than_the_session_allows(session: Any) -> None:
    spec = replace(session.spec, cohort_max=4)

    assert len(next_cohort(session.head0, gather([], [NEWCOMER], (), session.head0), spec)) == 4
