"""Studies on tables as people have them: mixed columns, gaps, targets that are missing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swarm.core.blobs import BlobRef
from swarm.core.errors import DataError
from swarm.core.ids import Digest, PeerId
from swarm.learning.estimators.table import load_table
from swarm.learning.estimators.table_source import TableSource
from swarm.learning.search.study_tasks import OwnData, read_own_data
from swarm.learning.search.trial_records import TrialTask
from swarm.learning.search.trial_runner import run_trial
from swarm.search.study_file import parse_study

MIXED = "age,city,income,kind\n" + "".join(
    f"{20 + i % 40},{city},{'' if i % 4 == 0 else i * 10},{'a' if city == 'Rome' else 'b'}\n"
    for i, city in enumerate(["Rome", "Oslo", ""] * 20)
)


def _read_own(path: Path, missing_target: str = "refuse", **fields: Any) -> OwnData:
    document = {"name": "s", "data": path.name, "num_trials": 5, "models": {"knn": {}}, **fields}
    spec = parse_study(document, PeerId("me"), BlobRef(Digest("0" * 64), 9))
    return read_own_data(spec, path, missing_target)


@pytest.mark.parametrize("model", ["knn", "dtree", "forest", "logreg", "svm", "mlp"])
def test_every_model_takes_a_mixed_table(tmp_path: Path, model: str) -> None:
    path = tmp_path / "mixed.csv"
    path.write_text(MIXED)

    outcome = run_trial(
        TrialTask(model, {}, TableSource(str(path), "csv", target="kind"), "accuracy", epochs=30)
    )

    assert outcome.error is None
    assert (outcome.value or 0) > 0.6


def test_categories_and_gaps_become_features(tmp_path: Path) -> None:
    path = tmp_path / "mixed.csv"
    path.write_text(MIXED)

    table = load_table(TableSource(str(path), "csv", target="kind"))

    assert table.columns == (
        *("age", "city=Oslo", "city=Rome", "city=other", "city missing"),
        *("income", "income missing"),
    )
    assert int(np.isnan(table.x).sum()) == 15
    assert table.beyond_float32 == ""


def test_a_missing_number_becomes_the_mean_of_the_training_fold_only(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("a,y\n1,p\n3,q\n,p\n1000,q\n")
    table = load_table(TableSource(str(path), "csv"))

    fill = table.fill(np.array([0, 1, 2]))

    assert fill is not None
    assert table.examples(np.array([2, 3]), fill).tolist() == [[2.0, 1.0], [1000.0, 0.0]]
    assert load_table(TableSource("iris")).fill(np.arange(9)) is None


def test_a_missing_target_is_refused_by_its_line_or_dropped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("a,kind\n" + "1,x\n2,NA\n3,y\n" * 5)

    with pytest.raises(DataError, match=r"csv, line 3: column 'kind', the target, .* 5 of 15"):
        _read_own(path, target="kind")
    own = _read_own(path, "drop", target="kind")

    assert own.notes == ("5 of 15 rows left out: their target 'kind' is missing",)
    assert own.data == b"sep=,\na,kind\r\n" + b"1.0,x\r\n3.0,y\r\n" * 5


def test_a_table_is_sent_as_it_is_if_all_peers_read_it_alike(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    text = "größe;kind\n" + "1,5;x\n2;y\n" * 5
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path.write_text(text, encoding)
        assert _read_own(path, target="kind").data == path.read_bytes()
    path.write_text(text, "cp1252")

    own = _read_own(path, target="kind")

    assert own.data == "sep=,\ngröße,kind\r\n".encode() + b"1.5,x\r\n2.0,y\r\n" * 5
    assert own.summary.endswith("10 rows, 2 columns, ';' between values, cp1252, decimal commas")


def test_excel_is_sent_as_csv_and_is_the_same_table(tmp_path: Path) -> None:
    import pandas as pd  # noqa: PLC0415 - only here

    source, sent = tmp_path / "own.csv", tmp_path / ("0f" * 32)
    source.write_text(MIXED)
    pd.read_csv(source).to_excel(tmp_path / "own.xlsx", index=False)

    sent.write_bytes(_read_own(tmp_path / "own.xlsx", target="kind").data)

    before, after = (
        load_table(TableSource(str(path), "csv", target="kind")) for path in (source, sent)
    )
    assert np.array_equal(before.x, after.x, equal_nan=True)
    assert (before.columns, before.classes) == (after.columns, after.classes)
    assert np.array_equal(before.y, after.y)


def test_a_file_of_another_peer_is_read_as_text_whatever_it_begins_with(tmp_path: Path) -> None:
    blob = tmp_path / ("0f" * 32)
    blob.write_bytes(b"PAR1 is no Parquet here")

    with pytest.raises(DataError, match=r"^the study's data must begin with a line of at least 2"):
        load_table(TableSource(str(blob), "csv"))
