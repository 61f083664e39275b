"""Trials: folds, reports, errors as outcomes, checkpoints and exact resumption."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from swarm.core.errors import ConfigurationError, DataError
from swarm.learning.estimators.table import load_table
from swarm.learning.estimators.table_source import TableSource
from swarm.learning.search.folds import make_folds
from swarm.learning.search.trial_records import EpochReport, TrialOutcome, TrialTask
from swarm.learning.search.trial_runner import check_task, run_trial

IRIS = TableSource("iris")
KNN = TrialTask("knn", {"n_neighbors": 3}, IRIS, "accuracy")
MLP = TrialTask("mlp", {"learning_rate_init": 0.01}, IRIS, "accuracy", epochs=4)


class TestFolds:
    @pytest.mark.parametrize("num_folds", [1, 2, 5])
    def test_every_class_is_in_every_fold_and_no_example_is_on_both_sides(
        self, num_folds: int
    ) -> None:
        table = load_table(IRIS)

        folds = make_folds(table, num_folds, seed=7)

        assert len(folds) == num_folds
        for train, test in folds:
            assert not set(train) & set(test)
            assert len(train) + len(test) == 150
            assert np.bincount(table.y[test]).tolist() == pytest.approx([len(test) / 3] * 3, abs=1)
        if num_folds > 1:
            assert sorted(np.concatenate([test for _, test in folds])) == list(range(150))

    def test_the_seed_decides_the_folds(self) -> None:
        table = load_table(IRIS)

        first, same, other = (make_folds(table, 3, seed) for seed in (1, 1, 2))

        assert all(np.array_equal(a, b) for a, b in zip(first[0], same[0], strict=True))
        assert not np.array_equal(first[0][1], other[0][1])

    def test_too_few_examples_of_a_class_are_refused_by_its_name(self) -> None:
        with pytest.raises(DataError, match="'class_2' has 48"):
            make_folds(load_table(TableSource("wine")), 60, 0)


class TestReports:
    def test_each_epoch_is_reported_and_the_last_report_has_the_value(self) -> None:
        reports: list[EpochReport] = []

        outcome = run_trial(MLP, reports.append)

        assert [report.epoch for report in reports] == [1, 2, 3, 4]
        assert reports[-1].value == outcome.value
        assert outcome.epochs == 4
        assert {"accuracy", "log_loss", "train_loss"} <= reports[0].metrics.keys()

    def test_epochs_may_be_a_hyperparameter(self) -> None:
        assert run_trial(replace(MLP, params={"epochs": 2})).epochs == 2

    def test_a_fit_without_epochs_reports_nothing(self) -> None:
        reports: list[EpochReport] = []

        run_trial(replace(KNN, epochs=9), reports.append)

        assert reports == []

    def test_a_trial_stopped_between_epochs_has_the_value_of_the_last_one(self) -> None:
        reports: list[EpochReport] = []

        outcome = run_trial(MLP, reports.append, lambda: len(reports) < 2)

        assert outcome.stopped
        assert (outcome.epochs, outcome.value) == (2, reports[1].value)

    def test_a_trial_stopped_before_its_first_epoch_has_no_value(self) -> None:
        outcome = run_trial(KNN, go_on=lambda: False)

        assert outcome.stopped
        assert outcome.value is None


class TestErrors:
    @pytest.mark.parametrize(
        ("task", "text"),
        [
            (replace(KNN, model="knm"), "model must be one of knn, .* got 'knm'"),
            (replace(KNN, params={"n_neighbours": 3}), "did you mean 'n_neighbors'"),
            (
                replace(KNN, params={"n_neighbors": 0}),
                "n_neighbors must be an integer of at least",
            ),
            (replace(KNN, data=TableSource("irisses")), "data must be one of iris, .* 'irisses'"),
            (replace(KNN, data=TableSource("iris", kind="regression")), "'iris' is for classif"),
            (replace(KNN, data=TableSource("iris", target="x")), "a target column is for CSV"),
            (replace(KNN, objective="acuracy"), "must be one of accuracy, .* got 'acuracy'"),
            (replace(KNN, objective="rmse"), "objective of a classification must be one of"),
            (
                TrialTask("keras-lenet", {}, TableSource("diabetes", kind="regression"), "r2"),
                "models.keras-lenet is for classification, not for regression",
            ),
        ],
    )
    def test_a_wrong_task_is_refused_before_it_runs(self, task: TrialTask, text: str) -> None:
        with pytest.raises(ConfigurationError, match=text):
            check_task(task)

        assert "ConfigurationError" in (run_trial(task).error or "")

    def test_an_exception_of_a_library_is_an_outcome(self) -> None:
        outcome = run_trial(replace(KNN, params={"n_neighbors": 1000}))

        assert outcome.value is None
        assert outcome.error is not None
        assert outcome.error.startswith("ValueError: Expected n_neighbors <= n_samples")

    def test_a_training_that_diverges_is_an_error(self) -> None:
        params = {"learning_rate_init": 1e100, "solver": "sgd", "activation": "identity"}
        reports: list[EpochReport] = []

        outcome = run_trial(
            replace(MLP, params=params, objective="log_loss", epochs=9), reports.append
        )

        assert outcome.value is None
        assert outcome.error is not None
        assert outcome.error.startswith("LearningError: ")
        assert outcome.error.endswith(f"in epoch {len(reports) + 1}: the training diverged")

    def test_an_outcome_has_a_value_or_an_error(self) -> None:
        with pytest.raises(ValueError, match="a value or an error"):
            TrialOutcome(None, {}, (), 0, 0.0)
        with pytest.raises(ValueError, match=r"folds must be in 1\.\.32, got 0"):
            replace(KNN, folds=0)


@pytest.mark.slow
class TestCheckpoints:
    TASK = TrialTask(
        "keras-mlp", {"optimizer": "adam", "batch_size": 16}, IRIS, "log_loss", folds=2, epochs=5
    )

    def test_a_trial_resumed_elsewhere_ends_with_the_same_numbers(self, tmp_path: Path) -> None:
        whole: list[EpochReport] = []
        rest: list[EpochReport] = []
        task = replace(self.TASK, checkpoint_dir=str(tmp_path))
        expected = run_trial(task, whole.append)
        checkpoint = whole[1].checkpoint
        assert checkpoint is not None

        resumed = run_trial(replace(task, resume_path=checkpoint.path), rest.append)

        assert resumed.value == expected.value
        assert [r.epoch for r in rest] == [3, 4, 5]
        assert [r.metrics for r in rest] == [r.metrics for r in whole[2:]]
        assert rest[-1].checkpoint is not None
        assert whole[-1].checkpoint is not None
        assert rest[-1].checkpoint.blob == whole[-1].checkpoint.blob

    def test_it_holds_optimizer_and_weights_of_every_fold_and_no_code(
        self, tmp_path: Path
    ) -> None:
        reports: list[EpochReport] = []

        run_trial(
            replace(self.TASK, checkpoint_dir=str(tmp_path), checkpoint_every=3), reports.append
        )

        written = [r.checkpoint for r in reports if r.checkpoint is not None]
        assert len(written) == 1
        with safe_open(written[0].path, framework="numpy") as file:
            keys = set(file.keys())
        assert {"000/weights/000", "001/weights/000", "001/optimizer/000"} <= keys
        assert Path(written[0].path).stat().st_size == written[0].blob.size_bytes

    def test_a_checkpoint_of_a_finished_trial_is_scored_and_not_trained(
        self, tmp_path: Path
    ) -> None:
        reports: list[EpochReport] = []
        task = replace(self.TASK, checkpoint_dir=str(tmp_path))
        expected = run_trial(task, reports.append)
        assert reports[-1].checkpoint is not None

        again = run_trial(replace(task, resume_path=reports[-1].checkpoint.path))

        assert again.value == expected.value
        assert again.epochs == 5

    def test_other_files_and_checkpoints_of_other_trials_are_refused(self, tmp_path: Path) -> None:
        reports: list[EpochReport] = []
        run_trial(replace(self.TASK, checkpoint_dir=str(tmp_path), epochs=1), reports.append)
        assert reports[0].checkpoint is not None
        junk, foreign = tmp_path / "junk", tmp_path / "foreign"
        junk.write_bytes(b"\x80\x04junk")
        save_file({"x": np.zeros(1)}, foreign)

        for path, text in (
            (reports[0].checkpoint.path, "not a checkpoint of this trial"),
            (str(junk), "is not a checkpoint"),
            (str(foreign), "not a checkpoint of this trial"),
            (str(tmp_path / "missing"), "is not a checkpoint"),
        ):
            outcome = run_trial(replace(self.TASK, seed=1, resume_path=path))

            assert text in (outcome.error or "")


def test_the_value_is_the_mean_of_the_folds() -> None:
    outcome = run_trial(replace(KNN, folds=5))

    assert len(outcome.fold_values) == 5
    assert outcome.value == pytest.approx(np.mean(outcome.fold_values))
    assert len(run_trial(replace(KNN, folds=1)).fold_values) == 1
