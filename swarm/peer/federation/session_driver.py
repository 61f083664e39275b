"""Driver: hands events to a federation machine and carries out the effects it asks for."""

import logging
from collections.abc import Awaitable, Callable

import structlog
import trio

from swarm.core.blobs import BlobRef
from swarm.core.effects import (
    BlobArrived,
    BlobMissing,
    FetchBlob,
    KeepBlobs,
    KeepConnected,
    Publish,
    Send,
    Subscribe,
    Unsubscribe,
)
from swarm.core.errors import (
    BlobNotFoundError,
    LearningError,
    LocalProtocolError,
    NetworkError,
    StorageError,
    WorkerDiedError,
)
from swarm.core.machine import Effect, Event, SetTimer, TimerFired
from swarm.federation.effects import (
    Leave,
    LeaveRequested,
    Note,
    SaveCommands,
    SaveContribution,
    SaveHead,
    SaveLedger,
)
from swarm.federation.federation import Federation
from swarm.federation.messages import Contribution, Goodbye
from swarm.federation.records import GlobalModel
from swarm.network.network import Network
from swarm.network.store import FREE_BYTES_MIN, FileBlobStore
from swarm.peer.federation.learning_jobs import Learning
from swarm.peer.federation.session_folder import StateFolder
from swarm.peer.federation.status_board import StatusBoard
from swarm.peer.host.mailbox import Mailbox
from swarm.peer.host.wire import encode

OUTBOX_MAX = 1024
"""Messages waiting to be published; far more than a round makes, so a full one means a stall."""
SENDS_AT_ONCE_MAX = 16
_ROOM_RULE = f"{FREE_BYTES_MIN // 1024**2} MiB must stay free"

log = structlog.get_logger()


class Driver:
    """Owns the machine: nothing else calls its `handle`.

    Invariant: once the disk has failed nothing is done any more but to say goodbye, so nothing is
    announced that was to be stored first.
    """

    def __init__(
        self,
        machine: Federation,
        network: Network,
        store: FileBlobStore,
        state: StateFolder,
        board: StatusBoard,
        mailbox: Mailbox,
    ) -> None:
        """Make a driver.

        Args:
            machine: Decides.
            network: Sends.
            store: Keeps blobs.
            state: Keeps records.
            board: Shows what goes on.
            mailbox: Events from the network, the worker and the user.
        """
        self.machine = machine
        self.learning: Learning | None = None
        self.changed = trio.Event()
        """Set, and replaced, after every event."""
        self.failure: StorageError | None = None
        """Why this peer must leave: the disk did not do what was asked."""
        self.dismissed = ""
        """Why this peer has to leave though nothing failed: an operator removed it."""
        self._network = network
        self._store = store
        self._state = state
        self._board = board
        self._mailbox = mailbox
        self._timers: dict[str, trio.CancelScope] = {}
        self._sends = trio.CapacityLimiter(SENDS_AT_ONCE_MAX)
        self._outbox, self._to_publish = trio.open_memory_channel[Effect](OUTBOX_MAX)
        self._nursery: trio.Nursery | None = None

    async def run(self, started: Event) -> None:
        """Handle events until cancelled, `started` before all others."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self._publish_forever)
            self._handle(started)
            while True:
                self._handle(await self._mailbox.take())

    def fail(self, error: StorageError) -> None:
        """Do nothing more than to say goodbye when asked to leave; the first reason counts."""
        if self.failure is None:
            self.failure = error
            log.error("disk failed", reason=str(error))
            self._tell_change()

    def _handle(self, event: Event) -> None:
        if self.failure is not None and not isinstance(event, LeaveRequested):
            return
        effects = self.machine.handle(event, trio.current_time())
        try:
            for effect in effects:
                if self.failure is None or _is_goodbye(effect):
                    self._carry_out(effect)
        except StorageError as error:
            self.fail(error)
        self._tell_change()

    def _tell_change(self) -> None:
        self.changed.set()
        self.changed = trio.Event()

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Publish() | Subscribe() | Unsubscribe():
                self._queue(effect)
            case Send():
                self._spawn(self._send, effect)
            case SetTimer():
                self._set_timer(effect)
            case FetchBlob():
                self._spawn(self._fetch, effect)
            case KeepConnected(peers):
                self._network.keep_connected(peers)
            case KeepBlobs(blobs):
                self._store.keep_only(blobs | self._mailbox.blobs)
            case Note(kind, text):
                # What became of a head is told, with its fields, when it is saved.
                log.log(logging.DEBUG if kind == "head" else logging.INFO, kind, detail=text)
            case SaveLedger() | SaveCommands() | Leave():
                self._carry_out_orders(effect)
            case SaveContribution(contribution):
                self._contributed(contribution)
            case _:
                self._carry_out_learning(effect)

    def _carry_out_orders(self, effect: SaveLedger | SaveCommands | Leave) -> None:
        match effect:
            case SaveLedger(entries):
                self._state.save_entries(entries)
            case SaveCommands(commands):
                self._state.save_commands(commands)
            case Leave(reason):
                self.dismissed = reason

    def _carry_out_learning(self, effect: Effect) -> None:
        if isinstance(effect, SaveHead):
            self._adopted(effect.head)
        if self.learning is not None:
            self.learning.carry_out(effect, self._spawn_job)

    def _adopted(self, head: GlobalModel) -> None:
        self._state.save_head(head)
        log.info(
            "adopted",
            round=head.round,
            head=head.digest,
            author=head.author,
            term=head.term,
            contributors=len(head.contributors),
            cohort=len(head.cohort),
        )

    def _contributed(self, contribution: Contribution) -> None:
        self._state.save_contribution(contribution)
        held = self.machine.held
        log.info(
            "contributed",
            round=held.round + 1 if held is not None else None,
            blob_bytes_sent=self._network.snapshot().blob_bytes_sent,
        )

    def _queue(self, effect: Effect) -> None:
        try:
            self._outbox.send_nowait(effect)
        except trio.WouldBlock:
            if not isinstance(effect, Publish):
                raise LocalProtocolError("the outbox is full: publishing stalls") from None
            log.warning("dropped", detail="the outbox is full, a message was not published")

    async def _publish_forever(self) -> None:
        async for effect in self._to_publish:
            match effect:
                case Subscribe(topic):
                    await self._network.subscribe(topic)
                case Unsubscribe(topic):
                    await self._network.unsubscribe(topic)
                case Publish(topic, message, attach):
                    await self._network.publish(topic, encode(message, self._attached(attach)))

    def _attached(self, blob: BlobRef | None) -> bytes | None:
        """The bytes that ride along; if the blob is gone by now, the reference must do."""
        if blob is None:
            return None
        try:
            return self._store.read(blob)
        except NetworkError:
            return None

    async def _send(self, effect: Send) -> None:
        try:
            async with self._sends:
                await self._network.send(effect.peer, encode(effect.message))
        except NetworkError as error:
            log.debug("not sent", peer=effect.peer, reason=str(error))

    async def _fetch(self, effect: FetchBlob) -> None:
        try:
            await self._network.fetch(effect.blob, effect.holders, effect.wait_s)
        except BlobNotFoundError as error:
            if self._store.is_full:  # nobody could give it: this peer cannot follow any more
                self.fail(StorageError(f"{error}: the disk is full, {_ROOM_RULE}"))
            await self._answer(BlobMissing(effect.blob, str(error)))
        except StorageError as error:
            self.fail(error)
        else:
            # Between its arrival and this moment it may have been dropped with what nobody wants.
            gone = BlobMissing(effect.blob, "it was not wanted any more when it came")
            arrived = BlobArrived(effect.blob)
            await self._answer(arrived if self._store.has(effect.blob) else gone)

    def _set_timer(self, effect: SetTimer) -> None:
        earlier = self._timers.get(effect.name)
        if earlier is not None:
            earlier.cancel()
        scope = trio.CancelScope()
        self._timers[effect.name] = scope
        self._spawn(self._time, effect, scope)

    async def _time(self, effect: SetTimer, scope: trio.CancelScope) -> None:
        with scope:
            await trio.sleep_until(effect.due_s)
            await self._answer(TimerFired(effect.name))

    def _spawn_job(self, job: Callable[[], Awaitable[Event | None]]) -> None:
        self._spawn(self._run_job, job)

    async def _run_job(self, job: Callable[[], Awaitable[Event | None]]) -> None:
        try:
            event = await job()
        except (LearningError, WorkerDiedError) as error:
            log.warning("job failed", reason=str(error))
            return
        except StorageError as error:
            self.fail(error)
            return
        if event is not None:
            await self._answer(event)

    def _spawn(self, task: Callable[..., Awaitable[object]], *args: object) -> None:
        if self._nursery is None:
            raise LocalProtocolError("the driver must run before it carries out effects")
        self._nursery.start_soon(task, *args)

    async def _answer(self, event: Event) -> None:
        await self._mailbox.post(event)


def _is_goodbye(effect: Effect) -> bool:
    return isinstance(effect, Publish) and isinstance(effect.message, Goodbye)
