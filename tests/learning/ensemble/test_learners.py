"""Learners by name: each fits, is stored, is read back, and answers alike."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from swarm.core.errors import ConfigurationError
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble.labelled import LabelledRows, read_labelled
from swarm.learning.ensemble.learners import LEARNERS, find_learner
from swarm.learning.ensemble.model_files import ModelRefusedError, load_model, save_model
from swarm.learning.ensemble.models import fit_model
from swarm.learning.ensemble.proposing import propose_spec
from swarm.learning.ensemble.validation import base_loss_of, loss_of

KERAS = [name for name in LEARNERS if name.startswith("keras-")]
QUICK = [
    (name, kind) for name, entry in LEARNERS.items() for kind in entry.kinds if name not in KERAS
]


def table(seed: int, num_rows: int = 160) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    size, age = rng.uniform(0, 10, num_rows), rng.uniform(0, 50, num_rows)
    town = rng.choice(["Rome", "Oslo", "Bern"], num_rows)
    score = size + 3 * (town == "Oslo") - age / 10 + rng.normal(0, 0.3, num_rows)
    return pd.DataFrame(
        {
            "size": np.where(rng.random(num_rows) < 0.1, np.nan, size),
            "age": age,
            "town": town,
            "regression": score,
            "classification": np.where(score > 3, "high", np.where(score > 1, "mid", "low")),
        }
    )


def problem(kind: str) -> tuple[EnsembleSpec, LabelledRows, LabelledRows]:
    frames = [
        table(seed)[["size", "age", "town", kind]].rename(columns={kind: "target"})
        for seed in (1, 2)
    ]
    spec = propose_spec(frames[0], kind).spec
    return spec, read_labelled(frames[0], spec), read_labelled(frames[1], spec)


@pytest.mark.parametrize(("name", "kind"), QUICK)
def test_a_learner_is_stored_and_answers_alike_and_better_than_a_constant(
    tmp_path: Path, name: str, kind: str
) -> None:
    spec, train, test = problem(kind)
    fitted = fit_model(train, spec, name, seed=0)
    (tmp_path / "model").write_bytes(save_model(fitted))

    loaded = load_model(tmp_path / "model", spec, name)

    answers = loaded.answers(test.x)
    assert np.array_equal(answers, fitted.answers(test.x))
    loss, base = loss_of(spec, answers, test.y), base_loss_of(spec, test.y)
    assert loss < (1.2 if name == "dummy" else 0.8) * base
    rows_inside = name in ("knn", "svm")
    assert fitted.carries_rows == rows_inside


@pytest.mark.slow
@pytest.mark.parametrize("name", KERAS)
def test_a_keras_learner_is_stored_and_answers_alike(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 64)
    x = rng.random((64, 8, 8, 1)).astype(np.float32) * 0.5 + 0.5 * y[:, None, None, None]
    spec = propose_spec((x, y), "bright").spec
    rows = read_labelled((x, y), spec)
    fitted = fit_model(rows, spec, name, seed=0)
    (tmp_path / "model").write_bytes(save_model(fitted))

    loaded = load_model(tmp_path / "model", spec, name)

    answers = loaded.answers(rows.x)
    np.testing.assert_allclose(answers, fitted.answers(rows.x), atol=1e-6)
    assert loss_of(spec, answers, rows.y) < 0.5 * base_loss_of(spec, rows.y)


def test_a_member_with_one_class_only_answers_with_it() -> None:
    spec, train, test = problem("classification")
    one = train.only(train.y == 1)

    answers = fit_model(one, spec, "gbr", seed=0).answers(test.x)

    assert (answers.argmax(axis=1) == 1).all()


def test_a_member_with_few_rows_and_rare_classes_fits_any_learner() -> None:
    spec, train, test = problem("classification")
    of_first, of_second = np.flatnonzero(train.y == 0)[:6], np.flatnonzero(train.y == 1)[:1]
    few = train.only(np.concatenate([of_first, of_second]))

    for name in ("knn", "svm", "logistic", "tree"):
        answers = fit_model(few, spec, name, seed=0).answers(test.x)
        np.testing.assert_allclose(answers.sum(axis=1), 1)


def test_an_unknown_learner_gets_a_hint_and_another_kind_the_fitting_ones() -> None:
    with pytest.raises(ConfigurationError, match="'gbr'"):
        find_learner("gbrr", "regression")
    with pytest.raises(ConfigurationError, match="logistic"):
        find_learner("ridge", "classification")


def test_code_of_a_users_own_runs_only_if_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(
        "import numpy as np\n"
        "class Mean:\n"
        "    def fit(self, x, y):\n"
        "        self.mean_ = np.float64(y.mean())\n"
        "    def predict(self, x):\n"
        "        return np.full(len(x), self.mean_)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    spec, train, test = problem("regression")
    with pytest.raises(ConfigurationError, match="--allow-code"):
        fit_model(train, spec, "mine:Mean", seed=0)
    fitted = fit_model(train, spec, "mine:Mean", seed=0, allow_code=True)
    (tmp_path / "model").write_bytes(save_model(fitted))

    with pytest.raises(ModelRefusedError, match="--allow-code"):
        load_model(tmp_path / "model", spec, "mine:Mean")
    with pytest.raises(ModelRefusedError, match=r"unknown type 'mine\.Mean'"):
        load_model(tmp_path / "model", spec, "gbr", allow_code=True)
    for own in ("gbr", "mine:Other"):
        with pytest.raises(ModelRefusedError, match=f"'mine:Mean' is code, and not .* '{own}'"):
            load_model(tmp_path / "model", spec, "mine:Mean", allow_code=True, only_code=own)
    loaded = load_model(
        tmp_path / "model", spec, "mine:Mean", allow_code=True, only_code="mine:Mean"
    )

    assert np.array_equal(loaded.answers(test.x), fitted.answers(test.x))
