"""Which peers go on where a cohort is cut in parts, or where all peers on duty are gone."""

from dataclasses import replace
from typing import Any

import pytest

from swarm.core.ids import PeerId
from swarm.core.session import SessionSpec
from swarm.federation.ancestry import window_of
from swarm.federation.blob_tracker import BlobTracker
from swarm.federation.effects import (
    Combine,
)
from swarm.federation.round_view import Announced, RoundView
from swarm.federation.tree import root_succession, succession
from swarm.federation.validity import InvalidRecordError, check_head, is_majority
from tests.harness.federation_effects import of

# -- the policy of the majority


@pytest.mark.parametrize(
    ("peers", "verdict"),
    [((0, 1, 2, 3), True), ((4, 5), False), ((0, 4, 5), True), ((3, 4, 5), False)],
    ids=["more", "fewer", "half-with-the-least", "half-without"],
)
def test_a_tie_goes_to_the_side_with_the_least_peer_id(
    session: Any, peers: tuple[int, ...], verdict: bool
) -> None:
    assert is_majority({session.peers[k] for k in peers}, session.peers) is verdict


def test_a_head_without_a_majority_is_refused_where_the_policy_asks_for_one(session: Any) -> None:
    session.spec = replace(session.spec, partition_policy="majority")
    head0 = session.head0
    few = session.child(head0, contributors=session.contributors(head0, session.peers[3:]))
    many = session.child(head0, contributors=session.contributors(head0, session.peers[:3]))

    check_head(many, {head0.digest: head0}, session.spec)
    with pytest.raises(InvalidRecordError, match="majority"):
        check_head(few, {head0.digest: head0}, session.spec)


def root_duty(session: Any, peers: tuple[PeerId, ...]) -> tuple[Any, RoundView, Any]:
    """The root of a one-tier round; these contributions are in, all other peers are lost."""
    head0 = session.head0
    (cluster,) = session.tree(head0).tiers[0]
    announced = Announced(head0.digest)
    blobs = BlobTracker()
    for peer in peers:
        contribution = session.contribution(peer, head0)
        announced.add_contribution(contribution)
        blobs.arrived(contribution.blob, 0.0)
    view = RoundView(
        window_of({}, head0),
        announced.contributions,
        given_up=frozenset(head0.cohort) - set(peers),
    )
    term = next(
        k for k, p in enumerate(succession(head0.digest, cluster, frozenset())) if p in peers
    )
    duty = session.duty(cluster, head0, term, 30.0)
    return duty, view, blobs


@pytest.mark.parametrize(("chosen", "closes"), [((0, 1, 2), True), ((3, 4, 5), False)])
def test_the_side_without_a_majority_forms_no_head(
    session: Any, chosen: tuple[int, ...], closes: bool
) -> None:
    session.spec = replace(session.spec, partition_policy="majority", cluster_size=6)
    duty, view, blobs = root_duty(session, tuple(session.peers[k] for k in chosen))

    effects = duty.advance(view, blobs, session.spec, 40.0)

    assert bool(of(Combine, effects)) is closes


# -- last resort


def test_when_all_duty_peers_are_gone_another_of_the_cohort_composes_the_head(
    session: Any,
) -> None:
    """In a tree of three tiers not every peer stands by for the root."""
    peers = tuple(PeerId(f"peer-{k:02d}") for k in range(30))
    session.peers, session.spec = peers, SessionSpec(starter=peers[0], rounds=4)
    head0 = session.head0
    tree = session.tree(head0)
    ranking = root_succession(head0.digest, tree, frozenset())
    first = succession(head0.digest, tree.root, frozenset())
    contributors = session.contributors(head0, peers)
    last_resort = session.child(
        head0, author=ranking[-1], term=len(ranking) - 1, contributors=contributors
    )

    assert len(first) < len(ranking) == len(peers)
    check_head(last_resort, {head0.digest: head0}, session.spec)
