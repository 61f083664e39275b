"""The learner process: does a peer's jobs from stdin, answers on stdout.

It is a process of its own, so that training neither stalls the peer's network nor takes the peer
with it when it crashes.
"""

import contextlib
import importlib
import queue
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from swarm.core.errors import LearningError
from swarm.learning.errors import TrainingCancelledError
from swarm.learning.federation import jobs
from swarm.learning.progress import Progress
from swarm.peer.processes.child_pipes import LEARNER_NICENESS, ChildPipes
from swarm.peer.processes.learner_frames import (
    FRAMING,
    CancelTraining,
    Done,
    Failed,
    Message,
    Progressed,
    Request,
)

if TYPE_CHECKING:
    from swarm.learning.federation.learner import Learner

PROGRESS_INTERVAL_S = 0.25


class LearnerService:
    """Does requests in order; does a `Combine` also between the batches of a training."""

    def __init__(self, pipes: ChildPipes[Message]) -> None:
        self._pipes = pipes
        self._inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._backlog: deque[Request] = deque()
        self._cancelled: set[int] = set()
        self._learner: Learner | None = None
        self._reported_s = 0.0
        pipes.read(self._inbox.put)

    def serve(self) -> None:
        """Do requests for ever."""
        while True:
            self._sort(self._inbox.get())
            self._sort_waiting()
            while self._backlog:
                self._answer(self._backlog.popleft())
                self._sort_waiting()

    def _sort_waiting(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._sort(self._inbox.get_nowait())

    def _sort(self, message: Message) -> None:
        if isinstance(message, Request):
            self._backlog.append(message)
        elif isinstance(message, CancelTraining):
            self._cancelled.add(message.call)

    def _answer(self, request: Request) -> None:
        try:
            reply = self._do(request)
        except Exception as error:  # any failure is an answer; the process lives on
            self._pipes.send(Failed(request.call, type(error).__name__, str(error)))
        except SystemExit as error:
            text = f"the model's code called sys.exit({error.code!r})"
            self._pipes.send(Failed(request.call, LearningError.__name__, text))
        else:
            self._pipes.send(Done(request.call, reply))
        self._cancelled.discard(request.call)

    def _do(self, request: Request) -> jobs.Reply:
        job = request.job
        if isinstance(job, jobs.Initialise):
            return self._initialise(job, request.call)
        learner = self._learner
        if learner is None:
            raise LearningError("the worker must be initialised before any other job")
        match job:
            case jobs.Train():
                if request.call in self._cancelled:
                    raise TrainingCancelledError("the training was cancelled before it began")
                return learner.train(job, self._between_batches(request.call, learner))
            case jobs.Combine():
                return learner.combine(job)
            case jobs.CreateWeights():
                return learner.create_weights(job)
            case jobs.EvaluateWeights():
                return learner.evaluate_weights(job)
            case jobs.Export():
                return learner.export(job)

    def _initialise(self, job: jobs.Initialise, call: int) -> jobs.Initialised:
        from swarm.learning.backend import gpu_names, worker_threads  # noqa: PLC0415 - takes ...
        from swarm.learning.federation.learner import Learner  # noqa: PLC0415 - ... seconds

        self._learner = None
        self._learner = Learner(job, lambda progress: self._report(call, progress))
        return replace(self._learner.initialised, threads=worker_threads(), gpus=gpu_names())

    def _between_batches(self, call: int, learner: "Learner") -> Callable[[], bool]:
        def between_batches() -> bool:
            self._report(call, learner.progress())
            self._sort_waiting()
            for request in [r for r in self._backlog if isinstance(r.job, jobs.Combine)]:
                self._backlog.remove(request)
                self._answer(request)
            return call not in self._cancelled

        return between_batches

    def _report(self, call: int, progress: Progress) -> None:
        now_s = time.monotonic()
        if now_s >= self._reported_s + PROGRESS_INTERVAL_S:
            self._reported_s = now_s
            self._pipes.send(Progressed(call, progress))


def main() -> None:
    """Serve the peer at the other end of stdin and stdout until it is gone."""
    service = LearnerService(ChildPipes(FRAMING, LEARNER_NICENESS))
    with contextlib.suppress(Exception):  # raised again, and answered, at Initialise
        importlib.import_module("swarm.learning.federation.learner")  # takes seconds: begin now
    service.serve()


if __name__ == "__main__":
    main()
