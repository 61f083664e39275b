"""Rows that come later: appended once, refused with a reason, measured for drift."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from swarm.core.columns import CATEGORY, NUMBER, TARGET, Column
from swarm.core.errors import DataError, StorageError
from swarm.core.ids import PeerId
from swarm.ensemble.records import NO_DRIFT
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble import jobs, new_rows
from swarm.learning.ensemble.labelled import ADDED, load_labelled, read_labelled, write_labelled

SPEC = EnsembleSpec(
    "prices",
    "regression",
    (
        Column("area", NUMBER),
        Column("age", NUMBER, has_missing=True),
        Column("town", CATEGORY, ("a", "b")),
        Column("price", TARGET),
    ),
)


def _table(num_rows: int, seed: int, *, shift: float = 0.0, factor: float = 1.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    area = rng.normal(100 + shift, 10, num_rows)
    age = rng.uniform(0, 50, num_rows)
    price = factor * (3 * area - age) + rng.normal(0, 1, num_rows)
    town = rng.choice(["a", "b"], num_rows)
    return pd.DataFrame({"area": area, "age": age, "town": town, "price": price})


@pytest.fixture
def place(tmp_path: Path) -> jobs.Place:
    place = jobs.Place(SPEC, PeerId("me"), tmp_path / "rows.swl", tmp_path / "validation")
    write_labelled(place.rows, read_labelled(_table(200, 0), SPEC), SPEC)
    return place


def _add(place: jobs.Place, table: pd.DataFrame, name: str = "new.csv") -> new_rows.Added:
    path = place.rows.parent / name
    table.to_csv(path, index=False)
    return new_rows.add_rows(place, path, name)


def test_new_rows_come_last(place: jobs.Place) -> None:
    before = load_labelled(place.rows, SPEC)

    added = _add(place, _table(30, 1))

    after = load_labelled(place.rows, SPEC)
    assert added == new_rows.Added(30, 0, 230)
    np.testing.assert_array_equal(after.y[:200], before.y)
    assert sorted(after.y[200:]) == pytest.approx(sorted(_table(30, 1)["price"]))


def test_rows_of_a_file_are_put_into_a_random_order(place: jobs.Place) -> None:
    _add(place, _table(30, 1).sort_values("price"))

    added = load_labelled(place.rows, SPEC).y[200:]
    assert (np.diff(added) < 0).any()


def test_a_file_that_is_given_again_adds_nothing(place: jobs.Place) -> None:
    _add(place, _table(30, 1))
    _add(place, _table(20, 2), "other.csv")

    assert _add(place, _table(30, 1), "renamed.csv") == new_rows.Added(0, 0, 250)


def test_a_file_is_added_if_a_crash_came_before_its_rows_were_written(
    place: jobs.Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(new_rows, "append_labelled", crash)
        with pytest.raises(KeyboardInterrupt):
            _add(place, _table(30, 1))

    assert _add(place, _table(30, 1)) == new_rows.Added(30, 0, 230)


def test_a_file_is_added_if_the_disk_refused_it_and_then_took_another(
    place: jobs.Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StorageError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(new_rows, "append_labelled", fail)
        with pytest.raises(StorageError):
            _add(place, _table(30, 1))
    _add(place, _table(20, 2), "other.csv")

    assert _add(place, _table(30, 1)) == new_rows.Added(30, 0, 250)


def test_rows_that_make_the_members_file_too_large_are_refused_and_the_file_stays(
    place: jobs.Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = place.rows.read_bytes()
    monkeypatch.setattr("swarm.learning.tables.limits.BYTES_MAX", len(before) + 100)

    with pytest.raises(DataError, match=r"a member's file of 230 labelled rows has .* MiB"):
        _add(place, _table(30, 1))

    assert place.rows.read_bytes() == before
    assert _add(place, _table(1, 2)) == new_rows.Added(1, 0, 201)


def test_rows_without_a_target_are_left_out_and_counted(place: jobs.Place) -> None:
    table = _table(30, 1)
    table.loc[:4, "price"] = np.nan

    assert _add(place, table) == new_rows.Added(25, 5, 225)


def test_a_file_without_a_known_column_is_refused(place: jobs.Place) -> None:
    with pytest.raises(DataError, match=r"new\.csv lacks columns .* 'area'; add them"):
        _add(place, _table(30, 1).drop(columns="area"))

    assert len(load_labelled(place.rows, SPEC)) == 200


def test_texts_where_numbers_are_due_are_refused_with_their_place(place: jobs.Place) -> None:
    table = _table(30, 1).astype({"area": object})
    table.loc[3, "area"] = "large"

    with pytest.raises(DataError, match=r"column 'area' must hold numbers, got 'large' in line 5"):
        _add(place, table)


def test_damaged_notes_are_refused(place: jobs.Place) -> None:
    (place.rows.parent / ADDED).write_text("[]")

    with pytest.raises(DataError, match=r"added\.json is damaged"):
        _add(place, _table(30, 1))


@pytest.fixture
def fitted(place: jobs.Place, tmp_path: Path) -> jobs.FitResult:
    work = tmp_path / "work"
    work.mkdir()
    return jobs.fit(place, "linear", work, 0.0)


def _drift(place: jobs.Place, fitted: jobs.FitResult) -> new_rows.Drift:
    return new_rows.drift(place, fitted.model, fitted.path, 2.0)


def test_without_new_rows_nothing_drifts(place: jobs.Place, fitted: jobs.FitResult) -> None:
    assert _drift(place, fitted) == NO_DRIFT


def test_like_rows_do_not_drift(place: jobs.Place, fitted: jobs.FitResult) -> None:
    _add(place, _table(100, 1))

    drift = _drift(place, fitted)

    assert drift.value <= drift.threshold == 2.0


def test_a_column_that_moved_is_named(place: jobs.Place, fitted: jobs.FitResult) -> None:
    _add(place, _table(100, 1, shift=30.0))

    drift = _drift(place, fitted)

    assert drift.value > drift.threshold
    assert "column 'area'" in drift.detail


def test_a_rule_that_changed_shows_in_the_errors(
    place: jobs.Place, fitted: jobs.FitResult
) -> None:
    _add(place, _table(100, 1, factor=1.2))

    drift = _drift(place, fitted)

    assert drift.value > drift.threshold
    assert "the model's errors" in drift.detail


def test_errors_of_classes_are_what_the_truth_lacks() -> None:
    spec = EnsembleSpec(
        "c", "classification", input_shape=(2,), classes=("a", "b"), metric="log-loss"
    )
    answers = np.array([[0.9, 0.1], [0.2, 0.8]])

    errors = new_rows.errors_of(spec, answers, np.array([0.0, 0.0]))

    np.testing.assert_allclose(errors, [0.1, 0.8])
