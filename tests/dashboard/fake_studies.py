"""Invented hyperparameter studies for the Search tab."""

import math
import random
from typing import Any


def study(num_done: int = 24, num_trials: int = 40, name: str = "cnn on digits") -> dict[str, Any]:
    """A study after `num_done` trials, two of which failed, with three more running."""
    seeded = random.Random(11)  # noqa: S311 -- the same study every time
    trials: list[dict[str, Any]] = []
    for number in range(num_done):
        value = round(0.9 - 0.5 * math.exp(-number / 6) - 0.12 * seeded.random(), 4)
        failed = number in {7, 15}
        trials.append(
            {
                "number": number,
                "state": "failed" if failed else "done",
                "value": None if failed else value,
                "peer": f"worker {number % 3}",
            }
        )
    running = min(3, num_trials - num_done)
    trials += [
        {"number": num_done + k, "state": "running", "value": None, "peer": f"worker {k}"}
        for k in range(running)
    ]
    done = [trial for trial in trials if trial["state"] == "done"]
    best = max(done, key=lambda trial: trial["value"], default=None)
    return {
        "id": f"{name} {num_trials}",
        "name": name,
        "strategy": "tpe",
        "direction": "maximize",
        "metric": "accuracy",
        "finished": running == 0,
        "complete": True,
        "num_trials": num_trials,
        "num_running": running,
        "num_done": len(done),
        "num_failed": num_done - len(done),
        "best": None
        if best is None
        else {
            "number": best["number"],
            "value": best["value"],
            "model": "keras-cnn",
            "params": {"learning_rate": 0.00213, "batch_size": 32, "optimizer": "adam"},
        },
        "history": trials,
        "workers": [
            {"peer": f"worker {k}", "name": f"peer-{k + 1}", "trial": num_done + k, "num_done": 8}
            for k in range(running)
        ],
    }
