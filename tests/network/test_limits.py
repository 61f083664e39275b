"""Buckets and windows: they bound what one peer may do, and the memory that this takes."""

import pytest
from libp2p.peer.id import ID

from swarm.network.limits import Allowance, Bucket, Rate
from swarm.network.replay_window import AUTHORS_MAX, WINDOW, SeenNumbers

ANNA, BEN = ID(b"anna"), ID(b"ben")


def test_a_bucket_gives_its_burst_and_then_its_rate():
    bucket = Bucket(Rate(per_s=2, burst=3), now_s=0)

    assert [bucket.take(0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(1) for _ in range(3)] == [True, True, False]
    assert [bucket.take(100) for _ in range(4)] == [True, True, True, False]


def test_a_cost_above_the_burst_empties_a_full_bucket():
    bucket = Bucket(Rate(per_s=1, burst=10), now_s=0)

    assert bucket.take(0, cost=17)
    assert not bucket.take(9, cost=17)
    assert bucket.take(10, cost=17)


def test_a_caller_that_overdraws_waits_until_its_tokens_are_due():
    bucket = Bucket(Rate(per_s=10, burst=5), now_s=0)

    assert bucket.take_late(0, cost=5) == 0
    assert bucket.take_late(0, cost=2) == pytest.approx(0.2)
    assert bucket.take_late(0.2, cost=1) == pytest.approx(0.1)


def test_each_caller_has_its_own_bucket_and_their_number_is_bounded():
    allowance = Allowance(Rate(1, 1), clock=lambda: 0.0, callers_max=2)

    assert allowance.take("anna")
    assert not allowance.take("anna")
    assert allowance.take("ben")
    assert allowance.take("cleo")
    assert len(allowance) == 2


def test_a_number_counts_once_in_any_order():
    seen = SeenNumbers()

    assert [seen.is_new(ANNA, number) for number in (5, 5, 3, 3, 6, 4, 5)] == [
        True, False, True, False, True, True, False,
    ]  # fmt: skip
    assert seen.is_new(BEN, 5)


def test_a_number_before_the_window_or_a_restart_counts_as_seen():
    seen = SeenNumbers()
    seen.is_new(ANNA, 5)

    assert seen.is_new(ANNA, 10**18)
    assert not seen.is_new(ANNA, 6)
    assert not seen.is_new(ANNA, 10**18 - WINDOW)
    assert seen.is_new(ANNA, 10**18 - WINDOW + 1)


def test_the_number_of_remembered_authors_is_bounded():
    seen = SeenNumbers()

    for number in range(AUTHORS_MAX + 10):
        seen.is_new(ID(b"%d" % number), 1)

    assert len(seen) == AUTHORS_MAX
