"""Tables as data of a session: derived at the first site, encoded alike at all others."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swarm.core.errors import DataError
from swarm.core.session import SessionSpec
from swarm.learning.data_config import DataConfig
from swarm.learning.datasets import DataDescription, describe, load_dataset
from swarm.learning.datasets.dataset import Dataset

ROWS = [("20", "Rome", "1000"), ("", "Oslo", "2000"), ("40", "Rome", "3000"), ("50", "Oslo", "")]


def _write(path: Path, rows: list[tuple[str, ...]], names: str = "age,city,income") -> Path:
    path.write_text("\n".join([names, *(",".join(row) for row in rows)]) + "\n")
    return path


def _config(path: Path, **fields: Any) -> DataConfig:
    return DataConfig("own", data_path=str(path), **fields)


def _load(path: Path, session: DataDescription | None, **fields: Any) -> Dataset:
    return load_dataset(_config(path, **fields), lambda progress: None, session)


def _everything(dataset: Dataset) -> np.ndarray[Any, Any]:
    parts = (dataset.train, dataset.test)
    return np.concatenate([part.x.take(np.arange(len(part.y))) for part in parts])


def test_the_first_site_describes_and_a_joiner_encodes(tmp_path: Path) -> None:
    notes: list[str] = []
    first = _write(tmp_path / "first.csv", ROWS * 10)

    described = describe(_config(first, target="city"), say=notes.append)

    assert notes[0] == (
        "first.csv: 40 rows, 3 columns, ',' between values: classification of 'city' from 2 "
        "columns, which give 4 numbers per row"
    )
    assert "8 of 40 are held out" in notes[1]
    assert (described.task, described.classes) == ("classification", ("Oslo", "Rome"))
    spec = SessionSpec(dataset="own", **described.spec_fields)
    session = DataDescription.of_session(spec)
    joiner = _load(_write(tmp_path / "joiner.csv", ROWS[2:] * 10), session)
    assert joiner.train.x.take(np.arange(3)).shape == (3, 4)
    assert joiner.train.x.take(np.arange(3)).dtype == np.float32
    assert sorted(set(joiner.train.y.tolist())) == [0, 1]


def test_a_site_with_one_of_the_classes_joins(tmp_path: Path) -> None:
    session = describe(_config(_write(tmp_path / "a.csv", ROWS * 10), target="city"))

    joiner = _load(_write(tmp_path / "b.csv", ROWS[:1] * 10), session)

    assert set(joiner.train.y.tolist()) == {1}


def test_the_same_rows_are_the_same_numbers_in_any_kind_of_file(tmp_path: Path) -> None:
    first = _write(tmp_path / "first.csv", ROWS * 10)
    session = describe(_config(first, target="city"))
    windows = tmp_path / "windows.csv"
    windows.write_bytes(first.read_text().replace(",", ";").encode("utf-16"))

    assert np.array_equal(_everything(_load(first, session)), _everything(_load(windows, session)))


def test_a_regression_is_standardised_by_the_session(tmp_path: Path) -> None:
    rows = [(str(i), f"{1000 * i + 0.5}") for i in range(50)]
    path = _write(tmp_path / "own.csv", rows, "size,price")

    session = describe(_config(path))
    dataset = _load(path, session)

    target = session.columns[-1]
    assert (session.task, session.num_classes, target.name) == ("regression", 1, "price")
    y = np.concatenate([dataset.train.y, dataset.test.y])
    assert (y.dtype, y.shape) == (np.float32, (50, 1))
    assert np.sort(y[:, 0] * target.scale + target.mean) == pytest.approx(
        np.arange(50) * 1000 + 0.5, abs=0.01
    )
    assert abs(float(dataset.train.y.mean())) < 1e-6


def test_rows_without_target_are_dropped_on_request(tmp_path: Path) -> None:
    path = _write(tmp_path / "own.csv", ROWS * 10)
    with pytest.raises(DataError, match=r"line 5: column 'income', the target, is missing, in 10"):
        describe(_config(path, target="income"))
    notes: list[str] = []

    config = {"target": "income", "missing_target": "drop", "task": "regression"}
    session = describe(_config(path, **config), say=notes.append)

    assert "10 of 40 rows left out: their target 'income' is missing" in notes
    assert sum(len(part.y) for part in (_load(path, session, **config).train,)) == 24


@pytest.mark.parametrize(
    ("rows", "names", "fields", "message"),
    [
        (ROWS, "age,town,income", {}, "no column 'city'; it has age, town, income"),
        (ROWS, "years,city,income", {}, "column 'age' is missing: add it, empty if nothing is"),
        (
            [("x", "Rome", "1")] * 4,
            "age,city,income",
            {},
            "column 'age' must hold numbers, got 'x'",
        ),
        ([("1", "Bergen", "1")] * 4, "age,city,income", {}, "line 2: column 'city' has the class"),
        (ROWS, "age,city,income", {"target": "age"}, "the session predicts 'city', not 'age'"),
        (ROWS[:1], "age,city,income", {}, "must have at least 2 rows with a target, got 1"),
    ],
)
def test_a_joiner_that_does_not_fit_is_told_why(
    tmp_path: Path,
    rows: list[tuple[str, ...]],
    names: str,
    fields: dict[str, Any],
    message: str,
) -> None:
    session = describe(_config(_write(tmp_path / "a.csv", ROWS * 10), target="city"))

    with pytest.raises(DataError, match=message):
        _load(_write(tmp_path / "b.csv", rows, names), session, **fields)


def test_what_differs_at_a_site_is_said(tmp_path: Path) -> None:
    rows = [(str(i % 7), "Rome" if i % 2 else "Oslo", "ab"[i % 2]) for i in range(40)]
    session = describe(_config(_write(tmp_path / "a.csv", rows, "n,city,y")))
    other = [(number, "Bergen", label, "1") for number, _, label in rows]

    dataset = _load(_write(tmp_path / "b.csv", other, "n,city,y,more"), session)

    assert "columns that the session does not use: more" in dataset.notes
    assert "categories that count as 'other' here: city (40 rows, as in 'Bergen')" in (
        dataset.doubts
    )


def test_tables_and_arrays_do_not_meet_in_one_session(tmp_path: Path) -> None:
    table, arrays = _write(tmp_path / "a.csv", ROWS * 10), tmp_path / "a.npz"
    np.savez(arrays, x_train=np.zeros((20, 4), np.float32), y_train=np.arange(20) % 2)

    with pytest.raises(DataError, match="is no table, but the session's data is: bring a table"):
        _load(arrays, describe(_config(table, target="city")))
    with pytest.raises(DataError, match="is a table, the session's data are arrays of shape"):
        _load(table, describe(_config(arrays)))
