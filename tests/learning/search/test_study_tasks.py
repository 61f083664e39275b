"""Records of a study become tasks of trials and back; what cannot run is refused early."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swarm.core.blobs import BlobRef
from swarm.core.errors import ConfigurationError, DataError
from swarm.core.ids import Digest, PeerId
from swarm.learning.estimators import FAMILIES
from swarm.learning.estimators.hyperparameters import EPOCHS_MAX
from swarm.learning.estimators.objectives import OBJECTIVES
from swarm.learning.estimators.table import DATA_NAMES
from swarm.learning.search.study_tasks import (
    Places,
    check_study,
    point_of,
    read_own_data,
    report_of,
    result_of,
    task_of,
)
from swarm.learning.search.trial_records import EpochReport
from swarm.learning.search.trial_runner import run_trial
from swarm.search import catalog, study
from swarm.search.study import StudySpec
from swarm.search.study_file import parse_study
from swarm.search.trial import COMPLETE, FAILED, PRUNED, Trial
from swarm.search.values import make_params

ME = PeerId("me")


def _study(models: dict[str, Any], **fields: Any) -> StudySpec:
    document = {"name": "s", "dataset": "iris", "num_trials": 5, "models": models, **fields}
    return parse_study(document, ME)


def _trial(spec: StudySpec, model: str, **params: Any) -> Trial:
    return Trial(spec.id, 0, model, make_params(params), 1, ME)


def test_an_estimator_and_a_study_allow_the_same_number_of_epochs() -> None:
    assert EPOCHS_MAX == study.EPOCHS_MAX


def test_everything_that_a_study_may_name_can_run() -> None:
    assert set(catalog.MODELS) == set(FAMILIES)
    assert set(catalog.DATASETS) - {catalog.FILE} == set(DATA_NAMES)
    assert {name: o.direction for name, o in OBJECTIVES.items()} == catalog.OBJECTIVES


@pytest.mark.parametrize(
    ("models", "message"),
    [
        (
            {"knn": {"n_neighbours": {"integer": [1, 9]}}},
            "^models.knn has no hyperparameter 'n_neigh",
        ),
        (
            {"knn": {"n_neighbors": {"integer": [0, 9]}}},
            "^models.knn.n_neighbors must be .* got 0",
        ),
        (
            {"svm": {"kernel": ["rbf", "cubic"]}},
            "^models.svm.kernel must be one of .* got 'cubic'",
        ),
        ({"logreg": {"C": 0}}, "^models.logreg.C must be a number above 0, got 0"),
        ({"mine:build": {}}, "models.mine:build: is custom code"),
    ],
)
def test_a_study_with_a_wrong_hyperparameter_is_refused_by_name(
    models: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        check_study(_study(models))


def test_a_model_that_is_code_needs_permission_and_an_installed_module() -> None:
    allowed = _study({"tests.learning.search.own_models:small": {"units": {"integer": [4, 8]}}})

    check_study(allowed, allow_code=True)
    with pytest.raises(ConfigurationError, match="started with --allow-code"):
        check_study(allowed)
    with pytest.raises(ConfigurationError, match="no module 'nowhere' here; install it"):
        check_study(_study({"nowhere.models:build": {}}), allow_code=True)
    with pytest.raises(ConfigurationError, match=r"learning_rate must be .* got -1"):
        check_study(_study({"tests:build": {"learning_rate": -1}}), allow_code=True)


def test_a_study_whose_objective_does_not_fit_its_data_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'iris' is for classification"):
        check_study(_study({"knn": {}}, objective="rmse"))
    with pytest.raises(ConfigurationError, match=r"^models\.logreg is for classification"):
        check_study(_study({"logreg": {}}, dataset="diabetes", objective="rmse"))
    check_study(_study({"knn": {"n_neighbors": {"integer": [1, 9]}}}))


def test_a_trial_runs_as_its_study_says() -> None:
    spec = _study({"mlp": {}}, folds=2, epochs_max=3, seed=5, examples_max=90)
    trial = _trial(spec, "mlp", learning_rate_init=0.01)
    reports: list[EpochReport] = []

    outcome = run_trial(task_of(spec, trial), reports.append)
    result = result_of(trial, outcome, map(point_of, reports))

    assert result.state == COMPLETE
    assert result.value == outcome.value
    assert [point.epoch for point in result.curve] == [1, 2, 3]
    assert len(result.fold_values) == 2
    assert report_of(trial, reports[0]).point == result.curve[0]
    assert result.curve[0].train_loss is not None


def test_stopped_and_failed_trials_have_different_states() -> None:
    spec = _study({"mlp": {}, "knn": {}})
    trial = _trial(spec, "mlp")
    reports: list[EpochReport] = []

    stopped = run_trial(task_of(spec, trial), reports.append, lambda: not reports)
    wrong = run_trial(task_of(spec, _trial(spec, "knn", n_neighbors=9999)))

    assert result_of(trial, stopped, ()).state == PRUNED
    assert result_of(trial, wrong, ()).state == FAILED
    assert "n_neighbors" in result_of(trial, wrong, ()).error


def test_data_that_is_not_on_this_machine_is_an_error() -> None:
    blob = BlobRef(Digest("0" * 64), 9)
    spec = _study({"knn": {}})
    own = replace(spec, dataset="file", data=blob, data_format="csv", target="b")
    trial = _trial(own, "knn")

    with pytest.raises(ConfigurationError, match="which is not on this machine"):
        task_of(own, trial)
    task = task_of(own, trial, Places(data_path="/blobs/0"))
    assert (task.data.name, task.data.file_format, task.data.target) == ("/blobs/0", "csv", "b")


def _own_study(path: Path, models: dict[str, Any], **fields: Any) -> StudySpec:
    document = {"name": "s", "data": path.name, "num_trials": 5, "models": models, **fields}
    if path.suffix == ".csv":
        document |= {"target": "kind"}
    return parse_study(document, ME, BlobRef(Digest("0" * 64), 9))


@pytest.mark.parametrize(
    ("text", "models", "fields", "message"),
    [
        ("1,x\n2,y\n,\n", {"knn": {}}, {}, r"own\.csv, line 4: column 'kind', the target, is"),
        ("1,x\n2,x\n3,x\n", {"knn": {}}, {}, r"own\.csv: column 'kind' must have at least 2 cl"),
        ("1,x\n2,x\n3,y\n4,y\n", {"knn": {}}, {}, r"own\.csv: every class must have at least 3"),
        ("1,x\n2,x\n3,x\n4,y\n", {"knn": {}}, {"folds": 1}, "at least 2 examples, .* 'y' has 1"),
        ("1,3\n2,x\n", {"knn": {}}, {"objective": "r2"}, r"own\.csv, line 3: column 'kind' must"),
        ("1e39,x\n2,y\n" * 3, {"knn": {}, "keras-mlp": {}}, {}, "column 'a' has 1e.39, and mod"),
        (
            "1,x\n2,y\n" * 3,
            {"keras-cnn": {}},
            {},
            r"own\.csv: model 'keras-cnn' needs examples of",
        ),
    ],
)
def test_a_file_that_no_trial_could_use_is_refused_on_submission(
    tmp_path: Path, text: str, models: dict[str, Any], fields: dict[str, Any], message: str
) -> None:
    path = tmp_path / "own.csv"
    path.write_text("a,kind\n" + text)

    with pytest.raises((DataError, ConfigurationError), match=message) as caught:
        read_own_data(_own_study(path, models, **fields), path)

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_trials_can_use_passes_and_so_does_a_named_data_set(tmp_path: Path) -> None:
    table, arrays = tmp_path / "own.csv", tmp_path / "own.npz"
    table.write_text("a,kind\n" + "1e39,1\n2,2\n" * 3)
    np.savez(arrays, x_train=np.zeros((9, 8, 8), np.uint8), y_train=np.arange(9) % 3)

    read_own_data(_own_study(table, {"knn": {}}), table)
    read_own_data(_own_study(table, {"knn": {}}, objective="rmse"), table)
    read_own_data(_own_study(arrays, {"keras-cnn": {}, "knn": {}}), arrays)
    np.savez(arrays, x_train=np.zeros((9, 2)), y_train=np.ones(9, np.int64))
    with pytest.raises(DataError, match=r"own\.npz: y_train must have at least 2 classes"):
        read_own_data(_own_study(arrays, {"knn": {}}), arrays)


@pytest.mark.slow
def test_a_file_is_checked_without_scikit_learn_and_keras(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("a,kind\n" + "1,x\n2,y\n" * 3)
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.learning.search.test_study_tasks import _own_study\n"
        "from swarm.learning.search.study_tasks import read_own_data\n"
        "path = Path(sys.argv[1])\n"
        "read_own_data(_own_study(path, {'knn': {}, 'keras-mlp': {}}), path)\n"
        "assert not {'sklearn', 'keras', 'tensorflow', 'scipy'} & sys.modules.keys()\n"
    )

    subprocess.run([sys.executable, "-c", script, str(path)], check=True)
