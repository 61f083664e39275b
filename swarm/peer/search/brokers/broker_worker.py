"""Works for a broker: takes trials, runs them, sends results, then acknowledges."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import trio

from swarm.core.errors import ConfigurationError, RemoteProtocolError, WorkerDiedError
from swarm.core.ids import PeerId
from swarm.learning.search.study_tasks import Places, point_of, result_of, task_of
from swarm.learning.search.trial_records import EpochReport
from swarm.peer.processes.pipes import Log
from swarm.peer.processes.trial_pool import TrialPool, open_trial_pool
from swarm.peer.search.brokers.broker import Broker, Delivery, Subscription
from swarm.peer.search.brokers.broker_messages import (
    WORKERS,
    TrialMessage,
    decode_trial,
    encode_result,
    results_topic,
    trials_topic,
)
from swarm.peer.search.brokers.urls import open_broker
from swarm.search.trial import TrialResult, failed


@dataclass(frozen=True, slots=True)
class BrokerWorkerSettings:
    """How to work for a broker."""

    url: str
    models: tuple[str, ...]
    """Whose trials to take."""
    slots: int
    """Trials at once."""
    name: str
    """What results say who ran them."""
    places: Places
    """`data_path` is the one file that studies of a file are run on, if it is theirs."""
    max_trials: int | None = None
    """Stop after so many; None goes on for ever."""


async def work_for_broker(settings: BrokerWorkerSettings, log: Log) -> int:
    """Take trials and run them until cancelled, or `max_trials` are done.

    Returns:
        How many were done.

    Raises:
        ConfigurationError: The URL is wrong.
        NetworkError: The broker cannot be reached at the beginning.
    """
    topics = [trials_topic(model) for model in settings.models]
    # One more than run at once, so that no slot waits for the network.
    subscription = Subscription(topics, WORKERS, settings.slots + 1)
    async with (
        open_broker(settings.url, subscription, log) as broker,
        open_trial_pool(settings.slots, log) as pool,
    ):
        working = _Working(settings, broker, pool, log)
        log.info("working", models=", ".join(settings.models), slots=settings.slots)
        async with trio.open_nursery() as nursery:
            for _ in range(subscription.prefetch):
                nursery.start_soon(working.serve)
            await working.enough.wait()
            nursery.cancel_scope.cancel()
    return working.num_done


class _Working:
    """What the slots share."""

    def __init__(
        self, settings: BrokerWorkerSettings, broker: Broker, pool: TrialPool, log: Log
    ) -> None:
        self._settings = settings
        self._broker = broker
        self._pool = pool
        self._log = log
        self._digests: dict[Path, str] = {}
        self.num_done = 0
        self.enough = trio.Event()

    async def serve(self) -> None:
        """Do one trial after the other."""
        while True:
            delivery = await self._broker.receive()
            try:
                message = decode_trial(delivery.body)
            except RemoteProtocolError as error:
                self._log.warning("refused a message", topic=delivery.topic, reason=str(error))
                self._broker.reject(delivery)
                continue
            await self._do(delivery, message)

    async def _do(self, delivery: Delivery, message: TrialMessage) -> None:
        result = await self._run(message)
        body = encode_result(message.study.id, result)
        await self._broker.publish(results_topic(message.trial.model), body)
        # Only now: whoever dies before has the trial done again by somebody else.
        self._broker.acknowledge(delivery)
        self.num_done += 1
        if self.num_done == self._settings.max_trials:
            self.enough.set()

    async def _run(self, message: TrialMessage) -> TrialResult:
        spec, trial = message.study, message.trial
        reports: list[EpochReport] = []
        me = PeerId(self._settings.name)
        while True:
            started_s = trio.current_time()
            try:
                await self._check_data(message)
                outcome = await self._pool.run(
                    trial.id,
                    task_of(spec, trial, self._settings.places),
                    reports.append,
                    limit_s=spec.trial_limit_s,
                )
            except ConfigurationError as error:
                return failed(trial.id, str(error), trio.current_time() - started_s, me)
            except WorkerDiedError as error:  # this machine's fault, not the trial's
                self._log.warning("no process for trials, trying again", reason=str(error))
                await trio.sleep(5.0)
                continue
            return replace(result_of(trial, outcome, map(point_of, reports)), peer=me)

    async def _check_data(self, message: TrialMessage) -> None:
        """Require that the file here is the one that the study was submitted with."""
        blob, path = message.study.data, self._settings.places.data_path
        if blob is None:
            return
        if path is None:
            raise ConfigurationError("the study is of a file; start workers with --data FILE")
        if Path(path) not in self._digests:
            self._digests[Path(path)] = await trio.to_thread.run_sync(_digest, Path(path))
        if self._digests[Path(path)] != blob.digest:
            raise ConfigurationError(
                f"the worker's {Path(path).name} is not the file that the study was submitted with"
            )


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error}") from error
