"""A spec from the first member's data, and how another member's data differs from it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from swarm.core.errors import ConfigurationError, DataError
from swarm.learning.ensemble.labelled import (
    append_labelled,
    load_labelled,
    read_labelled,
    write_labelled,
)
from swarm.learning.ensemble.models import fit_model
from swarm.learning.ensemble.proposing import check_spec, propose_spec

RNG = np.random.default_rng(0)
N = 60
FRAME = pd.DataFrame(
    {
        "Id": np.arange(N),
        "area": RNG.uniform(50, 200, N),
        "town": RNG.choice(["Rome", "Oslo"], N),
        "sold": pd.to_datetime("2020-01-01") + pd.to_timedelta(RNG.integers(0, 900, N), "D"),
        "price": RNG.lognormal(12, 0.8, N).round(2),
    }
)
SPEC = propose_spec(FRAME, "houses", target="price").spec


def test_prices_are_learnt_as_logarithms_and_scored_by_rmsle() -> None:
    assert (SPEC.task, SPEC.transform, SPEC.metric) == ("regression", "log1p", "rmsle")
    assert [(column.name, column.kind) for column in SPEC.columns] == [
        ("area", "number"),
        ("town", "category"),
        ("sold", "date"),
        ("price", "target"),
    ]


def test_other_targets_stay_as_they_are() -> None:
    even = propose_spec(FRAME.assign(price=RNG.normal(0, 1, N)), "even", target="price").spec
    classes = propose_spec(FRAME, "towns", target="town").spec

    assert (even.transform, even.metric) == ("none", "rmse")
    assert (classes.task, classes.metric) == ("classification", "log-loss")
    assert classes.classes == ("Oslo", "Rome")


def test_settings_and_a_wrong_one() -> None:
    spec = propose_spec(FRAME, "x", target="price", settings={"combination": "median"}).spec

    assert spec.combination == "median"
    with pytest.raises(ConfigurationError, match="quorum must be in"):
        propose_spec(FRAME, "x", target="price", settings={"quorum": 2.0})
    with pytest.raises(ConfigurationError, match="task must be one of"):
        propose_spec(FRAME, "x", task="ranking")


def test_the_founders_data_differ_in_nothing_but_what_is_not_used() -> None:
    assert [(one.column, one.is_error) for one in check_spec(FRAME, SPEC)] == [("Id", False)]


def test_each_difference_names_the_column_and_what_to_do() -> None:
    other = FRAME.drop(columns=["Id", "sold"]).assign(
        area=["large"] * N, town=["Bern"] * (N // 2) + ["Rome"] * (N // 2), colour="red"
    )

    found = {one.column: one for one in check_spec(other.rename(columns={"price": "Price"}), SPEC)}

    assert {name: one.is_error for name, one in found.items()} == {
        "area": True,
        "town": False,
        "sold": False,
        "price": True,
        "colour": False,
        "Price": False,
    }
    assert "must hold numbers, got 'large' in row 1" in found["area"].text
    assert "'Bern'" in found["town"].text
    assert "counts as missing" in found["sold"].text
    assert "'Price'" in found["price"].text


def test_classes_and_kinds_of_data_that_do_not_fit_are_errors() -> None:
    classes = propose_spec(FRAME, "towns", target="town").spec
    images = propose_spec((np.zeros((4, 8, 8), np.float32), np.arange(4) % 2), "images").spec

    (unknown,) = [
        one for one in check_spec(FRAME.replace("Oslo", "Bern"), classes) if one.is_error
    ]
    (table,) = check_spec(FRAME, images)
    shape, label = check_spec((np.zeros((4, 9, 9)), np.arange(4)), images)

    assert "'Bern'" in unknown.text
    assert table.is_error
    assert "takes arrays" in table.text
    assert "(9, 9)" in shape.text
    assert "'2'" in label.text


def test_a_member_without_a_column_and_with_others_categories_fits_and_answers() -> None:
    mine = FRAME.drop(columns=["area"]).replace("Oslo", "Bern")
    fitted = fit_model(read_labelled(mine, SPEC), SPEC, "gbr", seed=0)

    answers = fitted.answers(read_labelled(FRAME, SPEC).x)

    assert answers.shape == (N, 1)
    assert np.isfinite(answers).all()


def test_rows_are_added_behind_those_that_are_there(tmp_path: Path) -> None:
    path = tmp_path / "rows.swl"

    for part in (FRAME.iloc[:40], FRAME.iloc[40:]):
        append_labelled(path, read_labelled(part, SPEC), SPEC)

    held, whole = load_labelled(path, SPEC), read_labelled(FRAME, SPEC)
    assert np.array_equal(held.y, whole.y)
    assert isinstance(held.x, pd.DataFrame)
    assert isinstance(whole.x, pd.DataFrame)
    assert held.x.equals(whole.x)


def test_rows_without_a_target_are_left_out_and_a_wrong_target_is_named() -> None:
    gaps = FRAME.assign(price=[np.nan, *FRAME["price"][1:]])

    assert len(read_labelled(gaps, SPEC)) == N - 1
    with pytest.raises(DataError, match="greater than -1"):
        read_labelled(FRAME.assign(price=-5.0), SPEC)


def test_a_damaged_file_of_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.swl"
    write_labelled(path, read_labelled(FRAME, SPEC), SPEC)
    whole = path.read_bytes()

    for data in (b"", whole[:20], whole[:-8], whole[:-8] + np.float64(np.nan).tobytes()):
        path.write_bytes(data)
        with pytest.raises(DataError):
            load_labelled(path, SPEC)
