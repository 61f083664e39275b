import re

import numpy as np
import pytest

from swarm.learning.federation.gates import finite_fault, norm_faults, schema_fault, update_norm
from swarm.learning.federation.weights_files import Weights


def test_equal_schemas_pass() -> None:
    assert schema_fault(_weights(), _weights()) is None


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ({"a": np.zeros(2, np.float32)}, "b is missing"),
        (
            {"a": np.zeros(2, np.float32), "b": np.zeros(3, np.float32), "c": np.zeros(1)},
            "c is not among them",
        ),
        ({"a": np.zeros(5, np.float32), "b": np.zeros(3, np.float32)}, r"float32\(2,\), got"),
        ({"a": np.zeros(2, np.float64), "b": np.zeros(3, np.float32)}, "float64"),
    ],
)
def test_a_different_schema_is_named(weights: Weights, expected: str) -> None:
    fault = schema_fault(_weights(), weights)

    assert fault is not None
    assert re.search(expected, fault)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_not_finite_fails_the_gate(bad: float) -> None:
    weights = _weights()
    weights["b"][1] = bad

    assert finite_fault(weights) == "weights must be finite, 1 of 3 values of b are not"
    assert finite_fault(_weights()) is None


def test_the_update_norm_covers_all_arrays() -> None:
    moved = {"a": np.full(2, 2, np.float32), "b": np.full(3, 3, np.float32)}

    assert update_norm(_weights(), moved) == pytest.approx(np.sqrt(2 * 4 + 3 * 9))


def test_an_outlier_among_three_is_rejected_with_value_and_rule() -> None:
    faults = norm_faults({"a": 1.0, "b": 1.2, "c": 12.1}, norm_bound=10)

    assert faults == {"c": "update norm must be at most 10 times the median 1.2, got 12.1"}


def test_a_norm_at_the_bound_passes() -> None:
    assert norm_faults({"a": 1.0, "b": 1.0, "c": 10.0}, norm_bound=10) == {}


def test_of_two_members_neither_is_rejected_as_an_outlier() -> None:
    assert norm_faults({"a": 1.0, "b": 1e9}, norm_bound=10) == {}


def test_no_member_is_rejected_if_the_median_is_zero() -> None:
    assert norm_faults({"a": 0.0, "b": 0.0, "c": 1.0}, norm_bound=10) == {}


def _weights() -> Weights:
    return {"a": np.zeros(2, np.float32), "b": np.zeros(3, np.float32)}
