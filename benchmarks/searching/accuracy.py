"""The best accuracy found with a number of trials, beside Optuna alone with the same seeds."""

import importlib
import statistics
from collections.abc import Mapping
from typing import Any

import optuna
from rich.progress import Progress
from rich.table import Table

from benchmarks.searching.studies import READY_WITHIN_S, document, open_swarm

DATASETS = ("digits", "breast_cancer", "wine", "iris")
SEEDS = 5
TRIALS = 60
SLOTS = 2
MODELS: dict[str, Any] = {
    "knn": {"n_neighbors": {"integer": [1, 30]}, "weights": ["uniform", "distance"]},
    "dtree": {"max_depth": {"integer": [1, 20]}},
    "svm": {
        "kernel": ["linear", "rbf"],
        "C": {"float": [0.01, 100.0], "log": True},
        "gamma": {"float": [0.0001, 1.0], "log": True, "when": {"kernel": "rbf"}},
    },
}
Found = dict[str, dict[str, list[float]]]


def measure(progress: Progress) -> Found:
    """Measure best accuracies by data set: a study on one peer with two slots, and Optuna."""
    task = progress.add_task("accuracy", total=len(DATASETS) * SEEDS)
    found: Found = {name: {"swarm": [], "Optuna": []} for name in DATASETS}
    with open_swarm(slots=SLOTS) as swarm:
        for name in DATASETS:
            for seed in range(SEEDS):
                progress.update(task, description=f"{name}, seed {seed}")
                fields = {"dataset": name, "strategy": "bayesian", "models": MODELS}
                study = swarm.here.submit(document(f"{name} {seed}", TRIALS, seed, **fields))
                best = study.wait(READY_WITHIN_S)
                found[name]["swarm"].append(best[1].value or 0.0 if best is not None else 0.0)
                found[name]["Optuna"].append(_optuna(name, seed))
                progress.advance(task)
    progress.remove_task(task)
    return found


def table(found: Found) -> Table:
    """Show means and deviations over the seeds."""
    shown = Table("data set", "swarm (TPE, 2 slots)", "Optuna alone (TPE)", "difference")
    for name, values in found.items():
        ours, theirs = values["swarm"], values["Optuna"]
        difference = statistics.mean(ours) - statistics.mean(theirs)
        shown.add_row(name, _words(ours), _words(theirs), f"{difference:+.4f}")
    return shown


def _words(values: list[float]) -> str:
    return f"{statistics.mean(values):.4f} ± {statistics.stdev(values):.4f}"


def _optuna(dataset: str, seed: int) -> float:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed)
    )
    study.optimize(lambda trial: _objective(trial, dataset, seed), n_trials=TRIALS)
    return float(study.best_value)


def _objective(trial: optuna.Trial, dataset: str, seed: int) -> float:
    model = trial.suggest_categorical("model", list(MODELS))
    if model == "knn":
        params: dict[str, Any] = {
            "n_neighbors": trial.suggest_int("n_neighbors", 1, 30),
            "weights": trial.suggest_categorical("weights", ["uniform", "distance"]),
        }
    elif model == "dtree":
        params = {"max_depth": trial.suggest_int("max_depth", 1, 20)}
    else:
        params = {
            "kernel": trial.suggest_categorical("kernel", ["linear", "rbf"]),
            "C": trial.suggest_float("C", 0.01, 100.0, log=True),
        }
        if params["kernel"] == "rbf":
            params["gamma"] = trial.suggest_float("gamma", 0.0001, 1.0, log=True)
    return _score(model, params, dataset, seed)


def _score(model: str, params: Mapping[str, Any], dataset: str, seed: int) -> float:
    runner = importlib.import_module("swarm.learning.search.trial_runner")
    records = importlib.import_module("swarm.learning.search.trial_records")
    data = importlib.import_module("swarm.learning.estimators.table_source").TableSource(dataset)
    task = records.TrialTask(model, params, data, "accuracy", folds=3, epochs=10, seed=seed)
    outcome = runner.run_trial(task, lambda report: None, lambda: True)
    return float(outcome.value)
