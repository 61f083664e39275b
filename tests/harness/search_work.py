"""The trial that every engine executes: a logistic regression on wine, three folds, some 10 ms."""

import importlib
import math
import os
import random
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from swarm.peer.processes.child_pipes import NICENESS

STUDY: dict[str, Any] = {
    "dataset": "wine",
    "models": {"logreg": {"C": {"float": [0.01, 100.0], "log": True}}},
}
C_LOW, C_HIGH = 0.01, 100.0


def prepare() -> None:
    """Keep numeric libraries to one thread, as peers' trial processes do."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"


def draw(chance: random.Random) -> float:
    """A setting, as a random search draws it."""
    return math.exp(chance.uniform(math.log(C_LOW), math.log(C_HIGH)))


@lru_cache(maxsize=1)
def give_way(niceness: int = NICENESS) -> None:
    """Be as nice as peers' trial processes are: others' load on the machine meets all alike."""
    os.nice(niceness)


def score(params: Mapping[str, Any]) -> float:
    """Run the trial here and return its accuracy."""
    give_way()
    runner = importlib.import_module("swarm.learning.search.trial_runner")
    records = importlib.import_module("swarm.learning.search.trial_records")
    tables = importlib.import_module("swarm.learning.tables.table_source")
    task = records.TrialTask("logreg", params, tables.TableSource("wine"), "accuracy", folds=3)
    outcome = runner.run_trial(task, lambda report: None, lambda: True)
    value: float = outcome.value
    return value
