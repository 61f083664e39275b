"""LearnerWorker: a peer's learner process, for trio. Every call returns or raises."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import trio

from swarm.learning.federation import jobs
from swarm.learning.progress import Evaluation, OnProgress
from swarm.peer.processes.calls import CallLife, error_of
from swarm.peer.processes.cores import learner_environment
from swarm.peer.processes.learner_frames import (
    FRAMING,
    CancelTraining,
    Done,
    Failed,
    Message,
    Progressed,
    Request,
)
from swarm.peer.processes.pipes import Log, PipedProcess
from swarm.peer.processes.process_life import RestartedProcess

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class WorkerStatistics:
    """A worker at one moment."""

    pid: int | None
    """None while no process runs."""
    restarts: int
    jobs_done: int
    jobs_failed: int
    calls_outstanding: int


@asynccontextmanager
async def open_worker(
    log: Log | None = None, fork_server: Path | None = None, threads: int = 0
) -> "AsyncIterator[LearnerWorker]":
    """Start a learner process; stop it at the end of the block, whatever happens.

    The process loads Keras at once, so open it before it is known what to train.

    Args:
        log: Where to log what happens to the process.
        fork_server: Socket of a `swarm.peer.processes.fork_server`. If that server cannot fork
            a process, this process starts one, as it does without a server.
        threads: Threads that train; see `learner_environment`.
    """
    async with trio.open_nursery() as nursery:
        worker = LearnerWorker(nursery, log, fork_server, threads)
        await worker.start()
        try:
            yield worker
        finally:
            nursery.cancel_scope.cancel()


class LearnerWorker:
    """Calls into the learner process; made by `open_worker`.

    Calls may overlap: a `combine` is answered in the middle of a `train`. Each raises

    - `WorkerDiedError` if the process ended first. The next call starts a new process and
      initialises it as the last one was.
    - the error of `swarm.core.errors` or `swarm.learning.errors` that ended the job, or
      `LearningError` with the name and message of any other error.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        log: Log | None = None,
        fork_server: Path | None = None,
        threads: int = 0,
    ) -> None:
        environment = learner_environment(threads, shared=fork_server is not None)
        self._process = RestartedProcess(
            nursery,
            lambda: _LearnerLife(
                FRAMING, PipedProcess(fork_server, log, environment=environment), log
            ),
        )
        self._initialise: jobs.Initialise | None = None
        self._num_calls = 0
        self._jobs_done = 0
        self._jobs_failed = 0

    async def start(self) -> None:
        """Have a process running, initialised as the last one was."""
        await self._running(initialise=True)

    async def initialise(
        self, job: jobs.Initialise, on_progress: OnProgress | None = None
    ) -> jobs.Initialised:
        """Build the model and read the data; repeated by itself after the process died."""
        life = await self._running(initialise=False)
        reply = await self._exchange(life, job, jobs.Initialised, on_progress)
        self._initialise = job
        return reply

    async def create_weights(self, job: jobs.CreateWeights) -> jobs.WeightsWritten:
        """Write the session's initial weights."""
        return await self._call(job, jobs.WeightsWritten)

    async def train(self, job: jobs.Train, on_progress: OnProgress | None = None) -> jobs.Trained:
        """Evaluate the base and train it; cancelling this call cancels the training.

        Raises:
            TrainingCancelledError: `cancel_training` was called.
        """
        return await self._call(job, jobs.Trained, on_progress)

    def cancel_training(self) -> None:
        """End every outstanding training between two batches; its call raises."""
        life = self._process.life
        if life is not None:
            for number in life.calls:
                life.send(CancelTraining(number))

    async def evaluate(self, job: jobs.EvaluateWeights) -> Evaluation:
        """Evaluate weights on the test shard, after any outstanding training."""
        return await self._call(job, Evaluation)

    async def combine(self, job: jobs.Combine) -> jobs.Combined:
        """Combine members' weights, between two batches of any outstanding training."""
        return await self._call(job, jobs.Combined)

    async def export(self, job: jobs.Export) -> jobs.Exported:
        """Write a `.keras` file, after any outstanding training."""
        return await self._call(job, jobs.Exported)

    def statistics(self) -> WorkerStatistics:
        """The worker's present state, as an immutable value."""
        life = self._process.life
        return WorkerStatistics(
            pid=self._process.pid,
            restarts=self._process.restarts,
            jobs_done=self._jobs_done,
            jobs_failed=self._jobs_failed,
            calls_outstanding=len(life.calls) if life is not None else 0,
        )

    async def _call(
        self, job: jobs.Job, reply_type: type[R], on_progress: OnProgress | None = None
    ) -> R:
        life = await self._running(initialise=True)
        return await self._exchange(life, job, reply_type, on_progress)

    async def _running(self, *, initialise: bool) -> "_LearnerLife":
        async with self._process.starting:
            life = self._process.life
            if life is None:
                life = await self._process.start()
                if initialise and self._initialise is not None:
                    await self._exchange(life, self._initialise, jobs.Initialised, None)
            return life

    async def _exchange(
        self,
        life: "_LearnerLife",
        job: jobs.Job,
        reply_type: type[R],
        on_progress: OnProgress | None,
    ) -> R:
        self._num_calls += 1
        number = self._num_calls
        call = None
        try:
            call = await life.exchange(number, Request(number, job), on_progress)
        finally:
            if call is None and isinstance(job, jobs.Train):
                life.send(CancelTraining(number))
        if call.error is not None:
            self._jobs_failed += 1
        reply = call.result(reply_type)
        self._jobs_done += 1
        return reply


class _LearnerLife(CallLife[Message]):
    """One life of the learner process."""

    name = "the worker process"
    said = "worker said"

    def take(self, message: Message) -> None:
        call = self.calls.get(message.call)
        if call is None:
            return  # its caller was cancelled
        match message:
            case Progressed(progress=progress) if call.on_progress is not None:
                call.on_progress(progress)
            case Done(reply=reply):
                call.resolve(reply)
            case Failed(error_class=name, message=text):
                call.resolve(None, error_of(name, text))
