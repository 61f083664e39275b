"""House Prices in three shards: 5 folds x 2 seeds, each rule beside each member alone."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.progress import Progress
from rich.table import Table

from benchmarks.ensembles.owners import found_ensemble
from benchmarks.ensembles.rules import TRAINED, Measured, measure
from swarm.learning.ensemble.labelled import read_labelled
from swarm.learning.ensemble.models import fit_model
from swarm.learning.ensemble.proposing import propose_spec

TARGET = "SalePrice"
FOLDS, SEEDS, OWNERS = 5, 2, 3
RULES = ("auto", "mean", "median", "stacking", TRAINED)
GBR = ("gbr",) * OWNERS
WEAK = ("tree", "ridge", "forest")


def _random(table: pd.DataFrame, rng: np.random.Generator) -> Any:
    return rng.permutation(len(table)) % OWNERS


def _by_neighbourhood(table: pd.DataFrame, rng: np.random.Generator) -> Any:
    names = rng.permutation(sorted(table["Neighborhood"].unique()))
    owner_of = {name: number % OWNERS for number, name in enumerate(names)}
    return table["Neighborhood"].map(owner_of).to_numpy()


def _by_year(table: pd.DataFrame, _: np.random.Generator) -> Any:
    return np.clip(table["YrSold"].to_numpy() - 2007, 0, 2)


SPLITS: dict[str, tuple[Callable[[pd.DataFrame, np.random.Generator], Any], Sequence[str]]] = {
    "random": (_random, GBR),
    "neighbourhood": (_by_neighbourhood, GBR),
    "year sold": (_by_year, GBR),
    "random, weak learners": (_random, WEAK),
}


def measure_split(
    table: pd.DataFrame, split: str, rules: tuple[str, ...], progress: Progress
) -> dict[str, Any]:
    """RMSLE of one split, mean over folds and seeds."""
    task = progress.add_task(f"House Prices, {split}", total=FOLDS * SEEDS)
    runs, whole = [], []
    for seed in range(SEEDS):
        folds = np.random.default_rng(seed).permutation(len(table)) % FOLDS
        for fold in range(FOLDS):
            training = table[folds != fold].reset_index(drop=True)
            test = table[folds == fold].reset_index(drop=True)
            run, together = _run(training, test, split, FOLDS * seed + fold, rules)
            runs.append(run)
            whole.append(together)
            progress.advance(task)
    return _summary(split, runs, whole)


def _run(
    training: pd.DataFrame, test: pd.DataFrame, split: str, seed: int, rules: tuple[str, ...]
) -> tuple[Measured, float]:
    shard_of, learners = SPLITS[split]
    owners = shard_of(training, np.random.default_rng(1000 + seed))
    parts = [training[owners == number].reset_index(drop=True) for number in range(OWNERS)]
    spec = propose_spec(
        parts[0],
        "prices",
        target=TARGET,
        settings={"seed": seed, "transform": "log1p", "metric": "rmsle"},
    ).spec
    asked = read_labelled(test, spec)
    together = []
    for learner in sorted(set(learners)):
        model = fit_model(read_labelled(training, spec), spec, learner, seed=seed)
        errors = model.answers(asked.x)[:, 0] - asked.y
        together.append(float(np.sqrt(np.square(errors).mean())))
    with tempfile.TemporaryDirectory(prefix="swarm-ensemble-") as folder:
        rows = [read_labelled(part, spec) for part in parts]
        ensemble = found_ensemble(spec, rows, learners, Path(folder))
        return measure(ensemble, asked, rules, Path(folder)), float(np.mean(together))


def _summary(split: str, runs: Sequence[Measured], whole: Sequence[float]) -> dict[str, Any]:
    alone = np.array([run.alone for run in runs])
    return {
        "split": split,
        "alone": float(alone.mean()),
        "best": float(alone.min(axis=1).mean()),
        **{rule: float(np.mean([run.rules[rule] for run in runs])) for rule in runs[0].rules},
        "all_data": float(np.mean(whole)),
        "coverage": float(np.mean([run.coverage for run in runs])),
        "accused": float(max(run.accused for run in runs)),
        "runs": [{"alone": run.alone, **run.rules, "coverage": run.coverage} for run in runs],
    }


def table(found: Sequence[dict[str, Any]]) -> Table:
    """RMSLE: a row for each split."""
    shown = Table(title=f"House Prices, RMSLE, {FOLDS} folds x {SEEDS} seeds, {OWNERS} owners")
    shown.add_column("split")
    rules = [rule for rule in RULES if rule in found[0]]
    names = ["one alone", "best alone", *("default" if r == "auto" else r for r in rules)]
    for name in (*names, "all data", "in 90 % interval", "honest rows off, most"):
        shown.add_column(name, justify="right")
    for row in found:
        figures = [row[key] for key in ("alone", "best", *rules, "all_data")]
        shown.add_row(
            row["split"],
            *(f"{figure:.4f}" for figure in figures),
            f"{row['coverage']:.1%}",
            f"{row['accused']:.1%}",
        )
    return shown
