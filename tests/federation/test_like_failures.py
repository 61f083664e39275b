"""Which failures count as the same."""

import pytest

from swarm.federation.like_failures import LikeFailures


@pytest.mark.parametrize(
    "reason",
    [
        "the loss is nan",
        "the process ended with code -6; it said: 2026-12-01 13:49:{}: fatal",
        "cannot call <Model object at 0x7f00{}>",
    ],
)
def test_the_third_failure_of_one_kind_is_the_last(reason: str) -> None:
    failures = LikeFailures()

    assert [failures.count(reason.format(number)) for number in (17, 28, 39)] == [
        False,
        False,
        True,
    ]


def test_another_failure_or_a_success_counts_anew() -> None:
    failures = LikeFailures()

    seen = [failures.count(reason) for reason in ("a", "a", "b", "b")]
    failures.clear()

    assert [*seen, failures.count("b"), failures.count("b")] == [False] * 6
