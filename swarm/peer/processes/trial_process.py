"""`python -m swarm.peer.processes.trial_process`: runs trials from stdin, answers on stdout."""

import importlib
import logging
import os
import threading
from collections import deque

from swarm.learning.search.trial_records import EpochReport
from swarm.peer.processes.child_pipes import TRIAL_NICENESS, ChildPipes
from swarm.peer.processes.trial_frames import (
    FRAMING,
    Ended,
    Message,
    Ready,
    Reported,
    RunTrial,
    StopTrial,
    Withdrawn,
    WithdrawTrial,
)

_LOADED = ("sklearn.metrics", "sklearn.model_selection", "sklearn.preprocessing")
"""What nearly every trial needs; Keras is loaded by the first trial that needs it."""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class TrialService:
    """Runs trials in order; reads on while one runs, so that it can be stopped.

    Invariant: every `RunTrial` is answered once, by `Ended` or by `Withdrawn`.
    """

    def __init__(self, pipes: ChildPipes[Message]) -> None:
        self._pipes = pipes
        self._waiting: deque[RunTrial] = deque()
        self._arrived = threading.Condition()
        self._stopped: set[int] = set()

    def serve(self) -> None:
        """Run trials for ever."""
        run_trial = importlib.import_module("swarm.learning.search.trial_runner").run_trial
        self._pipes.read(self._take)
        self._pipes.send(Ready())
        while True:
            request = self._next()
            call = request.call

            def report(report: EpochReport, call: int = call) -> None:
                self._pipes.send(Reported(call, report))

            def go_on(call: int = call) -> bool:
                return call not in self._stopped

            outcome = run_trial(request.task, report, go_on)
            self._stopped.discard(call)
            self._pipes.send(Ended(call, outcome))

    def _next(self) -> RunTrial:
        with self._arrived:
            while not self._waiting:
                self._arrived.wait()
            return self._waiting.popleft()

    def _take(self, message: Message) -> None:
        match message:
            case RunTrial():
                with self._arrived:
                    self._waiting.append(message)
                    self._arrived.notify()
            case StopTrial(call):
                if not self._withdraw(call):
                    self._stopped.add(call)
            case WithdrawTrial(call):
                self._withdraw(call)

    def _withdraw(self, call: int) -> bool:
        """Give a trial back if it waits; return whether it did."""
        with self._arrived:
            mine = [request for request in self._waiting if request.call == call]
            for request in mine:
                self._waiting.remove(request)
        if mine:
            self._pipes.send(Withdrawn(call))
        return bool(mine)


def main() -> None:
    """Serve the peer at the other end of stdin and stdout until it is gone."""
    pipes = ChildPipes(FRAMING, TRIAL_NICENESS)
    for name in _THREADS:  # slots share the machine's cores, as training workers do
        os.environ.setdefault(name, os.environ.get("SWARM_WORKER_THREADS", "1"))
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # a GPU is for training
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of new shapes of batches
    for module in _LOADED:
        importlib.import_module(module)
    TrialService(pipes).serve()


if __name__ == "__main__":
    main()
