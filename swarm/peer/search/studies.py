"""Studies: the studies that one peer takes part in; it works for one of them at a time."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog
import trio

from swarm.core.effects import BlobArrived, BlobMissing, PeerConnected, PeerUnreachable
from swarm.core.errors import ConfigurationError
from swarm.core.ids import PeerId
from swarm.core.machine import Event
from swarm.learning.search.study_tasks import check_study
from swarm.peer.host.host import Host
from swarm.peer.processes.trial_pool import open_trial_pool
from swarm.peer.search.ledger_file import LedgerFile
from swarm.peer.search.search_settings import SearchSettings
from swarm.peer.search.strategy_code import load_strategy
from swarm.peer.search.study_driver import StudyDriver
from swarm.peer.search.trial_execution import Execution
from swarm.search.effects import LeaveRequested, SlotsChanged, Started
from swarm.search.messages import StudyOffer, StudyQuery
from swarm.search.search import Search
from swarm.search.strategies import make_strategy
from swarm.search.study import StudyId, StudySpec
from swarm.search.topics import SEARCH_TOPIC

WORKLOAD = "search"
ASK_EVERY_S = 5.0
"""Seconds between two questions to each connected peer for the studies that it knows."""
STUDIES_MAX = 32
"""Most studies of a peer. For another one, it leaves the oldest that is over; its file stays."""

log = structlog.get_logger()
_FOR_ALL = (PeerConnected, PeerUnreachable, BlobArrived, BlobMissing, StudyQuery)


@dataclass(frozen=True, slots=True)
class OfferFilter:
    """Which of the offered studies to join."""

    closed: bool = False
    """Whether to join studies that are over, too."""
    study: str = ""
    """Only studies with this name, or this beginning of the id; all if empty."""

    def covers(self, offer: StudyOffer) -> bool:
        """Whether to join the offered study."""
        named = offer.spec.id.startswith(self.study) or offer.spec.name == self.study
        return named and (self.closed or not offer.closed)


@asynccontextmanager
async def open_studies(host: Host, settings: SearchSettings) -> AsyncIterator["Studies"]:
    """Take part in studies on a host; trial processes end with the block."""
    async with AsyncExitStack() as stack:
        execution = None
        if settings.slots:
            pool = await stack.enter_async_context(open_trial_pool(settings.slots, log))
            execution = Execution(pool, host, settings)
        nursery = await stack.enter_async_context(trio.open_nursery())
        studies = Studies(host, settings, execution, nursery)
        host.add(studies)
        nursery.start_soon(studies.run)
        yield studies
        nursery.cancel_scope.cancel()


class Studies:
    """Starts a machine for each study, and gives each event to the studies that it concerns.

    Invariant: at most one open study has this peer's slots: the oldest one that is not over.
    """

    def __init__(
        self,
        host: Host,
        settings: SearchSettings,
        execution: Execution | None,
        nursery: trio.Nursery,
    ) -> None:
        self.drivers: dict[StudyId, StudyDriver] = {}
        self.offers_wanted = OfferFilter()
        self.changed = trio.Event()
        """Set, and replaced, when a study was added."""
        self._host = host
        self._settings = settings
        self._execution = execution
        self._nursery = nursery
        self._load = load_strategy if settings.allow_code else None
        self._refused: set[StudyId] = set()
        self._left: set[StudyId] = set()
        self._working_for: StudyId | None = None

    def submit(self, spec: StudySpec) -> StudyDriver:
        """Begin a study, or resume it if this peer has its folder.

        Raises:
            ConfigurationError: It cannot run here, or its folder is damaged.
        """
        check_study(spec, allow_code=self._settings.allow_code)
        try:
            make_strategy(spec, self._load)
        except ValueError as error:
            raise ConfigurationError(str(error)) from error
        file = LedgerFile(self._settings.folder_of(spec.id), spec)
        is_new = not file.ledger.entries and not file.load_term()
        return self._start(
            spec,
            file,
            lambda slots: Started(
                slots, tuple(file.ledger.entries), file.load_term(), submits=is_new
            ),
        )

    def handle(self, event: Event) -> None:
        """Hand an event to the studies that it concerns; join studies that are offered."""
        if isinstance(event, PeerConnected):
            self.ask(event.peer)
        if isinstance(event, StudyOffer):
            self._consider(event)
        elif isinstance(event, _FOR_ALL):
            for driver in tuple(self.drivers.values()):
                driver.handle(event)
        else:
            study = getattr(event, "study", None)
            if study in self.drivers:
                self.drivers[study].handle(event)

    def ask(self, peer: PeerId) -> None:
        """Ask a peer which studies it knows."""
        self._host.outbox.send(peer, StudyQuery(self._host.me))

    def leave(self, reason: str = "") -> None:
        """Say goodbye in every study."""
        for driver in self.drivers.values():
            driver.say_goodbye(LeaveRequested())

    async def run(self) -> None:
        """Ask every few seconds for studies, until cancelled.

        Coordinators offer open studies by themselves; questions also find those that are over.
        """
        self._host.outbox.subscribe(WORKLOAD, SEARCH_TOPIC)
        while True:
            for peer in self._host.network.snapshot().connected:
                self.ask(peer)
            await trio.sleep(ASK_EVERY_S)

    def _consider(self, offer: StudyOffer) -> None:
        spec = offer.spec
        known = self.drivers.keys() | self._refused | self._left
        if spec.id in known or not self.offers_wanted.covers(offer):
            return
        if not self._make_room():
            return
        try:
            if not self._settings.looks:
                check_study(spec, allow_code=self._settings.allow_code)
            file = LedgerFile(self._settings.folder_of(spec.id), spec)
        except ConfigurationError as error:
            self._refused.add(spec.id)
            log.warning("study refused", study=spec.name, reason=str(error))
            return
        log.info("joins", study=spec.name, id=spec.id[:16], coordinator=offer.coordinator)
        self._start(
            spec,
            file,
            lambda slots: Started(
                slots,
                tuple(file.ledger.entries),
                max(offer.term, file.load_term()),
                contact=offer.sender,
                coordinator=offer.coordinator,
            ),
        )

    def _make_room(self) -> bool:
        """Leave the oldest study that is over, if there are too many; say if there is room."""
        if len(self.drivers) < STUDIES_MAX:
            return True
        for study, driver in self.drivers.items():
            if driver.machine.settled:
                driver.retire()
                del self.drivers[study]
                self._left.add(study)
                return True
        return False

    def _start(
        self, spec: StudySpec, file: LedgerFile, started: Callable[[int], Started]
    ) -> StudyDriver:
        coordinates = not self._settings.looks
        machine = Search(self._host.me, spec, self._load, may_coordinate=coordinates)
        driver = StudyDriver(
            machine, file, self._host, self._execution, self._nursery, self._choose_work
        )
        self.drivers[spec.id] = driver
        self._nursery.start_soon(driver.sync_forever)
        if spec.data is not None and coordinates:
            self._host.outbox.keep_blobs(spec.id, frozenset([spec.data]))
        driver.handle(started(0 if self._is_working() else self._settings.slots))
        self._choose_work()
        self.changed.set()
        self.changed = trio.Event()
        return driver

    def _is_working(self) -> bool:
        """Whether an open study has the slots."""
        working = self.drivers.get(self._working_for) if self._working_for is not None else None
        return working is not None and not working.machine.closed

    def _choose_work(self) -> None:
        """Give the slots to the next study if the one that has them is over, or has failed."""
        for study in [study for study, driver in self.drivers.items() if driver.broken]:
            del self.drivers[study]
            self._left.add(study)  # it is not taken up again in this life
        if self._is_working():
            return
        self._working_for = None
        for study, driver in self.drivers.items():
            if not driver.machine.closed:
                self._working_for = study
                if driver.machine.slots != self._settings.slots:
                    driver.handle(SlotsChanged(self._settings.slots))
                return
