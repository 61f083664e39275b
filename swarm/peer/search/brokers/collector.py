"""run_through_broker(): asks for trials through a broker, and collects each result once."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import trio

from swarm.core.errors import ConfigurationError, RemoteProtocolError, only_error
from swarm.learning.search.study_tasks import check_study
from swarm.peer.processes.pipes import Log
from swarm.peer.search.brokers.broker import Broker, Delivery, Subscription
from swarm.peer.search.brokers.broker_messages import (
    WORKERS,
    decode_result,
    encode_trial,
    results_group,
    results_topic,
    trials_topic,
)
from swarm.peer.search.brokers.urls import open_broker
from swarm.peer.search.ledger_file import LedgerFile
from swarm.search.strategies import make_strategy
from swarm.search.study import NOBODY, StudySpec
from swarm.search.study_ledger import DONE, Asked, Closed, Entry, Recorded, StudyLedger
from swarm.search.trial import Trial

IN_FLIGHT = 16
"""Default for the number of trials that are published and have no result yet."""

OnChange = Callable[[StudyLedger], None]


@dataclass(frozen=True, slots=True)
class BrokerStudySettings:
    """How to run a study through a broker."""

    url: str
    folder: Path
    """Folder of the ledger; a folder of the same study is resumed."""
    in_flight: int = IN_FLIGHT
    """Most trials that are published and have no result yet; two for each slot are enough."""

    def __post_init__(self) -> None:
        if self.in_flight < 1:
            raise ValueError(f"in_flight must be at least 1, got {self.in_flight}")


async def run_through_broker(
    spec: StudySpec, settings: BrokerStudySettings, log: Log, on_change: OnChange
) -> StudyLedger:
    """Run a study until it has all its results; a study that was interrupted is resumed.

    Args:
        spec: The study.
        settings: The broker, and the folder of the ledger.
        log: Logger for refused messages and lost connections.
        on_change: Called after each batch of results.

    Raises:
        ConfigurationError: The study cannot be run, or not through a broker.
        NetworkError: The broker cannot be reached at the beginning.
        StorageError: The ledger cannot be written.
    """
    check_through_broker(spec)
    with closing(LedgerFile(settings.folder, spec)) as file:
        if file.ledger.closed is not None:
            return file.ledger
        models = [space.model for space in spec.models]
        topics = [results_topic(model) for model in models]
        subscription = Subscription(topics, results_group(spec.id), settings.in_flight + 1)
        async with open_broker(settings.url, subscription, log) as broker:
            await broker.prepare([trials_topic(model) for model in models], WORKERS)
            await _Collecting(spec, file, broker, settings.in_flight, log).run(on_change)
            await broker.forget(topics, subscription.group)
        return file.ledger


def check_through_broker(spec: StudySpec) -> None:
    """Require that a study can be run through a broker.

    Raises:
        ConfigurationError: It cannot be; the message says what to change.
    """
    check_study(spec)
    if spec.strategy == "halving":
        raise ConfigurationError(
            "strategy: halving stops running trials, which is impossible through a broker; "
            "use random, grid or bayesian, or run the study without --broker"
        )


class _Collecting:
    """One run of one study."""

    def __init__(
        self, spec: StudySpec, file: LedgerFile, broker: Broker, in_flight: int, log: Log
    ) -> None:
        self._spec = spec
        self._file = file
        self._ledger = file.ledger
        self._broker = broker
        self._log = log
        try:
            self._strategy = make_strategy(spec)
        except ValueError as error:
            raise ConfigurationError(f"strategy: {error}") from error
        self._in_flight = min(in_flight, self._strategy.lookahead_max)
        self._exhausted = False
        for entry in self._ledger.entries:
            self._strategy.tell(entry)

    async def run(self, on_change: OnChange) -> None:
        on_change(self._ledger)
        ends_s = trio.current_time() + (self._spec.time_budget_s or float("inf"))
        try:
            async with trio.open_nursery() as nursery:
                for trial in self._ledger.open_trials:  # from a run that was interrupted
                    nursery.start_soon(self._publish, trial)
                while True:
                    if trio.current_time() < ends_s:
                        await self._ask_for_more(nursery)
                    if not self._ledger.open_trials:
                        break
                    await self._take_results()
                    on_change(self._ledger)
        except BaseExceptionGroup as group:
            raise only_error(group) from None
        self._add(Closed(DONE, NOBODY))

    async def _ask_for_more(self, nursery: trio.Nursery) -> None:
        limit = self._spec.num_trials or float("inf")
        while not self._exhausted and len(self._ledger.trials) < limit:
            if len(self._ledger.open_trials) >= self._in_flight:
                return
            suggested = self._strategy.ask(self._ledger)
            if suggested is None:
                self._exhausted = True
                return
            number = self._ledger.next_number
            trial = Trial(self._spec.id, number, suggested.model, suggested.params, 0, NOBODY)
            self._add(Asked(trial))
            nursery.start_soon(self._publish, trial)
            await trio.lowlevel.checkpoint()  # so that it is sent before the next one is asked for

    async def _take_results(self) -> None:
        """Wait for the next message, and record all that are here; some may be repeated ones."""
        deliveries = [await self._broker.receive(), *self._broker.receive_waiting()]
        num_known = len(self._ledger)
        taken = [delivery for delivery in deliveries if self._take(delivery)]
        if len(self._ledger) > num_known:
            self._file.sync()
        for delivery in taken:
            self._broker.acknowledge(delivery)  # its result is on disk now

    def _take(self, delivery: Delivery) -> bool:
        """Record a result; return whether the message was a valid one."""
        try:
            message = decode_result(delivery.body)
        except RemoteProtocolError as error:
            self._log.warning("message refused", topic=delivery.topic, reason=str(error))
            self._broker.reject(delivery)
            return False
        if message.study != self._spec.id:
            return True
        if message.result.trial in self._ledger.trials:
            self._add(Recorded(message.result))
        else:
            self._log.warning("result of an unknown trial", trial=message.result.trial)
        return True

    async def _publish(self, trial: Trial) -> None:
        await self._broker.publish(trials_topic(trial.model), encode_trial(self._spec, trial))

    def _add(self, entry: Entry) -> None:
        if self._ledger.add(entry):
            self._file.add([entry])
            self._strategy.tell(entry)
