"""Peer: one peer's life, from its state folder to its last goodbye."""

import signal
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import structlog
import trio
from trio_typing import TaskStatus

from swarm.core.blobs import BlobRef
from swarm.core.effects import BlobArrived, PeerConnected, PeerUnreachable
from swarm.core.errors import (
    BlobCorruptError,
    BlobNotFoundError,
    ConfigurationError,
    LearningError,
    NetworkError,
    RemoteProtocolError,
    StorageError,
    WorkerDiedError,
)
from swarm.core.ids import Digest, PeerId
from swarm.core.session import SessionSpec
from swarm.federation.effects import LearnerReady, LeaveRequested, Started
from swarm.federation.federation import Federation
from swarm.federation.messages import STATUS_TEXT_MAX, Contribution, Status
from swarm.federation.records import GlobalModel
from swarm.federation.topics import status_topic
from swarm.learning.data_config import DataConfig
from swarm.learning.federation import jobs
from swarm.network import events as network_events
from swarm.network.addresses import reachable_ip
from swarm.network.identity import Identity, load_or_create_identity, verify
from swarm.network.lock import hold_state_folder
from swarm.network.network import Network, NetworkConfig
from swarm.network.store import FileBlobStore
from swarm.network.wire import decode, encode, signing_bytes
from swarm.peer.federation.learning_jobs import Learning
from swarm.peer.federation.peer_settings import PeerSettings
from swarm.peer.federation.session_driver import Driver
from swarm.peer.federation.session_finder import SessionFinder
from swarm.peer.federation.session_folder import StateFolder
from swarm.peer.federation.status_board import StatusBoard, write_json
from swarm.peer.host.loop_lag import LagMeter
from swarm.peer.host.mailbox import Mailbox
from swarm.peer.processes.learner_worker import LearnerWorker, open_worker

STATUS_EVERY_S = 1.0
STATUS_KEPT_ALIVE_EVERY_S = 5.0
REFUSALS_EVERY_S = 60.0
GOODBYE_WITHIN_S = 0.5
EXPORT_WITHIN_S = 3.0
SETTLE_WITHIN_S = 20.0
"""So long a finished peer goes on serving others that still fetch the last head."""

log = structlog.get_logger()


class Peer:
    """Everything one peer is made of; `run` is its whole life."""

    def __init__(self, settings: PeerSettings, say: Callable[[str], None] = print) -> None:
        self.settings = settings
        self.driver: Driver | None = None
        self.board = StatusBoard(settings.name, site=settings.site)
        self.address = ""
        """`ip:port` others can join at; known once the peer listens."""
        self._say = say
        self._leaving = trio.Event()
        self._mailbox = Mailbox()
        self._refusals_told: Mapping[str, int] = {}
        self._exported: Digest | None = None
        self._connected: set[PeerId] = set()
        self._lag = LagMeter()

    def leave(self) -> None:
        """Ask the peer to end; it says goodbye and leaves resumable state."""
        self._leaving.set()

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Take part until the user leaves, or until the session is done if so configured.

        Raises:
            SwarmError: The peer cannot go on; the message says why.
        """
        settings = self.settings
        with hold_state_folder(settings.state_dir):
            identity = load_or_create_identity(settings.state_dir)
            self.board.name = settings.name or identity.peer_id[-6:]
            store = FileBlobStore(settings.state_dir / "blobs")
            config = NetworkConfig(
                settings.ip, settings.port, settings.state_dir, settings.bootstraps
            )
            network = Network(config, identity, store)
            async with (
                open_worker(log, settings.fork_server) as worker,
                trio.open_nursery() as nursery,
            ):
                await nursery.start(network.run, partial(self._take_network_event, network, store))
                self._greet(network)
                task_status.started()
                nursery.start_soon(self._cancel_when_leaving_early, nursery.cancel_scope)
                state = StateFolder(settings.state_dir, identity.peer_id)
                heads = _resumable(state, store)
                finder = SessionFinder(settings, state, network, store)
                spec, offered_by = await finder.find(self._mailbox, resumes=bool(heads))
                model_path = await finder.model_path(spec, offered_by)
                driver = self._make_driver(spec, identity, network, store, state)
                driver.learning = Learning(identity.peer_id, worker, store, self.board)
                self.driver = driver
                started = Started(
                    heads,
                    _own_contribution(state, store),
                    offered_by,
                    state.load_entries(spec.id),
                    state.load_commands(spec.id),
                    state.adoption_times(heads),
                    datetime.now(UTC).timestamp(),
                )
                nursery.start_soon(driver.run, started)
                nursery.start_soon(self._prepare, worker, spec, model_path)
                nursery.start_soon(self._tell_status, driver, network)
                nursery.start_soon(self._tell_refusals, network)
                if settings.measure_lag:
                    nursery.start_soon(self._lag.run)
                await self._stay(driver, network)
                await self._end(driver, network)
                nursery.cancel_scope.cancel()

    # -- before the session

    def _greet(self, network: Network) -> None:
        address = network.listen_addresses[0]
        ip, port = reachable_ip(self.settings.ip), address.split("/")[4]
        self.address = f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
        log.info("listening", peer_id=network.peer_id, address=address)
        if not self.settings.bootstraps:
            self._say(f"Others join with: python -m swarm.peer <ip> <port> {self.address}")

    async def _cancel_when_leaving_early(self, scope: trio.CancelScope) -> None:
        """Without a session there is nothing to say goodbye to."""
        await self._leaving.wait()
        if self.driver is None:
            scope.cancel()

    # -- the session

    def _make_driver(
        self,
        spec: SessionSpec,
        identity: Identity,
        network: Network,
        store: FileBlobStore,
        state: StateFolder,
    ) -> Driver:
        machine = Federation(
            identity.peer_id,
            spec,
            lambda digest: identity.sign(signing_bytes(digest)),
            self.settings.operators,
            held=self.settings.hold and spec.starter == identity.peer_id,
            introduction=self.settings.introduction,
        )
        return Driver(machine, network, store, state, self.board, self._mailbox)

    async def _prepare(
        self, worker: LearnerWorker, spec: SessionSpec, model_path: str | None
    ) -> None:
        settings = self.settings
        index, count = settings.partition or (1, 1)
        data = DataConfig(
            data_path=str(settings.data) if settings.data is not None else None,
            data_dir=str(settings.data_dir) if settings.data_dir is not None else None,
            cache_dir=str(settings.cache_dir),
            dataset="own" if settings.data is not None else spec.dataset,
            partition_index=index - 1,
            partition_count=count,
        )
        job = jobs.Initialise(spec, data, settings.allow_model, model_path)
        try:
            ready = await worker.initialise(job, self.board.take_progress)
        except LearningError as error:
            raise ConfigurationError(f"this peer cannot learn: {error}") from error
        self.board.num_examples, self.board.num_test = ready.num_train, ready.num_test
        self.board.data_label = ready.dataset_label[:STATUS_TEXT_MAX]
        self.board.rest("waiting")
        log.info(
            "ready",
            num_train=ready.num_train,
            num_test=ready.num_test,
            num_parameters=ready.num_parameters,
            dataset=ready.dataset_label,
            worker_pid=worker.statistics().pid,
        )
        await self._mailbox.post(LearnerReady())

    async def _tell_status(self, driver: Driver, network: Network) -> None:
        told, told_s = None, float("-inf")
        while True:
            status, now_s = self._status(driver, network), trio.current_time()
            if status != told or now_s - told_s >= STATUS_KEPT_ALIVE_EVERY_S:
                await self._publish_status(driver, network)
                self._write_report(driver, network)
                told, told_s = status, now_s
            await trio.sleep(STATUS_EVERY_S)

    def _status(self, driver: Driver, network: Network) -> Status:
        return self.board.status(driver.machine, network.snapshot(), network.listen_addresses)

    async def _publish_status(self, driver: Driver, network: Network) -> None:
        topic = status_topic(driver.machine.spec.id)
        await network.publish(topic, encode(self._status(driver, network)))

    def _write_report(self, driver: Driver, network: Network) -> None:
        if self.settings.report is not None:
            report = self.board.report(driver.machine, network.snapshot())
            if self.settings.measure_lag:
                report |= self._lag.report()
            try:
                write_json(self.settings.report, report)
            except StorageError as error:
                driver.fail(error)

    async def _tell_refusals(self, network: Network) -> None:
        while True:
            await trio.sleep(REFUSALS_EVERY_S)
            self._log_refusals(network)

    def _log_refusals(self, network: Network) -> None:
        """One line with counters by reason: a line for each message would be one more flood."""
        refused = network.snapshot().rejected
        if refused != self._refusals_told:
            self._refusals_told = refused
            log.info("refused", **refused)

    # -- the end

    async def _stay(self, driver: Driver, network: Network) -> None:
        """Wait for the user, a full disk, or the session's end here and at the neighbours."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._cancel_when_leaving, nursery.cancel_scope)
            nursery.start_soon(self._cancel_when_failed, driver, nursery.cancel_scope)
            while driver.machine.final_metrics is None:
                await driver.changed.wait()
            await self._export_held(driver, network)  # the user may stay for hours
            if not self.settings.exit_when_done:
                await trio.sleep_forever()
            with trio.move_on_after(SETTLE_WITHIN_S):
                while not driver.machine.settled(trio.current_time()):
                    await driver.changed.wait()
            nursery.cancel_scope.cancel()

    async def _cancel_when_leaving(self, scope: trio.CancelScope) -> None:
        await self._leaving.wait()
        scope.cancel()

    async def _cancel_when_failed(self, driver: Driver, scope: trio.CancelScope) -> None:
        while driver.failure is None and not driver.dismissed:
            await driver.changed.wait()
        scope.cancel()

    async def _end(self, driver: Driver, network: Network) -> None:
        if driver.learning is not None:
            driver.learning.stop_training()
        with trio.CancelScope(shield=True):
            with trio.move_on_after(EXPORT_WITHIN_S):
                await self._export_held(driver, network)
            self._write_report(driver, network)
            with trio.move_on_after(GOODBYE_WITHIN_S):
                await self._publish_status(driver, network)
                await self._mailbox.post(
                    LeaveRequested("disk" if driver.failure is not None else "")
                )
                await trio.sleep(GOODBYE_WITHIN_S / 2)  # pubsub does not say when it has sent
        self._log_refusals(network)
        held = driver.machine.held
        if driver.dismissed:
            log.warning("dismissed", detail=driver.dismissed)
        log.info(
            "left",
            round=held.round if held is not None else None,
            head=held.digest if held is not None else None,
        )
        if driver.failure is not None:
            raise StorageError(
                f"{driver.failure}; this peer left, its state is in {self.settings.state_dir}: "
                "make room there and start it again, it resumes"
            )

    async def export(self, path: Path) -> None:
        """Write the held model as a `.keras` file.

        Raises:
            LearningError: There is no model yet, or the worker could not.
        """
        held = self.driver.machine.held if self.driver is not None else None
        if self.driver is None or self.driver.learning is None or held is None:
            raise LearningError("there is no model yet: no round has begun")
        await self.driver.learning.export(held.blob, path)

    async def _export_held(self, driver: Driver, network: Network) -> None:
        path, held = self.settings.export, driver.machine.held
        if path is None or held is None or held.digest == self._exported:
            return
        try:
            await self.export(path)
            self._exported = held.digest
            self._write_report(driver, network)
            log.info("exported", path=str(path), round=held.round)
        except (LearningError, NetworkError, WorkerDiedError) as error:
            log.warning("not exported", reason=str(error))

    # -- events

    async def _take_network_event(
        self, network: Network, store: FileBlobStore, event: network_events.NetworkEvent
    ) -> None:
        match event:
            case network_events.PubsubMessage(_, sender, data):
                await self._take_message(network, store, sender, data)
            case network_events.DirectMessage(sender, data):
                await self._take_message(network, store, sender, data)
            case network_events.PeerConnected(peer):
                self._connected.add(peer)
                log.info("connected", peer=peer, num_connected=len(self._connected))
                await self._mailbox.post(PeerConnected(peer))
            case network_events.PeerDisconnected(peer):
                self._connected.discard(peer)
                log.info("disconnected", peer=peer, num_connected=len(self._connected))
            case network_events.PeerUnreachable(peer):
                await self._mailbox.post(PeerUnreachable(peer))

    async def _take_message(
        self, network: Network, store: FileBlobStore, sender: PeerId, data: bytes
    ) -> None:
        try:
            received = decode(data, sender, verify)
        except RemoteProtocolError as error:
            network.refuse(error)
            log.debug("rejected", peer=sender, reason=str(error))
            return
        if received.attached is not None:
            try:
                await self._mailbox.post(BlobArrived(store.put(received.attached)))
            except StorageError as error:
                if self.driver is None:
                    raise  # nobody knows this peer yet
                self.driver.fail(error)
                return
        await self._mailbox.post(received.message)


def _resumable(state: StateFolder, store: FileBlobStore) -> tuple[GlobalModel, ...]:
    """The heads to resume from: up to the newest whose weights are here and undamaged."""
    heads = state.load_heads()
    while heads and not _is_intact(store, heads[-1].blob):
        heads = heads[:-1]
    if heads:
        log.info("resumed", round=heads[-1].round, head=heads[-1].digest)
    return heads


def _own_contribution(state: StateFolder, store: FileBlobStore) -> Contribution | None:
    contribution = state.load_contribution()
    if contribution is None or not _is_intact(store, contribution.blob):
        return None
    return contribution


def _is_intact(store: FileBlobStore, blob: BlobRef) -> bool:
    """Whether the blob is here; a damaged one is named, and deleted to be fetched again."""
    try:
        store.read(blob)
    except BlobNotFoundError:
        return False
    except (BlobCorruptError, OSError) as error:
        log.warning("damaged", reason=str(error))
        return False
    return True


async def run_until_signal(run: Callable[[], Awaitable[None]], stop: Callable[[], None]) -> None:
    """Run until it ends by itself; SIGINT and SIGTERM ask it to stop, a second one insists."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_watch_signals, stop, nursery.cancel_scope)
        await run()
        nursery.cancel_scope.cancel()


async def _watch_signals(stop: Callable[[], None], scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        count = 0
        async for _ in signals:
            count += 1
            if count > 1:
                scope.cancel()
            stop()
