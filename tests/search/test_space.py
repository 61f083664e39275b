"""Search spaces: sizes, conditions, and refused values."""

import math
from typing import Any

import pytest

from swarm.search.settings_tree import SettingsTree
from swarm.search.space import CATEGORICAL, FLOAT, INTEGER, Condition, Dimension, ModelSpace

JUST_ABOVE_TEN = math.exp(math.log(10.0))
KERNEL = Dimension("kernel", CATEGORICAL, ("linear", "rbf"))
DEGREE = Dimension("degree", INTEGER, low=2, high=5, step=1, when=Condition("kernel", ("rbf",)))


def test_the_size_counts_conditional_dimensions_only_where_they_exist() -> None:
    assert SettingsTree((KERNEL, DEGREE)).count == 1 + 4


def test_a_float_without_a_step_has_infinitely_many_values() -> None:
    assert SettingsTree((Dimension("C", FLOAT, low=0.1, high=1.0),)).count is None


@pytest.mark.parametrize(("low", "high", "step", "size"), [(0, 1, 0.1, 11), (0, 1, 0.3, 4)])
def test_a_step_cuts_a_float_into_values(low: float, high: float, step: float, size: int) -> None:
    dimension = Dimension("x", FLOAT, low=low, high=high, step=step)

    assert dimension.size == size
    assert dimension.value_at(size - 1) == pytest.approx(low + (size - 1) * step)


def test_integers_are_ints() -> None:
    assert type(DEGREE.value_at(1)) is int


def test_a_condition_does_not_take_true_for_one() -> None:
    condition = Condition("flag", (1,))

    assert condition.holds({"flag": 1})
    assert not condition.holds({"flag": True})
    assert not condition.holds({})


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"kind": "maybe"}, "kind must be one of"),
        ({"kind": FLOAT, "low": 2.0, "high": 1.0}, "low must be at most high"),
        ({"kind": FLOAT, "low": 0.0, "high": 1.0, "log": True}, "low must be positive"),
        ({"kind": FLOAT, "low": 0.0, "high": float("inf")}, "must be finite"),
        ({"kind": INTEGER, "low": 0.5, "high": 1.0, "step": 1.0}, "must be whole"),
        ({"kind": CATEGORICAL}, "choices must be 1 to"),
        ({"kind": CATEGORICAL, "choices": (1, 2, 1)}, "choices must be distinct"),
        ({"kind": CATEGORICAL, "choices": (1,), "low": 1.0}, "has choices only"),
    ],
)
def test_a_wrong_dimension_is_refused(fields: dict[str, object], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        Dimension("x", **fields)  # type: ignore[arg-type]


def test_a_condition_must_name_an_earlier_categorical_dimension() -> None:
    with pytest.raises(ValueError, match="earlier categorical"):
        ModelSpace("svm", (DEGREE, KERNEL))


def test_a_condition_must_name_a_choice() -> None:
    wrong = Dimension("g", FLOAT, low=0.1, high=1.0, when=Condition("kernel", ("poly",)))

    with pytest.raises(ValueError, match="'poly' is no choice of kernel"):
        ModelSpace("svm", (KERNEL, wrong))


@pytest.mark.parametrize(
    ("kind", "fields", "good", "bad"),
    [
        ("categorical", {"choices": (1, "a")}, [1, "a"], [1.0, True, "b"]),
        ("integer", {"low": 2, "high": 8, "step": 3}, [2, 5, 8], [3, 9, 5.0, True, "5"]),
        (
            "float",
            {"low": 0.1, "high": 10.0, "log": True},
            [0.1, math.exp(math.log(10.0)), 1],
            [11.0],
        ),
        ("float", {"low": 1.0, "high": 2.0, "step": 0.1}, [1.0, 1.1, 1.0 + 3 * 0.1], [1.05, "1"]),
    ],
)
def test_a_dimension_accepts_its_values_and_refuses_others(
    kind: str, fields: dict[str, Any], good: list[Any], bad: list[Any]
) -> None:
    dimension = Dimension("d", kind, **fields)

    for value in good:
        dimension.check(value)
    for value in bad:
        with pytest.raises(ValueError, match="d must be"):
            dimension.check(value)
