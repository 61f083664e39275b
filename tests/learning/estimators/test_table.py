"""Tables from named data sets and from files; every error names the place."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swarm.core.errors import DataError
from swarm.learning.estimators.table import load_table
from swarm.learning.estimators.table_source import TableSource
from swarm.learning.search.trial_records import TrialTask
from swarm.learning.search.trial_runner import _cut_table, run_trial


def _own(path: Path, **fields: Any) -> TableSource:
    return TableSource(str(path), path.suffix.removeprefix("."), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "shape", "num_classes"),
    [
        ("iris", (150, 4), 3),
        ("wine", (178, 13), 3),
        ("digits", (1797, 8, 8, 1), 10),
        ("breast_cancer", (569, 30), 2),
    ],
)
def test_named_data_sets(name: str, shape: tuple[int, ...], num_classes: int) -> None:
    table = load_table(TableSource(name))

    assert table.x.shape == shape
    assert table.x.dtype == np.float32
    assert len(table.classes) == num_classes
    assert set(table.y) == set(range(num_classes))


def test_a_csv_file_with_labels_of_any_spelling(tmp_path: Path) -> None:
    path = tmp_path / "flowers.csv"
    path.write_text("length,kind,width\n1.5,rose,2\n2.5,tulip,3\n3.5,rose,4e0\n")

    table = load_table(_own(path, target="kind"))

    assert table.classes == ("rose", "tulip")
    assert table.y.tolist() == [0, 1, 0]
    assert table.x.tolist() == [[1.5, 2.0], [2.5, 3.0], [3.5, 4.0]]


def test_the_last_column_is_the_target_and_may_be_a_number(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("\ufeffsize,price\r\n1,10.5\r\n2,20.5\r\n", encoding="utf-8")

    table = load_table(_own(path, kind="regression"))

    assert table.y.tolist() == [10.5, 20.5]
    assert table.classes == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "own.csv is empty"),
        ("a\n1\n", "must begin with a line of at least 2 column names"),
        ("a,b\n", "at least 1 line of values"),
        ("1,2\n3,4\n", "line of column names, got numbers"),
        ("a,a\n3,4\n", "column names must differ, 'a' is there 2 times"),
        ("a,,b\n3,4,5\n", "column names must not be empty, column 2 has none"),
        ("a,b\n3,x\ninf,y\n", "line 3: column 'a' must be a finite number, got 'inf'"),
        ("a,b\n1,\n2,x\n", "line 2: column 'b', the target, is missing, in this row only"),
        ("a,b\n1,x\n2,NA\n3,?\n", "line 3: column 'b', the target, is missing, in 2 of 3 rows"),
        ("a,b\nNA,x\n,y\n", "no column to predict from: column 'a' has no values: left out"),
        ("a,b\n1,x,y\n", "line 2: 2 values expected, got 3"),
        ("a,b\n1,x\n\n2,y\n", "line 3: an empty line"),
        ("a,b\n1,x\n1e200,y\n", r"line 3: column 'a' must be within 1e\+150 of 0, got '1e200'"),
        ("a,b\n1,x\n2,x\n", "column 'b' must have at least 2 classes, got 1"),
        ('a,b\n"1,x\n', "line 2: unexpected end of data"),
    ],
)
def test_a_malformed_csv_file_is_refused_by_line_and_column(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "own.csv"
    path.write_text(text)

    with pytest.raises(DataError, match=message):
        load_table(_own(path))


def test_other_invalid_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    with pytest.raises(DataError, match=r"own\.csv"):
        load_table(_own(path))
    path.write_bytes(b"a,b\n\0,x\n")
    with pytest.raises(DataError, match=r"own\.csv is no text: it holds zero bytes"):
        load_table(_own(path))
    path.write_text("a,b\n1,x\n2,y\n")
    with pytest.raises(DataError, match="no column 'c'; it has a, b"):
        load_table(_own(path, target="c"))
    with pytest.raises(DataError, match="line 2: column 'b' must be a finite number, got 'x'"):
        load_table(_own(path, kind="regression"))


def test_an_npz_file_is_used_without_its_test_split(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    x = np.arange(40, dtype=np.uint8).reshape(20, 2)
    np.savez(path, x_train=x, y_train=np.arange(20) % 2 + 1, x_test=x, y_test=np.full(20, 5))

    table = load_table(_own(path))

    assert table.classes == ("1", "2")
    assert table.examples(np.array([0, 1])).tolist() == [[0, 1], [2, 3]]


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    task = TrialTask("knn", {"n_neighbors": 1}, _own(path), "accuracy", folds=2)
    path.write_text("a,b\n" + "0,x\n1,y\n" * 10)
    first = run_trial(task).value
    path.write_text("a,b\n" + "0,x\n0,y\n0,x\n1,y\n" * 10)

    assert first == 1.0
    assert run_trial(task).value != 1.0


def test_a_sample_has_fewer_examples_and_the_same_shares() -> None:
    task = TrialTask("knn", {}, TableSource("digits", max_examples=100), "accuracy", folds=2)

    outcome = run_trial(task)

    table, folds = _cut_table(task)
    assert np.bincount(table.y).tolist() == pytest.approx([10] * 10, abs=1)
    assert sum(len(test) for _, test in folds) == 100
    assert outcome.value is not None
    assert outcome.value < run_trial(TrialTask("knn", {}, TableSource("digits"), "accuracy")).value


def test_blank_lines_at_the_end_of_a_csv_file_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("a,b\n1,x\n2,y\n\n  \n\n")

    assert load_table(_own(path)).x.tolist() == [[1.0], [2.0]]


@pytest.mark.parametrize("model", ["knn", "dtree", "forest", "logreg", "svm", "mlp"])
def test_times_in_seconds_since_1970_stay_different(tmp_path: Path, model: str) -> None:
    path = tmp_path / "times.csv"
    rows = [f"{1_700_000_000 + i},{'early' if i < 9 else 'late'}\n" for i in range(18)]
    path.write_text("time,part\n" + "".join(rows * 3))
    params: dict[str, Any] = {"mlp": {"learning_rate_init": 0.1}, "svm": {"kernel": "linear"}}

    table = load_table(_own(path, target="part"))
    outcome = run_trial(
        TrialTask(model, params.get(model, {}), _own(path), "accuracy", folds=3, epochs=30)
    )

    assert len(np.unique(table.examples(np.arange(54)))) == 18
    assert outcome.value is not None
    assert outcome.value > 0.9  # 0.5 if all times were equal


@pytest.mark.parametrize("model", ["dtree", "forest"])
def test_trees_distinguish_times_beside_a_0_that_means_none(tmp_path: Path, model: str) -> None:
    path = tmp_path / "times.csv"
    times = [1_700_000_000 + i if i % 10 else 0 for i in range(300)]
    rows = [f"{time},{'early' if i < 150 else 'late'}\n" for i, time in enumerate(times)]
    path.write_text("time,part\n" + "".join(rows))

    outcome = run_trial(TrialTask(model, {}, _own(path), "accuracy"))

    assert outcome.value is not None
    assert outcome.value > 0.9


@pytest.mark.parametrize("model", ["knn", "dtree", "forest", "logreg"])
def test_scikit_learn_takes_numbers_beyond_float32(tmp_path: Path, model: str) -> None:
    path = tmp_path / "big.csv"
    path.write_text("big,kind\n" + "1e39,a\n3e39,b\n" * 12)

    outcome = run_trial(TrialTask(model, {}, _own(path), "accuracy", folds=2))

    assert outcome.value == 1.0
    assert load_table(_own(path)).beyond_float32 == "column 'big' has 1e+39"


@pytest.mark.parametrize("model", ["knn", "dtree", "logreg", "svm"])
def test_the_same_numbers_score_the_same_by_csv_and_npz(tmp_path: Path, model: str) -> None:
    iris = importlib.import_module("sklearn.datasets").load_iris()
    as_csv, as_npz = tmp_path / "iris.csv", tmp_path / "iris.npz"
    rows = [",".join(map(repr, x.tolist())) for x in iris.data]
    lines = [f"{row},{y}\n" for row, y in zip(rows, iris.target, strict=True)]
    as_csv.write_text("a,b,c,d,kind\n" + "".join(lines))
    np.savez(as_npz, x_train=iris.data, y_train=iris.target)

    tasks = [TrialTask(model, {}, _own(path), "log_loss", folds=5) for path in (as_csv, as_npz)]
    first, second = (run_trial(task) for task in tasks)

    assert len(load_table(_own(as_npz)).y) == 150
    assert first.value is not None
    assert first.value == second.value


def test_a_file_that_came_as_a_blob_is_called_the_study_s_data(tmp_path: Path) -> None:
    path = tmp_path / ("0f" * 32)
    data = TableSource(str(path), "csv")
    path.write_text("a,b\n1,x\ninf,y\n")
    with pytest.raises(DataError, match=r"^the study's data, line 3: column 'a' must be a fin"):
        load_table(data)
    path.write_text("a,b\n1,x\n2,y\n")
    outcome = run_trial(TrialTask("knn", {}, data, "accuracy", folds=2))
    assert (outcome.error or "").startswith("DataError: the study's data: every class must")
    path.write_text("no zip")
    with pytest.raises(DataError, match=r"^the study's data must be an \.npz file"):
        load_table(TableSource(str(path), "npz"))


def test_times_and_values_that_are_too_large_in_an_npz_file(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    x = 1_700_000_000 + np.arange(18).reshape(18, 1)
    np.savez(path, x_train=x, y_train=np.arange(18) % 2)
    assert np.array_equal(load_table(_own(path)).examples(np.arange(18)), x)

    np.savez(path, x_train=np.array([[1.0], [1e200]]), y_train=np.array([0, 1]))
    with pytest.raises(
        DataError, match=r"own\.npz: x_train must be within 1e\+150 of 0, got 1e\+200"
    ):
        load_table(_own(path))
