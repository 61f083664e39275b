"""The time that is left, and training accuracy between two measurements."""

from dataclasses import replace
from typing import Any

import pytest

from swarm.core.ids import PeerId, RoundNumber
from swarm.federation.messages import Status
from swarm.watching.federation.pace import POINTS_MAX, TrainingCurve, seconds_left


@pytest.mark.parametrize(
    ("num_left", "durations_s", "in_round_s", "progress", "expected"),
    [
        pytest.param(0, [10.0], 3.0, 0.5, 0.0, id="nothing-is-left"),
        pytest.param(4, [], 0.2, 0.0, None, id="the-first-round-has-just-begun"),
        pytest.param(4, [], 9.5, 0.5, 70.5, id="the-first-round-gives-the-pace"),
        pytest.param(4, [10.0, 10.0, 30.0], 4.0, 0.1, 36.0, id="the-median-of-rounds"),
        pytest.param(1, [10.0], 25.0, 0.9, 0.0, id="a-round-that-takes-longer"),
        pytest.param(1, [99.0] + 5 * [10.0], 0.0, 0.0, 10.0, id="the-last-five-rounds"),
    ],
)
def test_seconds_left(
    num_left: int,
    durations_s: list[float],
    in_round_s: float,
    progress: float,
    expected: float | None,
) -> None:
    left_s = seconds_left(num_left, durations_s, in_round_s, progress)

    assert left_s == (None if expected is None else pytest.approx(expected))


def status(session: Any, peer: str, number: int, progress: float, accuracy: float) -> Status:
    return Status(
        session=session.spec.id,
        sender=PeerId(peer),
        name=peer,
        phase="training",
        round=RoundNumber(number),
        progress=progress,
        head=None,
        train_accuracy=accuracy,
        train_loss=1.0,
        evaluated=None,
        evaluation=None,
        num_examples=100,
        bytes_sent=0,
        bytes_received=0,
        rejections=0,
        links=(),
    )


def test_the_curve_is_the_mean_of_the_peers_that_train_for_the_round(session: Any) -> None:
    curve = TrainingCurve()
    behind = status(session, "slow", 1, 0.9, 0.9)
    resting = replace(status(session, "rests", 2, 1.0, 0.9), phase="waiting")

    curve.take([status(session, "a", 2, 0.2, 0.3), status(session, "b", 2, 0.4, 0.5), behind], 2)
    curve.take([resting], 2)
    curve.take([status(session, "a", 2, 0.31, 0.4), resting], 2)  # too near

    assert [(p.at, p.accuracy) for p in curve.points] == [(1.3, pytest.approx(0.4))]


def test_the_curve_stays_short_however_long_the_run(session: Any) -> None:
    curve = TrainingCurve()

    for step in range(4000):
        number, progress = divmod(step, 10)
        curve.take([status(session, "a", number + 1, progress / 10 + 0.05, 0.5)], number + 1)

    places = [point.at for point in curve.points]
    assert POINTS_MAX / 2 <= len(places) <= POINTS_MAX
    assert places == sorted(places)
    assert places[-1] > 380


@pytest.mark.parametrize(
    "fields",
    [{"progress": 1e308}, {"train_accuracy": 1e308}, {"round": RoundNumber(-1)}],
    ids=lambda fields: next(iter(fields)),
)
def test_a_status_with_impossible_numbers_is_refused(session: Any, fields: Any) -> None:
    with pytest.raises(ValueError, match=r"must be in|at least 0"):
        replace(status(session, "a", 1, 0.5, 0.5), **fields)
