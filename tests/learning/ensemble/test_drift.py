"""Drift: new rows that differ are noticed, those that do not are not; the value shows how near."""

import numpy as np
import pytest
from numpy.typing import NDArray

from swarm.ensemble.records import NO_DRIFT
from swarm.learning.ensemble.drift import ERRORS, THRESHOLD, Series, measure_drift, numeric_series


def _normal(num_rows: int, mean: float = 0.0, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(mean, 1.0, num_rows)


def _column(name: str, shift: float, seed: int, num_new: int = 300) -> Series:
    return Series(name, _normal(500, seed=seed), _normal(num_new, shift, seed + 1000))


@pytest.mark.parametrize("seed", range(10))
def test_equal_rows_do_not_drift(seed: int) -> None:
    columns = [_column(f"c{place}", 0.0, 100 * seed + place) for place in range(20)]

    drift = measure_drift(columns, seed=seed)

    assert drift.value <= drift.threshold == THRESHOLD


@pytest.mark.parametrize("seed", range(10))
def test_the_column_that_moved_is_named(seed: int) -> None:
    columns = [_column(f"c{place}", 1.0 if place == 7 else 0.0, place) for place in range(20)]

    drift = measure_drift(columns, seed=seed)

    assert drift.value > drift.threshold
    assert drift.detail.startswith("column 'c7': mean ")
    assert "300 new rows" in drift.detail


def test_growing_errors_are_drift_too() -> None:
    before, after = np.abs(_normal(500)), 3 * np.abs(_normal(100, seed=1))

    drift = measure_drift([Series(ERRORS, before, after), _column("c", 0.0, 5)])

    assert drift.value > drift.threshold
    assert drift.detail.startswith("the model's errors: mean ")


def test_the_value_grows_with_the_shift() -> None:
    values = [measure_drift([_column("c", shift, 3)]).value for shift in (0.0, 0.4, 1.0, 2.0)]

    assert values == sorted(values)
    assert values[0] < values[-1]


def test_one_enormous_value_is_no_drift() -> None:
    after = _normal(100, seed=2)
    after[50] = 1e12

    drift = measure_drift([Series("c", _normal(500), after)])

    assert drift.value <= drift.threshold


def test_a_column_that_was_constant_drifts_when_it_changes() -> None:
    drift = measure_drift([Series("c", np.full(200, 5.0), np.full(100, 6.0))])

    assert drift.value > drift.threshold


@pytest.mark.parametrize("after", [np.empty(0), np.full(100, np.nan), np.zeros(5)])
def test_too_few_values_say_nothing(after: NDArray[np.float64]) -> None:
    assert measure_drift([Series("c", _normal(500), after)]) == NO_DRIFT


def test_series_are_of_columns_that_both_have() -> None:
    series = numeric_series({"a": _normal(3), "b": _normal(3)}, {"b": _normal(2), "c": _normal(2)})

    assert [(one.name, len(one.before), len(one.after)) for one in series] == [("b", 3, 2)]
