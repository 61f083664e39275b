"""Columns of a session: what a peer may claim about tables, and what is refused."""

from typing import Any

import pytest

from swarm.core.canonical import canonical_bytes
from swarm.core.columns import COLUMNS_BYTES_MAX, TARGET, Column, check_columns
from swarm.core.session import SessionSpec

CITY = Column("city", "category", ("Oslo", "Rome"), has_missing=True)
AGE = Column("age", mean=40.0, scale=2.0)
PRICE = Column("price", TARGET, mean=9.0, scale=3.0)


def test_the_features_of_a_column() -> None:
    assert (AGE.width, CITY.width, PRICE.width) == (1, 4, 0)
    assert SessionSpec(columns=(AGE, CITY, PRICE), input_shape=(5,)).columns[1] is CITY


def test_columns_change_the_session_s_id() -> None:
    specs = [
        SessionSpec(columns=(column, PRICE), input_shape=(1,))
        for column in (AGE, Column("age", mean=41.0, scale=2.0), Column("years", mean=40, scale=2))
    ]
    assert len({spec.id for spec in specs}) == 3
    assert b"0x1.4000000000000p+5" in canonical_bytes(AGE)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "text"}, "kind must be one of number, date, category, target, got 'text'"),
        ({"name": ""}, "a column's name must have 1 to 256 characters, got ''"),
        ({"mean": float("nan")}, "mean must be finite and scale positive, got nan and 1.0"),
        ({"scale": 0.0}, "mean must be finite and scale positive, got 0.0 and 0.0"),
        ({"categories": ("a",)}, "column 'a' is a number: it has no categories"),
        ({"kind": "category", "categories": ("b", "a")}, "must be sorted and differ"),
        ({"kind": "category", "categories": ("a", "a")}, "must be sorted and differ"),
        (
            {"kind": "category", "categories": tuple(f"{i:03}" for i in range(65))},
            "at most 64 categories, got 65",
        ),
        ({"kind": "category", "categories": ("x" * 129,)}, "at most 128 characters, got 'xxx"),
    ],
)
def test_a_column_that_breaks_a_rule_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Column(**{"name": "a", **fields})


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ((AGE,), "exactly one of the columns must be the target"),
        ((AGE, PRICE, Column("other", TARGET)), "exactly one of the columns must be the target"),
        ((AGE, Column("age", TARGET)), "names of columns must differ"),
        ((AGE, CITY, PRICE), r"columns give 5 features, input_shape is \(1,\)"),
    ],
)
def test_columns_that_do_not_fit_are_refused(columns: tuple[Column, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SessionSpec(columns=columns, input_shape=(1,))


def test_columns_must_fit_in_a_message() -> None:
    many = [
        Column(f"{i}", "category", tuple(f"{k:0128}" for k in range(10)))
        for i in range(COLUMNS_BYTES_MAX // 1280 + 1)
    ]

    with pytest.raises(ValueError, match=f"at most {COLUMNS_BYTES_MAX} bytes together, got"):
        check_columns((*many, PRICE), (11 * len(many),))
