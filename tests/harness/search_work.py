"""The trial that all engines execute: logistic regression on wine, three folds, about 10 ms."""

import importlib
import math
import os
import random
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from swarm.peer.processes.child_pipes import TRIAL_NICENESS

STUDY: dict[str, Any] = {
    "dataset": "wine",
    "models": {"logreg": {"C": {"float": [0.01, 100.0], "log": True}}},
}
C_LOW, C_HIGH = 0.01, 100.0


def prepare() -> None:
    """Limit numeric libraries to one thread, as in peers' trial processes."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"


def draw(chance: random.Random) -> float:
    """A setting drawn as a random search draws it."""
    return math.exp(chance.uniform(math.log(C_LOW), math.log(C_HIGH)))


@lru_cache(maxsize=1)
def give_way(niceness: int = TRIAL_NICENESS) -> None:
    """Set the niceness of peers' trial processes, so that other load affects all engines alike."""
    os.nice(niceness)


def score(params: Mapping[str, Any]) -> float:
    """Run the trial in this process and return its accuracy."""
    give_way()
    runner = importlib.import_module("swarm.learning.search.trial_runner")
    records = importlib.import_module("swarm.learning.search.trial_records")
    tables = importlib.import_module("swarm.learning.estimators.table_source")
    task = records.TrialTask("logreg", params, tables.TableSource("wine"), "accuracy", folds=3)
    outcome = runner.run_trial(task, lambda report: None, lambda: True)
    value: float = outcome.value
    return value
