"""One contract, run by every family of estimators."""

import subprocess
import sys

import numpy as np
import pytest

from swarm.core.errors import ConfigurationError, LearningError
from swarm.learning.estimators import FAMILIES, find_family
from swarm.learning.estimators.family import Estimator, Family, Problem
from swarm.learning.estimators.hyperparameters import Choice, Integer, Value, check_params
from swarm.learning.estimators.table_source import TableSource
from swarm.learning.search.trial_records import TrialTask
from swarm.learning.search.trial_runner import run_trial

EVERY: dict[str, dict[str, Value]] = {
    "knn": {"n_neighbors": 3, "weights": "distance", "metric": "minkowski", "p": 1.5},
    "dtree": {
        "max_depth": 8,
        "max_leaf_nodes": 90,
        "min_samples_split": 3,
        "min_samples_leaf": 2,
        "max_features": 0.9,
        "ccp_alpha": 0.0001,
        "criterion": "entropy",
    },
    "forest": {
        "n_estimators": 20,
        "bootstrap": False,
        "max_depth": 9,
        "max_leaf_nodes": 90,
        "min_samples_split": 2,
        "min_samples_leaf": 1,
        "max_features": "sqrt",
        "ccp_alpha": 0.0,
        "criterion": "gini",
    },
    "logreg": {
        "C": 0.5,
        "l1_ratio": 0.1,
        "solver": "saga",
        "max_iter": 20,
        "tol": 0.01,
        "fit_intercept": True,
        "class_weight": "balanced",
        "standardise": True,
    },
    "svm": {
        "C": 2.0,
        "kernel": "poly",
        "gamma": 0.05,
        "degree": 2,
        "coef0": 1.0,
        "tol": 0.001,
        "max_iter": 1000,
        "class_weight": "none",
        "standardise": True,
    },
    "mlp": {
        "hidden_layer_sizes": "64-32",
        "activation": "tanh",
        "solver": "sgd",
        "learning_rate_init": 0.1,
        "alpha": 0.0001,
        "momentum": 0.9,
        "batch_size": 32,
        "epochs": 5,
        "standardise": True,
    },
    "keras-lenet": {
        "learning_rate": 0.05,
        "batch_size": 32,
        "optimizer": "sgd",
        "momentum": 0.9,
        "weight_decay": 0.0001,
        "epochs": 4,
        "standardise": False,
    },
    "keras-cnn": {"learning_rate": 0.003, "batch_size": 32, "optimizer": "adam", "epochs": 3},
    "keras-mlp": {"learning_rate": 0.005, "batch_size": 16, "optimizer": "adamw", "epochs": 5},
}
"""Values with which each family learns digits; for most families, of all hyperparameters."""
DIGITS = TableSource("digits", max_examples=600)
IMAGES = Problem("classification", (8, 8, 1), 10, needs_probabilities=True)


def _is_keras(name: str) -> bool:
    return name in ("keras-lenet", "keras-cnn", "keras-mlp")


@pytest.fixture(
    params=[
        pytest.param(name, marks=[pytest.mark.slow] if _is_keras(name) else [])
        for name in FAMILIES
    ]
)
def family(request: pytest.FixtureRequest) -> Family:
    return find_family(request.param)


@pytest.fixture
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Ten easily separated classes of examples, in the shape that families take."""
    rng = np.random.default_rng(0)
    y = np.arange(100) % 10
    x = rng.normal(0.0, 0.1, (100, 8, 8, 1)).astype(np.float32)
    x[np.arange(100), y % 8, y // 8] += 1.0
    return x, y


class TestEveryFamily:
    def test_learns_digits_with_each_of_its_hyperparameters(self, family: Family) -> None:
        task = TrialTask(family.name, EVERY[family.name], DIGITS, "accuracy", folds=2, seed=3)

        outcome = run_trial(task)

        assert outcome.error is None
        assert outcome.value is not None
        assert outcome.value > 0.6  # chance is 0.1
        assert outcome.metrics["accuracy"] == outcome.value

    def test_the_same_seed_gives_the_same_value(self, family: Family) -> None:
        task = TrialTask(family.name, EVERY[family.name], DIGITS, "log_loss", folds=2, seed=3)

        assert run_trial(task).value == run_trial(task).value

    def test_gives_labels_and_probabilities_of_all_classes(
        self, family: Family, digits: tuple[np.ndarray, np.ndarray]
    ) -> None:
        x, y = digits
        model = family.create({}, IMAGES, 1)
        model.train_epoch(x[y < 9], y[y < 9], 1)  # the last class is not in this fold

        predictions = model.predict(x)

        assert predictions.labels.shape == (100,)
        assert predictions.probabilities is not None
        assert predictions.probabilities.shape == (100, 10)
        np.testing.assert_allclose(predictions.probabilities.sum(axis=1), 1.0, atol=1e-6)

    def test_refuses_an_unknown_hyperparameter_by_name(self, family: Family) -> None:
        with pytest.raises(ConfigurationError, match=f"{family.name} has no hyperparameter 'neig"):
            check_params(family.name, family.hyperparameters, {"neighbours": 3})

    def test_refuses_values_of_the_wrong_kind_by_name(self, family: Family) -> None:
        for declared in family.hyperparameters:
            for value in (None, [], "no such word", float("nan"), -1e9, b"1"):
                with pytest.raises(ConfigurationError, match=f"{family.name}.{declared.name} "):
                    check_params(family.name, family.hyperparameters, {declared.name: value})

    def test_state_is_arrays_that_another_model_of_the_family_continues_from(
        self, family: Family, digits: tuple[np.ndarray, np.ndarray]
    ) -> None:
        x, y = digits
        first, second = (family.create({}, IMAGES, 1) for _ in range(2))
        first.train_epoch(x, y, 1)
        state = first.state()
        if state is None:
            with pytest.raises(LearningError, match="no checkpoints"):
                second.restore({})
            return
        before = {key: array.copy() for key, array in state.items()}
        first.train_epoch(x, y, 2)

        second.restore(before)
        second.train_epoch(x, y, 2)

        _assert_same(first, second)
        with pytest.raises(LearningError, match="another model"):
            second.restore({key: array[..., None] for key, array in before.items()})


@pytest.mark.parametrize("name", ["knn", "dtree", "forest", "svm", "mlp"])
def test_learns_a_regression(name: str) -> None:
    params: dict[str, Value] = {
        "svm": {"C": 100.0, "epsilon": 1.0},
        "mlp": {"epochs": 60, "learning_rate_init": 0.01},
        "dtree": {"max_depth": 4, "criterion": "squared_error"},
    }.get(name, {})
    data = TableSource("diabetes", kind="regression")

    outcome = run_trial(TrialTask(name, params, data, "r2", folds=3))

    assert outcome.error is None
    assert outcome.value is not None
    assert outcome.value > 0.1  # predicting the mean gives 0
    assert outcome.metrics["rmse"] > 0


@pytest.mark.parametrize(
    ("name", "params", "text"),
    [
        ("dtree", {"criterion": "poisson"}, "criterion of a classification must be one of gini"),
        ("svm", {"epsilon": 0.1}, "epsilon has no meaning in a classification"),
        (
            "keras-lenet",
            {"momentum": 0.9},
            "momentum is for sgd and rmsprop, not for adam",
        ),
    ],
)
@pytest.mark.slow
def test_values_that_exclude_each_other_are_an_error_that_names_them(
    name: str, params: dict[str, Value], text: str
) -> None:
    outcome = run_trial(TrialTask(name, params, DIGITS, "accuracy", folds=2))

    assert outcome.error is not None
    assert text in outcome.error


def test_true_is_not_an_integer_and_one_is_not_true() -> None:
    assert Integer("n", 0).fault(True)
    assert Choice("bootstrap", (True, False)).fault(1)


@pytest.mark.slow
def test_trials_of_scikit_learn_do_not_import_keras_and_checks_import_neither() -> None:
    script = (
        "import sys\n"
        "from swarm.learning.search.trial_records import TrialTask\n"
        "from swarm.learning.estimators.table_source import TableSource\n"
        "from swarm.learning.search.trial_runner import check_task, run_trial\n"
        "task = TrialTask('knn', {'n_neighbors': 3}, TableSource('iris'), 'log_loss')\n"
        "check_task(task)\n"
        "assert 'sklearn' not in sys.modules\n"
        "assert run_trial(task).error is None\n"
        "assert not {'keras', 'tensorflow'} & sys.modules.keys()\n"
    )

    subprocess.run([sys.executable, "-c", script], check=True)


def _assert_same(first: Estimator, second: Estimator) -> None:
    one, other = first.state(), second.state()
    assert one is not None
    assert other is not None
    assert one.keys() == other.keys()
    for key in one:
        np.testing.assert_array_equal(one[key], other[key])
