"""Trainers: what trains a peer's sessions, learner processes or a loop of the user's own."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

import structlog

from swarm.learning.federation import jobs
from swarm.learning.progress import Evaluation, OnProgress
from swarm.peer.federation.peer_settings import PeerSettings
from swarm.peer.federation.session_source import SessionSource
from swarm.peer.host.host import Host
from swarm.peer.processes.learner_worker import WorkerStatistics, open_worker

log = structlog.get_logger()


class Worker(Protocol):
    """Does the jobs of one session; `LearnerWorker` says what each call returns and raises."""

    async def initialise(
        self, job: jobs.Initialise, on_progress: OnProgress | None = None
    ) -> jobs.Initialised:
        """Prepare for the session; this comes first."""

    async def create_weights(self, job: jobs.CreateWeights) -> jobs.WeightsWritten:
        """Write the session's initial weights."""

    async def train(self, job: jobs.Train, on_progress: OnProgress | None = None) -> jobs.Trained:
        """Train from a head's weights, until the call is cancelled."""

    async def evaluate(self, job: jobs.EvaluateWeights) -> Evaluation:
        """Measure weights on this peer's test data."""

    async def combine(self, job: jobs.Combine) -> jobs.Combined:
        """Combine members' weights."""

    async def export(self, job: jobs.Export) -> jobs.Exported:
        """Write a `.keras` file."""

    def statistics(self) -> WorkerStatistics:
        """The worker's present state."""


class Trainer(Protocol):
    """Gives each session of a peer its worker, and says which sessions it can train."""

    def open_worker(self) -> AbstractAsyncContextManager[Worker]:
        """A worker for one session; it ends with the block."""

    def source(self, host: Host) -> SessionSource:
        """What makes specs of new sessions, and checks those of offered ones."""


class LearnerProcesses:
    """The usual trainer: a learner process for each session."""

    def __init__(self, settings: PeerSettings) -> None:
        self._settings = settings

    def open_worker(self) -> AbstractAsyncContextManager[Worker]:
        """Start a learner process; see `learner_worker.open_worker`."""
        return open_worker(log, self._settings.fork_server, self._settings.threads)

    def source(self, host: Host) -> SessionSource:
        """The user's settings decide."""
        return SessionSource(self._settings, host)
