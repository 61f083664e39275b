"""SessionRun: one peer's part in one session, from its folder on disk to its goodbye."""

from datetime import UTC, datetime

import structlog
import trio

from swarm.core.blobs import BlobRef
from swarm.core.errors import (
    BlobCorruptError,
    BlobNotFoundError,
    ConfigurationError,
    LearningError,
    StorageError,
)
from swarm.core.ids import PeerId
from swarm.core.session import SessionSpec
from swarm.federation.best_head import ending, is_last
from swarm.federation.effects import LearnerReady, LeaveRequested, Started
from swarm.federation.federation import Federation
from swarm.federation.messages import STATUS_TEXT_MAX, Contribution, Status
from swarm.federation.records import GlobalModel
from swarm.federation.topics import status_topic
from swarm.learning.federation import jobs
from swarm.network.store import FileBlobStore
from swarm.network.wire import signing_bytes
from swarm.peer.federation.learning_jobs import LearningJobs
from swarm.peer.federation.model_files import ModelFiles
from swarm.peer.federation.own_data import data_config
from swarm.peer.federation.peer_settings import PeerSettings
from swarm.peer.federation.peer_status import PeerStatus
from swarm.peer.federation.session_driver import SessionDriver
from swarm.peer.federation.session_folder import SessionFolder
from swarm.peer.federation.trainers import Worker
from swarm.peer.host.host import GOODBYE_WITHIN_S, Host
from swarm.peer.host.loop_lag import LagMeter
from swarm.peer.host.whole_files import write_json
from swarm.peer.host.wire import encode
from swarm.peer.processes.cores import in_words

STATUS_EVERY_S = 1.0
STATUS_KEPT_ALIVE_EVERY_S = 5.0
EXPORT_WITHIN_S = 3.0
SETTLE_WITHIN_S = 20.0
"""At most this long, a finished peer stays for peers that still fetch the last head."""
SUMMARY = "summary.json"
"""The report of a session, in its folder."""

log = structlog.get_logger()


class SessionRun:
    """A session's machine, its learner, its status and its exported model."""

    def __init__(
        self,
        spec: SessionSpec,
        host: Host,
        settings: PeerSettings,
        worker: Worker,
        nursery: trio.Nursery,
    ) -> None:
        self.spec = spec
        self.status = PeerStatus(settings.name or host.me[-6:], site=settings.site)
        self.folder = SessionFolder.of(settings.state_dir, spec.id, host.me)
        self.leaving = trio.Event()
        """Set when this peer is to leave the session: by command, or to make room."""
        self._host = host
        self._settings = settings
        self._worker = worker
        self._nursery = nursery
        self._lag = LagMeter()
        self._closed = False
        self._is_leftover = False
        """Whether the session was over before this life, and the user wants another one."""
        machine = Federation(
            host.me,
            spec,
            lambda digest: host.identity.sign(signing_bytes(digest)),
            settings.operators,
            held=settings.hold and spec.starter == host.me,
            introduction=settings.introduction,
        )
        learning = LearningJobs(spec.id, worker, host, self.status)
        self.driver = SessionDriver(machine, host, nursery, self.folder, learning)
        self.model_files = ModelFiles(machine, learning, host.store)
        """Writes the session's models."""

    @property
    def machine(self) -> Federation:
        """The machine that decides."""
        return self.driver.machine

    @property
    def over(self) -> bool:
        """Whether nothing is left to do: the last head is measured, or this peer must leave."""
        return self._must_leave or self.machine.final_metrics is not None

    @property
    def _must_leave(self) -> bool:
        return bool(self.driver.dismissed or self.driver.failure)

    def start(
        self,
        offered_by: tuple[PeerId, ...],
        heads: tuple[GlobalModel, ...],
        model_path: str | None,
    ) -> None:
        """Begin the session, or resume it from disk.

        Args:
            offered_by: Peers that offered the session.
            heads: Heads of an earlier life, the newest last.
            model_path: The session's `.keras` file, if it has one.
        """
        folder, session = self.folder, self.spec.id
        was_over = bool(heads) and is_last(heads[-1], self.spec)
        self._is_leftover = was_over and self._settings.new_session
        folder.save_spec(self.spec)
        self.driver.handle(
            Started(
                heads,
                _own_contribution(folder, self._host.store),
                offered_by,
                folder.load_entries(session),
                folder.load_commands(session),
                folder.adoption_times(heads),
                datetime.now(UTC).timestamp(),
            )
        )
        self._nursery.start_soon(self._prepare, model_path)
        self._nursery.start_soon(self._publish_status_forever)
        if self._settings.measure_lag:
            self._nursery.start_soon(self._lag.run)

    async def wait_over(self) -> None:
        """Wait until the session is over here and the exported model is written."""
        while not self.over:
            await self.driver.changed.wait()
        await self._export()  # now, for the peer may run on for hours

    async def wait_settled(self) -> None:
        """Wait until other peers have the last head, too, for a limited time."""
        with trio.move_on_after(SETTLE_WITHIN_S):
            while not (self._must_leave or self.machine.settled(trio.current_time())):
                await self.driver.changed.wait()

    def leave(self, reason: str = "") -> None:
        """Say goodbye to the session."""
        if not reason and self.driver.failure:
            reason = "training"
        self.driver.say_goodbye(LeaveRequested(reason))

    async def close(self) -> None:
        """Write the final model and report, and publish the last status; once."""
        if self._closed:
            return
        self._closed = True
        self.driver.learning.stop_training()
        with trio.move_on_after(EXPORT_WITHIN_S):
            await self._export()
        self._write_report()
        with trio.move_on_after(GOODBYE_WITHIN_S):
            await self._publish_status()
        held = self.machine.held
        if self.driver.dismissed:
            log.warning("dismissed", detail=self.driver.dismissed)
        log.info(
            "left",
            round=held.round if held is not None else None,
            head=held.digest if held is not None else None,
        )

    async def _export(self) -> None:
        """Write the model files that the user asked for."""
        path, held = self._settings.export, self.machine.held
        if path is not None and held is not None and not self._is_leftover:
            await self.model_files.write_all(path)
            self._write_report()

    async def _prepare(self, model_path: str | None) -> None:
        settings = self._settings
        data = data_config(settings, self.spec.dataset)
        job = jobs.Initialise(self.spec, data, settings.allow_model, model_path)
        try:
            ready = await self._worker.initialise(job, self.status.take_progress)
        except LearningError as error:
            raise ConfigurationError(f"this peer cannot learn: {error}") from error
        self.status.num_examples, self.status.num_test = ready.num_train, ready.num_test
        self.status.data_label = ready.dataset_label[:STATUS_TEXT_MAX]
        self.status.data = ready.data
        self.status.rest("waiting")
        log.info(
            "ready",
            num_train=ready.num_train,
            num_test=ready.num_test,
            num_parameters=ready.num_parameters,
            dataset=ready.dataset_label,
            worker_pid=self._worker.statistics().pid,
            threads=ready.threads,
            gpus=list(ready.gpus),
        )
        self.status.uses = in_words(ready.threads, ready.gpus)
        log.info("uses", detail=self.status.uses)
        for line in ready.notes:
            log.info("note", detail=line)
        for line in ready.advice:
            log.warning("note", detail=line)
        self._compare_data(ready.fingerprint)
        self.driver.handle(LearnerReady(ready.finding))

    def _compare_data(self, fingerprint: str) -> None:
        """Say so if this peer's data are others than this session was trained on here.

        Raises:
            ConfigurationError: The session is over, and nothing else is asked of this peer.
        """
        before, settings = self.folder.load_fingerprint(), self._settings
        # It is not known of a user's own loop, nor after an older version.
        changed = "" not in (before, fingerprint) and before != fingerprint
        if not self.machine.finished:
            if changed:
                log.warning(
                    "other data",
                    detail="this peer's data differ from those that it trained on in this session "
                    "before: it goes on with the new ones",
                )
            try:
                self.folder.save_fingerprint(fingerprint)
            except StorageError as error:
                self._host.fail(error)
            return
        held = self.machine.held
        how = ending(held, self.spec) if held is not None else ""
        text = f"this peer's session is over ({how or 'it was stopped'})"
        anew = "start anew with --new-session, or with another folder (--state)"
        if not changed:
            log.warning("over", detail=f"{text}: to train again, {anew}")
            return
        text += f", and it was trained on other data than this peer has now: {anew}"
        if not settings.new_session and (settings.exit_when_done or not settings.bootstraps):
            raise ConfigurationError(text)
        log.warning("other data", detail=text)

    async def _publish_status_forever(self) -> None:
        published, published_s = None, float("-inf")
        while True:
            status, now_s = self._message(), trio.current_time()
            if status != published or now_s - published_s >= STATUS_KEPT_ALIVE_EVERY_S:
                await self._publish_status()
                self._write_report()
                published, published_s = status, now_s
            await trio.sleep(STATUS_EVERY_S)

    def _message(self) -> Status:
        network = self._host.network
        return self.status.message(self.machine, network.snapshot(), network.listen_addresses)

    async def _publish_status(self) -> None:
        await self._host.network.publish(status_topic(self.spec.id), encode(self._message()))

    def _write_report(self) -> None:
        report = self.status.report(self.machine, self._host.network.snapshot())
        report |= {"exported": self.model_files.rounds, "failure": self.driver.failure or None}
        if self._settings.measure_lag:
            report |= self._lag.report()
        report_path = self._settings.report if not self._is_leftover else None
        paths = [self.folder.root / SUMMARY, report_path]
        try:
            for path in paths:
                if path is not None:
                    write_json(path, report)
        except StorageError as error:
            self._host.fail(error)


def resumable_heads(folder: SessionFolder, store: FileBlobStore) -> tuple[GlobalModel, ...]:
    """The heads to resume from, up to the newest one whose weights are here and undamaged."""
    heads = folder.load_heads()
    while heads and not _is_intact(store, heads[-1].blob):
        heads = heads[:-1]
    if heads:
        log.info("resumed", round=heads[-1].round, head=heads[-1].digest)
    return heads


def _own_contribution(folder: SessionFolder, store: FileBlobStore) -> Contribution | None:
    contribution = folder.load_contribution()
    if contribution is None or not _is_intact(store, contribution.blob):
        return None
    return contribution


def _is_intact(store: FileBlobStore, blob: BlobRef) -> bool:
    """Whether the blob is here; a damaged one is logged and deleted, so it is fetched again."""
    try:
        store.read(blob)
    except BlobNotFoundError:
        return False
    except (BlobCorruptError, OSError) as error:
        log.warning("damaged", reason=str(error))
        return False
    return True
