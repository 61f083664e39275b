"""Keras trials on more than small tables: CIFAR-10 in its official layout, own models, times."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from swarm.learning.datasets.cifar_binary import (
    FOLDER,
    NUM_CLASSES,
    ROW_BYTES,
    ROWS_PER_FILE,
    TEST_FILES,
    TRAIN_FILES,
)
from swarm.learning.estimators.table_source import TableSource
from swarm.learning.search.trial_records import EpochReport, TrialTask
from swarm.learning.search.trial_runner import check_task, run_trial

OWN = "tests.learning.search.own_models:small"


@pytest.fixture
def cifar_dir(tmp_path: Path) -> Path:
    """Files of CIFAR-10's size and layout; the brighter an image, the greater its class."""
    rows = np.zeros((ROWS_PER_FILE, ROW_BYTES), np.uint8)
    rows[:, 0] = np.arange(ROWS_PER_FILE) % NUM_CLASSES
    rows[:, 1:] = rows[:, :1] * 25
    folder = tmp_path / FOLDER
    folder.mkdir()
    first = folder / TRAIN_FILES[0]
    first.write_bytes(rows.tobytes())
    for name in (*TRAIN_FILES[1:], *TEST_FILES):
        (folder / name).symlink_to(first)
    return tmp_path


@pytest.mark.slow
def test_a_keras_trial_learns_cifar10_from_the_folder_that_was_named(cifar_dir: Path) -> None:
    data = TableSource("cifar10", data_dir=str(cifar_dir), max_examples=400)
    params = {"learning_rate": 0.003, "batch_size": 16}
    task = TrialTask("keras-lenet", params, data, "accuracy", folds=1, epochs=4)
    reports: list[EpochReport] = []

    outcome = run_trial(task, reports.append)

    assert outcome.error is None
    assert outcome.value is not None
    assert outcome.value > 0.2  # chance is 0.1
    assert [report.epoch for report in reports] == [1, 2, 3, 4]


@pytest.mark.slow
def test_a_user_s_own_model_takes_hyperparameters_besides_those_of_training() -> None:
    params = {"units": 16, "learning_rate": 0.02}
    task = TrialTask(OWN, params, TableSource("iris"), "accuracy", 2, epochs=8, allow_code=True)

    outcome = run_trial(task)
    unknown = run_trial(
        TrialTask(OWN, {"uints": 16}, TableSource("iris"), "accuracy", 2, allow_code=True)
    )

    assert outcome.value is not None
    assert outcome.value > 0.6  # chance is a third
    assert "unexpected keyword argument 'uints'" in (unknown.error or "")


@pytest.mark.slow
def test_log_loss_is_the_same_however_a_model_computes_its_softmax() -> None:
    own = "tests.learning.search.own_models:softmax"
    losses = [
        run_trial(
            TrialTask(
                own, {"ending": k}, TableSource("iris"), "log_loss", 2, epochs=2, allow_code=True
            )
        ).value
        for k in ("activation", "operation")
    ]

    assert losses[0] is not None
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.slow
def test_a_model_that_exits_fails_its_trial_and_leaves_the_process() -> None:
    own = "tests.learning.search.own_models:leaves"

    outcome = run_trial(TrialTask(own, {}, TableSource("iris"), "accuracy", 2, allow_code=True))

    assert outcome.error == "the model's code called sys.exit(3)"


def test_code_does_not_run_without_permission() -> None:
    outcome = run_trial(TrialTask(OWN, {}, TableSource("iris"), "accuracy"))

    assert "it runs only on peers started with --allow-code" in (outcome.error or "")
    check_task(TrialTask(OWN, {}, TableSource("iris"), "accuracy", allow_code=True))


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["accuracy", "log_loss"])
def test_a_keras_training_that_diverges_is_an_error_without_a_score(
    tmp_path: Path, objective: str
) -> None:
    path = tmp_path / "big.csv"
    path.write_text("a,b,kind\n" + "1e30,2e37,x\n3e37,-1e30,y\n" * 20)
    params = {"optimizer": "sgd", "batch_size": 8, "standardise": False}
    data = TableSource(str(path), "csv")

    outcome = run_trial(TrialTask("keras-mlp", params, data, objective, 2, epochs=2))

    assert outcome.value is None
    assert outcome.error == "LearningError: loss is nan in epoch 1: the training diverged"


@pytest.mark.slow
def test_a_keras_model_distinguishes_times_within_one_minute(tmp_path: Path) -> None:
    path = tmp_path / "times.csv"
    rows = [f"{1_700_000_000 + i},{'early' if i < 20 else 'late'}\n" for i in range(40)]
    path.write_text("time,part\n" + "".join(rows))
    data = TableSource(str(path), "csv", target="part")
    params = {"learning_rate": 0.05}
    reports: list[EpochReport] = []
    task = TrialTask(
        "keras-mlp", params, data, "accuracy", 2, epochs=6, checkpoint_dir=str(tmp_path)
    )

    outcome = run_trial(task, reports.append)
    checkpoint = reports[2].checkpoint
    assert checkpoint is not None
    resumed = run_trial(replace(task, resume_path=checkpoint.path))

    assert (
        outcome.value or 0
    ) > 0.85  # chance is 0.5, and so is the result if all times are equal
    assert resumed.value == outcome.value


@pytest.mark.slow
def test_a_keras_model_refuses_what_float32_cannot_hold_by_column_and_value(
    tmp_path: Path,
) -> None:
    path = tmp_path / "big.csv"
    path.write_text("small,big,kind\n" + "1,2,a\n2,1e39,b\n" * 6)

    outcome = run_trial(TrialTask("keras-mlp", {}, TableSource(str(path), "csv"), "accuracy", 2))

    assert "column 'big' has 1e+39" in (outcome.error or "")
