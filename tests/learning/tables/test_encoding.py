"""Columns are derived once; then every site encodes its rows in the same way."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm.core.columns import CATEGORIES_MAX
from swarm.core.errors import ConfigurationError, DataError
from swarm.learning.tables.encoding import (
    derive_columns,
    encode,
    feature_names,
    unknown_categories,
)
from swarm.learning.tables.reading import read_sheet
from swarm.learning.tables.sheet import Sheet
from swarm.learning.tables.target import (
    choose_target,
    labels_by,
    labels_of,
    numbers_of,
    recognise_task,
    with_target,
)


def _sheet(**columns: list[Any]) -> Sheet:
    return read_sheet({name: np.array(values) for name, values in columns.items()}, "site.csv")


FIRST = _sheet(
    age=["20", "30", "40", ""],
    city=["Rome", "Oslo", "Rome", "Oslo"],
    day=["1970-01-02", "1970-01-04", "1970-01-02", "1970-01-04"],
)


def test_numbers_dates_and_categories() -> None:
    columns = derive_columns(FIRST).columns

    assert [(c.name, c.kind, c.mean, c.has_missing) for c in columns] == [
        ("age", "number", 30.0, True),
        ("city", "category", 0.0, False),
        ("day", "date", 2.0, False),
    ]
    assert feature_names(columns) == (
        "age",
        "age missing",
        "city=Oslo",
        "city=Rome",
        "city=other",
        "day",
    )
    root = float(np.sqrt(1.5))
    assert encode(FIRST, columns) == pytest.approx(
        np.array(
            [
                [-root, 0, 0, 1, 0, -1],
                [0, 0, 1, 0, 0, 1],
                [root, 0, 0, 1, 0, -1],
                [0, 1, 1, 0, 0, 1],
            ]
        )
    )


def test_another_site_is_encoded_by_the_same_columns_in_any_order() -> None:
    columns = derive_columns(FIRST).columns
    other = _sheet(
        more=["x", "y"], day=["01.01.1970", "NA"], city=["Bergen", "Rome"], age=["1000", "NA"]
    )

    assert encode(other, columns).tolist() == [[10, 0, 0, 0, 1, -2], [0, 1, 0, 1, 0, 0]]
    assert unknown_categories(other, columns) == ("city (1 rows, as in 'Bergen')",)
    assert not unknown_categories(FIRST, columns)


def test_a_site_that_does_not_fit_hears_of_each_column_and_what_to_do() -> None:
    columns = derive_columns(FIRST).columns
    other = _sheet(age=["NA", "old", "young"], day=["7", "8", "9"])

    with pytest.raises(DataError) as caught:
        encode(other, columns)

    assert str(caught.value) == (
        "site.csv does not fit the session's columns: column 'age' must hold numbers, got 'old' "
        "in row 2: change it, or write NA where the value is missing; column 'city' is missing: "
        "add it, empty if nothing is known; column 'day' must hold dates, as in 2020-01-31, got "
        "'7' in row 1: change it, or write NA where the value is missing"
    )


def test_a_column_without_values_at_another_site_is_missing_there() -> None:
    columns = derive_columns(FIRST).columns
    other = _sheet(age=["", ""], city=["", "Rome"], day=["", ""])

    assert encode(other, columns).tolist() == [[0, 1, 0, 0, 1, 0], [0, 1, 0, 1, 0, 0]]


def test_codes_are_one_category_as_numbers_and_as_text() -> None:
    first = _sheet(code=["20", "60", "SC60"] * 2, b=[1] * 6).without("b")
    columns = derive_columns(first).columns

    assert encode(_sheet(code=["20.0", "60"], b=["1", "2"]), columns).tolist() == [
        [1, 0, 0, 0],
        [0, 1, 0, 0],
    ]


@pytest.mark.parametrize(
    ("columns", "note"),
    [
        (
            {"a": [f"id{i}" for i in range(12)]},
            "column 'a' holds 12 texts that all differ",
        ),
        ({"Id": [str(i) for i in range(12)]}, "column 'Id' holds numbers that all differ, and is"),
        ({"a": ["NA", ""] * 6}, "column 'a' has no values: left out"),
        ({"a": [f"t{i % 100}" for i in range(150)], "b": [1] * 150}, "100 different texts in 150"),
        ({"a": ["x", "y"]}, "column 'a' holds no text twice: left out"),
    ],
)
def test_columns_from_which_nothing_can_be_learnt_are_left_out(
    columns: dict[str, list[Any]], note: str
) -> None:
    length = len(next(iter(columns.values())))
    derived = derive_columns(_sheet(**columns, kept=list(range(length))))

    assert "kept" in [column.name for column in derived.columns]
    assert note in derived.notes[0]


def test_rare_categories_share_a_feature() -> None:
    texts = [f"c{i:03}" for i in range(CATEGORIES_MAX + 9)] * 5 + ["rare"]
    (column,) = derive_columns(_sheet(a=texts, b=[1] * len(texts)).without("b")).columns

    assert len(column.categories) == CATEGORIES_MAX
    assert column.categories == tuple(sorted(column.categories))
    encoded = encode(_sheet(a=["rare", "c000"], b=[1, 2]), (column,))
    assert encoded.argmax(axis=1).tolist() == [CATEGORIES_MAX, 0]


def test_a_description_that_is_too_long_for_a_message_is_refused() -> None:
    wide = {f"{i:0200}": ["1", "2"] for i in range(400)}

    with pytest.raises(DataError, match=r"names and categories of 400 columns take .* KiB, at mo"):
        derive_columns(_sheet(**wide))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.just(""), st.floats(-1e30, 1e30).map(repr)),
            st.sampled_from(["", "x", "y", "z", "NA"]),
        ),
        min_size=4,
        max_size=12,
    ),
    st.integers(0, 3),
)
def test_every_row_is_finite_and_does_not_depend_on_the_other_rows(
    rows: list[tuple[str, str]], row: int
) -> None:
    numbers, texts = zip(*rows, strict=True)
    sheet = _sheet(a=["1", *numbers], b=["x", *texts], c=["2"] * (len(rows) + 1))
    columns = derive_columns(sheet).columns

    encoded = encode(sheet, columns)

    assert np.isfinite(encoded).all()
    assert np.abs(encoded).max() <= 10
    alone = encode(sheet.only(np.array([row])), columns)
    assert np.array_equal(alone[0], encoded[row])


def test_the_target_is_named_or_found() -> None:
    sheet = _sheet(a=[1, 2], Label=[1, 2], b=[1, 2])

    assert choose_target(sheet, "a") == ("a", "")
    assert choose_target(sheet, None) == ("Label", "the target is column 'Label', by its name")
    assert choose_target(sheet.without("Label"), None)[0] == "b"
    with pytest.raises(DataError, match=r"no column 'Lable'; did you mean 'Label'\?"):
        choose_target(sheet, "Lable")


def test_rows_without_target_are_refused_or_counted() -> None:
    sheet = _sheet(a=[1, 2, 3], kind=["x", "NA", ""])

    with pytest.raises(
        DataError, match=r"site\.csv, row 2: column 'kind', the target, is missing, in 2 of 3 ro"
    ):
        with_target(sheet, "kind", "refuse")
    kept, note = with_target(sheet, "kind", "drop")
    assert (len(kept), kept.lines.tolist()) == (1, [1])
    assert note == "2 of 3 rows left out: their target 'kind' is missing"
    with pytest.raises(DataError, match="is missing in all rows"):
        with_target(_sheet(a=[1, 2], kind=["", ""]), "kind", "drop")
    with pytest.raises(ConfigurationError, match="must be one of refuse, drop, got 'ignore'"):
        with_target(sheet, "kind", "ignore")


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["x", "y", "x"], "classification"),
        (["true", "false", "true"], "classification"),
        ([0, 1, 1, 0], "classification"),
        ([1.0, 2.0, 3.0] * 4, "classification"),
        ([0.5, 1.5, 0.5], "regression"),
        (list(range(100)), "regression"),
        (["2020-01-01", "2020-01-02"] * 9, "regression"),
    ],
)
def test_the_task_follows_from_the_target(values: list[Any], task: str) -> None:
    assert recognise_task(_sheet(y=values, b=values).column("y")) == task


def test_labels_get_numbers() -> None:
    numbers = _sheet(y=[10, 9, 10, 8], b=[1, 2, 3, 4])

    assert labels_of(numbers, "y").names == ("8", "9", "10")
    assert not labels_of(numbers, "y").are_plain
    assert labels_of(numbers, "y", by_text=True).names == ("10", "8", "9")
    assert labels_of(_sheet(y=[1, 0, 2], b=[1, 2, 3]), "y").are_plain
    assert labels_by(numbers, "y", ("8", "9", "10")).tolist() == [2, 1, 2, 0]
    with pytest.raises(
        DataError, match="row 1: column 'y' has the class '10', in 2 rows, which the session does"
    ):
        labels_by(numbers, "y", ("8", "9"))
    with pytest.raises(DataError, match="row 1: column 'y' must be a finite number, got 'x'"):
        numbers_of(_sheet(y=["x", "1"], b=[1, 2]), "y")
