"""An exported model predicts from tables as people have them, in the target's own unit."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swarm.core.errors import ConfigurationError, DataError
from swarm.core.session import SessionSpec
from swarm.learning.__main__ import main
from swarm.learning.backend import keras
from swarm.learning.data_config import DataConfig
from swarm.learning.datasets import describe
from swarm.learning.federation import jobs
from swarm.learning.federation.learner import Learner
from swarm.learning.federation.table_model import TableModel, columns_path, write_columns

pytestmark = [
    pytest.mark.slow,
    # Keras 3.15 converts TensorFlow's variables in a way that numpy 2 warns about.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't:DeprecationWarning"),
]

RNG = np.random.default_rng(0)
SIZES = RNG.uniform(20, 200, 400)
CITIES = np.array(["Rome", "Oslo"])[RNG.integers(0, 2, 400)]
PRICES = 3_000 * SIZES + 100_000 * (CITIES == "Rome")


def _write(path: Path, target: Any, name: str) -> Path:
    rows = zip(SIZES, CITIES, target, strict=True)
    path.write_text(f"size,city,{name}\n" + "".join(f"{a},{b},{c}\n" for a, b, c in rows))
    return path


def _trained(folder: Path, table: Path, rounds: int = 3) -> tuple[Path, float]:
    """Train with the session's defaults; return the exported model and its score."""
    config = DataConfig("own", data_path=str(table))
    spec = SessionSpec(model="mlp", dataset="own", **describe(config).spec_fields)
    learner = Learner(jobs.Initialise(spec, config))
    weights = learner.create_weights(jobs.CreateWeights(str(folder))).path
    for number in range(1, rounds + 1):
        weights = learner.train(jobs.Train(weights, number, str(folder)), lambda: True).path
    exported = learner.export(jobs.Export(weights, str(folder / "model.keras")))
    score = learner.evaluate_weights(jobs.EvaluateWeights(weights)).accuracy
    return Path(exported.path), score


def test_a_regression_learns_with_the_defaults_and_predicts_in_its_own_unit(
    tmp_path: Path,
) -> None:
    table = _write(tmp_path / "homes.csv", PRICES, "price")
    model, score = _trained(tmp_path, table)

    found = TableModel(model).predict({"city": ["Rome", "Oslo"], "size": [100.0, 100.0]})

    assert score > 0.8
    assert (found.target, found.probabilities) == ("price", None)
    assert found.values == pytest.approx([400_000, 300_000], rel=0.25)


def test_classes_come_out_by_their_names(tmp_path: Path) -> None:
    table = _write(tmp_path / "homes.csv", np.where(SIZES > 100, "large", "small"), "kind")
    model, score = _trained(tmp_path, table)

    found = TableModel(model).predict(table)

    assert score > 0.8
    assert found.classes == ("large", "small")
    assert found.probabilities is not None
    assert found.probabilities.sum(axis=1) == pytest.approx(np.ones(400))
    assert float((found.values == np.where(SIZES > 100, "large", "small")).mean()) > 0.8


def test_predictions_on_the_command_line(tmp_path: Path) -> None:
    table = _write(tmp_path / "homes.csv", PRICES, "price")
    model, _ = _trained(tmp_path, table, rounds=1)
    command = [sys.executable, "-m", "swarm.learning"]

    done = subprocess.run(
        [*command, "predict", str(model), str(table)], capture_output=True, text=True, check=True
    )
    measured = subprocess.run(
        [*command, "evaluate", str(model), "--data", str(table)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert len(done.stdout.splitlines()) == 401
    assert done.stdout.startswith("price\n")
    assert "on 80 test examples of own data (homes.csv)" in measured.stdout


def test_predictions_say_how_dates_were_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "days.csv"
    days = [f"{n % 12 + 1:02d}/{n % 9 + 1:02d}/2020" for n in range(60)]
    table.write_text("day,price\n" + "".join(f"{day},{n}.5\n" for n, day in enumerate(days)))
    model, _ = _trained(tmp_path, table, rounds=1)
    command = ["swarm.learning", "predict", str(model), str(table)]

    monkeypatch.setattr(sys, "argv", command)
    assert main() == 0
    assert "note: dates of column 'day' are read as day, month, year" in capsys.readouterr().err

    monkeypatch.setattr(sys, "argv", [*command, "--output", str(tmp_path / "no" / "x.csv")])
    assert main() == 2
    assert "does not exist: --output" in capsys.readouterr().err


def test_a_model_with_a_fixed_number_of_rows_is_measured_and_predicts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = _write(tmp_path / "homes.csv", PRICES, "price")
    config = DataConfig("own", data_path=str(table))
    spec = SessionSpec(model="mlp", dataset="own", **describe(config).spec_fields)
    inputs = keras.Input(batch_shape=(7, *spec.input_shape))
    top = keras.layers.Dense(1)
    keras.Model(inputs, top(keras.ops.reshape(inputs, inputs.shape))).save(tmp_path / "a.keras")
    write_columns(spec, tmp_path / "a.keras")
    command = ["swarm.learning", "evaluate", str(tmp_path / "a.keras"), "--data", str(table)]
    monkeypatch.setattr(sys, "argv", command)

    exit_code = main()

    assert exit_code == 0
    said = capsys.readouterr()
    assert "on 80 test examples of own data (homes.csv)" in said.out
    assert "no test rows were given: 80 of 400 are held out" in said.err
    assert len(TableModel(tmp_path / "a.keras").predict(table).values) == 400


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    table = _write(tmp_path / "homes.csv", PRICES, "price")
    model, _ = _trained(tmp_path, table, rounds=1)

    with pytest.raises(DataError, match="column 'size' is missing: add it"):
        TableModel(model).predict({"city": ["Rome"], "price": [1.0]})
    columns_path(model).write_text("{}")
    with pytest.raises(ConfigurationError, match=r"model\.columns\.json is damaged"):
        TableModel(model)
    write_columns(SessionSpec(), model)  # an export of a model for images, under the same name
    with pytest.raises(ConfigurationError, match=r"model\.columns\.json is missing"):
        TableModel(model)
