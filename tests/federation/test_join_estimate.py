"""A bounded sample gives the number of joiners, and the head says how many may ask."""

import pytest

from swarm.core.blobs import BlobRef
from swarm.core.canonical import sha256_hex
from swarm.core.ids import PeerId
from swarm.core.session import COHORT_MAX, SessionSpec
from swarm.federation.composing import first_head
from swarm.federation.join_estimate import estimate, sample
from swarm.federation.join_requests import FULL_COHORT_EVERY, JoinRequests
from swarm.federation.joiners import SETTLED_AFTER_S, SETTLED_AT_THE_LATEST_S, Joiners

SPEC = SessionSpec(starter=PeerId("starter"), cohort_max=64)


def peers(number: int) -> tuple[PeerId, ...]:
    return tuple(PeerId(f"peer-{k}") for k in range(number))


@pytest.mark.parametrize("number", [0, 1, 255])
def test_few_are_counted_exactly(number: int) -> None:
    assert estimate(sample(peers(number))) == number


@pytest.mark.parametrize("number", [300, 3_000, 30_000])
def test_many_are_estimated_from_a_sample(number: int) -> None:
    sampled = sample(peers(number))

    assert len(sampled) == COHORT_MAX
    assert estimate(sampled) == pytest.approx(number, rel=0.2)


def test_a_sample_of_samples_is_a_sample_of_all() -> None:
    everyone = peers(2_000)

    parts = [sample(everyone[k::7]) for k in range(7)]

    assert sample(peer for part in parts for peer in part) == sample(everyone)


def test_joiners_are_sampled_and_their_number_is_estimated() -> None:
    joiners = Joiners()
    for peer in peers(5_000):
        joiners.note([peer], 1.0)

    assert joiners.current(2.0) == sample(peers(5_000))
    assert joiners.estimated_number(2.0) == pytest.approx(5_000, rel=0.2)


def test_joiners_have_settled_once_no_new_peer_comes_or_after_a_while() -> None:
    joiners = Joiners()
    joiners.note(peers(1), 1.0)
    joiners.note(peers(2), 1.2)
    joiners.note(peers(2), 1.4)  # the same ones again

    assert not joiners.settled(1.19 + SETTLED_AFTER_S)
    assert joiners.settled(1.2 + SETTLED_AFTER_S)
    for k in range(100):
        joiners.note([PeerId(f"late-{k}")], 1.0 + 0.1 * k)
    assert joiners.settled(1.0 + SETTLED_AT_THE_LATEST_S)


def asking(number: int, num_outside: float) -> int:
    """Number of peers that ask to join once head 0 says which share may."""
    cohort = tuple(PeerId(f"member-{k}") for k in range(64))
    head = first_head(SPEC, _blob(), cohort, num_outside, SPEC.starter)
    join_requests = [JoinRequests(peer, SPEC).ask(head, (), ()) for peer in peers(number)]
    return sum(bool(sent) for sent in join_requests)


def _blob() -> BlobRef:
    return BlobRef(sha256_hex(b"weights"), 10**6)


@pytest.mark.parametrize("number", [1_000, 10_000])
def test_about_as_many_peers_ask_as_fit_whatever_their_number(number: int) -> None:
    assert 32 <= asking(number, float(number)) <= 128


def test_all_of_few_peers_ask() -> None:
    assert asking(40, 40.0) == 40


def test_requests_are_rarer_where_the_cohort_is_full() -> None:
    cohort = tuple(PeerId(f"member-{k}") for k in range(64))
    head = first_head(SPEC, _blob(), cohort, 1.0, SPEC.starter)
    requests = JoinRequests(PeerId("late"), SPEC)

    sent = [bool(requests.ask(head, (), ())) for _ in range(2 * FULL_COHORT_EVERY)]

    assert sum(sent) == 2
