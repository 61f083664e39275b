"""LoopWorker: answers a session's jobs with the weights of the user's loop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from swarm.core.errors import LearningError
from swarm.learning.federation import jobs
from swarm.learning.federation.combining import combine_files
from swarm.learning.federation.weights_files import Weights, read_weights, write_weights
from swarm.learning.progress import Evaluation, OnProgress, Progress
from swarm.peer.processes.cores import num_cores
from swarm.peer.processes.learner_worker import WorkerStatistics

PROGRESS_EVERY_S = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class LoopHead:
    """A head that the loop may train from."""

    path: str
    """Where its weights are; the name has their digest."""
    round: int | None
    """None if it is the session's last one."""
    weights: Weights


@dataclass(slots=True, eq=False)
class Work:
    """A training that the session waits for; for the last head, only that the loop takes it."""

    head: LoopHead
    output_dir: str = ""
    result: jobs.Trained | None = None
    answered: trio.Event = field(default_factory=trio.Event)


class LoopWorker:
    """Keeps what the session waits for until the loop answers it. All of it in the peer's thread.

    Invariants:
        At most one work waits.
        A work that the session gave up has no answer.
    """

    def __init__(self, initial: Weights) -> None:
        """Make a worker.

        Args:
            initial: The loop's weights, which a session that this peer starts begins with.
        """
        self.work: Work | None = None
        """What the session waits for now."""
        self.changed = trio.Event()
        """Set, and replaced, when there is a new work."""
        self.progress = Progress("training", 0.0)
        """How far the loop is in its period; any thread may replace it."""
        self._initial = initial
        self._norm_bound = 0.0

    @asynccontextmanager
    async def open(self) -> AsyncIterator["LoopWorker"]:
        """The worker itself: nothing is started, nothing has to end."""
        await trio.lowlevel.checkpoint()
        yield self

    def answer(self, work: Work, result: jobs.Trained) -> bool:
        """Give the session what was trained; return whether it still waits for that."""
        if work is not self.work:
            return False
        work.result, self.work = result, None
        work.answered.set()
        return True

    async def initialise(
        self, job: jobs.Initialise, on_progress: OnProgress | None = None
    ) -> jobs.Initialised:
        """Take the session's rules; the loop has model and data already."""
        await trio.lowlevel.checkpoint()
        self._norm_bound = job.spec.norm_bound
        num_parameters = sum(array.size for array in self._initial.values())
        return jobs.Initialised("own data", False, 0, 0, num_parameters, threads=num_cores())

    async def create_weights(self, job: jobs.CreateWeights) -> jobs.WeightsWritten:
        """Write the loop's weights."""
        path, blob = await trio.to_thread.run_sync(write_weights, self._initial, job.output_dir)
        return jobs.WeightsWritten(str(path), blob)

    async def train(self, job: jobs.Train, on_progress: OnProgress | None = None) -> jobs.Trained:
        """Offer a head to the loop, and wait for the weights at the end of its period."""
        weights = await trio.to_thread.run_sync(read_weights, job.base_path)
        work = Work(LoopHead(job.base_path, job.round_number - 1, weights), job.output_dir)
        self._offer(work)
        try:
            while work.result is None:
                if on_progress is not None:
                    on_progress(self.progress)
                with trio.move_on_after(PROGRESS_EVERY_S):
                    await work.answered.wait()
        finally:
            if self.work is work:
                self.work = None
        return work.result

    async def evaluate(self, job: jobs.EvaluateWeights) -> Evaluation:
        """Offer the last head to the loop. The loop goes on without the session, unmeasured."""
        weights = await trio.to_thread.run_sync(read_weights, job.path)
        self._offer(Work(LoopHead(job.path, None, weights)))
        await trio.sleep_forever()
        raise AssertionError  # it is cancelled

    async def combine(self, job: jobs.Combine) -> jobs.Combined:
        """Combine members' weights, in a thread."""
        return await trio.to_thread.run_sync(
            combine_files,
            job,
            self._norm_bound,
            abandon_on_cancel=True,  # type: ignore[call-arg]  # the stubs are older than trio
        )

    async def export(self, job: jobs.Export) -> jobs.Exported:
        """Refuse: only the loop has the model.

        Raises:
            LearningError: Always.
        """
        raise LearningError("the model is in the loop that trains it: save it there")

    def statistics(self) -> WorkerStatistics:
        """There is no process."""
        return WorkerStatistics(None, 0, 0, 0, int(self.work is not None))

    def _offer(self, work: Work) -> None:
        self.progress = Progress("training", 0.0)  # that of the last period is no sign of work
        self.work = work
        self.changed.set()
        self.changed = trio.Event()


def write_result(  # noqa: PLR0913 - one keyword for each thing that may be known
    work: Work,
    weights: Weights,
    *,
    num_examples: int = 1,
    duration_s: float = 0.0,
    train_accuracy: float | None = None,
    train_loss: float | None = None,
    evaluation: Evaluation | None = None,
) -> jobs.Trained:
    """Write what was trained for a work; the result answers it."""
    path, blob = write_weights(weights, work.output_dir)
    return jobs.Trained(
        path=str(path),
        blob=blob,
        num_examples=max(1, num_examples),
        position=0,
        duration_s=duration_s,
        train_accuracy=train_accuracy,
        train_loss=train_loss,
        evaluation=evaluation,
    )
