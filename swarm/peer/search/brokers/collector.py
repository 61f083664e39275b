"""Runs a study through a broker: asks for trials, collects each result once, remembers all."""

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
"""Trials asked for and not yet answered, unless the user says otherwise."""

OnChange = Callable[[StudyLedger], None]


@dataclass(frozen=True, slots=True)
class BrokerStudySettings:
    """How to run a study through a broker."""

    url: str
    folder: Path
    """Where the ledger is kept; a folder of the same study goes on."""
    in_flight: int = IN_FLIGHT
    """Most trials asked for and not yet answered: two for each slot of the workers."""

    def __post_init__(self) -> None:
        if self.in_flight < 1:
            raise ValueError(f"in_flight must be at least 1, got {self.in_flight}")


async def run_through_broker(
    spec: StudySpec, settings: BrokerStudySettings, log: Log, on_change: OnChange
) -> StudyLedger:
    """Run a study until it has all its results; started again, it goes on.

    Args:
        spec: The study.
        settings: Through which broker, and where to keep the ledger.
        log: Where to say what happens.
        on_change: Called after each batch of results.

    Raises:
        ConfigurationError: The study cannot be run through a broker, or not at all.
        NetworkError: The broker cannot be reached at the beginning.
        StorageError: The ledger cannot be kept.
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
        ConfigurationError: It cannot; the message says what to change.
    """
    check_study(spec)
    if spec.strategy == "halving":
        raise ConfigurationError(
            "strategy: halving stops trials while they run, which a broker cannot carry; "
            "use random, grid or bayesian, or run the study without --broker"
        )


class _Collecting:
    """One study's run."""

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
                for trial in self._ledger.open_trials:  # asked for by a run that was cut off
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
            await trio.lowlevel.checkpoint()  # so that it is on its way while others are asked for

    async def _take_results(self) -> None:
        """Wait for the next message, take in all there are; some may have been counted already."""
        deliveries = [await self._broker.receive(), *self._broker.receive_waiting()]
        num_known = len(self._ledger)
        taken = [delivery for delivery in deliveries if self._take(delivery)]
        if len(self._ledger) > num_known:
            self._file.sync()
        for delivery in taken:
            self._broker.acknowledge(delivery)  # it is on disk by now

    def _take(self, delivery: Delivery) -> bool:
        """Record a message; return whether it was one."""
        try:
            message = decode_result(delivery.body)
        except RemoteProtocolError as error:
            self._log.warning("refused a message", topic=delivery.topic, reason=str(error))
            self._broker.reject(delivery)
            return False
        if message.study != self._spec.id:
            return True
        if message.result.trial in self._ledger.trials:
            self._add(Recorded(message.result))
        else:
            self._log.warning("a result of no trial of ours", trial=message.result.trial)
        return True

    async def _publish(self, trial: Trial) -> None:
        await self._broker.publish(trials_topic(trial.model), encode_trial(self._spec, trial))

    def _add(self, entry: Entry) -> None:
        if self._ledger.add(entry):
            self._file.add([entry])
            self._strategy.tell(entry)
