"""A trial process whose estimators misbehave; tests start it in place of the real one."""

import os
import signal
import sys
import time
from typing import Any

import numpy as np

from swarm.learning.estimators import FAMILIES
from swarm.learning.estimators.family import State
from swarm.learning.estimators.hyperparameters import Integer, Real
from swarm.learning.estimators.objectives import Predictions
from swarm.peer.processes import trial_process as process


class Faulty:
    """Misbehaves in the epoch that its hyperparameter names, instead of learning."""

    hyperparameters = (Integer("epoch", 1), Real("seconds", 0.0))
    kinds = ("classification",)
    has_epochs = True

    def __init__(self, name: str) -> None:
        self.name = name
        self._epoch = 0
        self._seconds = 0.0

    def create(self, params: Any, problem: Any, seed: int) -> "Faulty":
        self._epoch = params.get("epoch", 1)
        self._seconds = params.get("seconds", 0.0)
        return self

    def train_epoch(self, x: Any, y: Any, epoch: int) -> float | None:
        if epoch == self._epoch:
            self._misbehave()
        return 0.5

    def _misbehave(self) -> None:
        match self.name:
            case "exits":
                sys.stderr.write("I exit\n")
                os._exit(3)
            case "segfaults":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "raises":
                raise MemoryError("too much")
            case "prints":
                print("noise")
                os.write(1, b"\0\0\0\1x")
            case "hangs":
                print("I hang", file=sys.stderr, flush=True)
                signal.pause()
            case "sleeps":
                time.sleep(self._seconds)  # noqa: TID251 - the time that a real fit takes

    def predict(self, x: Any) -> Predictions:
        return Predictions(np.zeros(len(x), np.int64))

    def state(self) -> State | None:
        return None

    def restore(self, state: State) -> None:
        """Nothing to restore."""


if __name__ == "__main__":
    for name in ("exits", "segfaults", "raises", "prints", "hangs", "sleeps"):
        FAMILIES[name] = Faulty(name)  # type: ignore[assignment]
    if len(sys.argv) > 1:
        sys.exit("cannot start")
    process.main()
