"""digits and breast_cancer among six owners with few classes each, by a Dirichlet distribution."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress
from rich.table import Table
from sklearn import datasets

from benchmarks.ensembles.owners import found_ensemble
from benchmarks.ensembles.rules import TRAINED, Measured, measure
from swarm.learning.ensemble.labelled import LabelledRows, read_labelled
from swarm.learning.ensemble.models import fit_model
from swarm.learning.ensemble.proposing import propose_spec
from swarm.learning.partitioners.dirichlet import DirichletPartitioner

OWNERS, FOLDS, ALPHA = 6, 5, 0.1
LEARNER = "logistic"
RULES = ("auto", "mean", "hard", "stacking", TRAINED)
DATASETS = ("digits", "breast_cancer")


def measure_dataset(name: str, rules: tuple[str, ...], progress: Progress) -> dict[str, Any]:
    """Accuracy on one data set, mean over folds."""
    bunch = getattr(datasets, f"load_{name}")()
    x, y = np.asarray(bunch.data, np.float32), np.asarray(bunch.target, np.int64)
    task = progress.add_task(name, total=FOLDS)
    spec = propose_spec((x, y), name, task="classification").spec
    folds = np.random.default_rng(0).permutation(len(y)) % FOLDS
    runs, whole = [], []
    for fold in range(FOLDS):
        training = read_labelled((x[folds != fold], y[folds != fold]), spec)
        test = read_labelled((x[folds == fold], y[folds == fold]), spec)
        together = fit_model(training, spec, LEARNER, seed=fold).answers(test.x)
        whole.append(float((together.argmax(axis=1) == test.y).mean()))
        runs.append(_run(spec, training, test, fold, rules))
        progress.advance(task)
    alone = np.array([run.alone for run in runs])
    return {
        "dataset": name,
        "alone": float(alone.mean()),
        "best": float(alone.max(axis=1).mean()),
        **{rule: float(np.mean([run.rules[rule] for run in runs])) for rule in rules},
        "all_data": float(np.mean(whole)),
        "coverage": float(np.mean([run.coverage for run in runs])),
        "runs": [{"alone": run.alone, **run.rules} for run in runs],
    }


def _run(
    spec: Any, training: LabelledRows, test: LabelledRows, fold: int, rules: tuple[str, ...]
) -> Measured:
    parts = DirichletPartitioner(ALPHA).partition(
        training.y.astype(np.int64), OWNERS, np.random.default_rng(fold)
    )
    rows = [training.only(part) for part in parts]
    with tempfile.TemporaryDirectory(prefix="swarm-ensemble-") as folder:
        ensemble = found_ensemble(spec, rows, [LEARNER] * OWNERS, Path(folder))
        return measure(ensemble, test, rules, Path(folder))


def table(found: Sequence[dict[str, Any]]) -> Table:
    """Accuracy: a row for each data set."""
    shown = Table(
        title=f"Accuracy, {OWNERS} owners, labels by Dirichlet({ALPHA}), {LEARNER}, {FOLDS} folds"
    )
    shown.add_column("data set")
    rules = [rule for rule in RULES if rule in found[0]]
    words = {"auto": "default", "mean": "soft vote", "hard": "hard vote"}
    for name in ("one alone", "best alone", *(words.get(rule, rule) for rule in rules)):
        shown.add_column(name, justify="right")
    shown.add_column("all data", justify="right")
    shown.add_column("in 90 % set", justify="right")
    for row in found:
        figures = [row[key] for key in ("alone", "best", *rules, "all_data", "coverage")]
        shown.add_row(row["dataset"], *(f"{figure:.1%}" for figure in figures))
    return shown
