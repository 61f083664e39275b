"""StudyDriver: hands events to one study's machine and carries out the effects it asks for."""

from collections.abc import Awaitable, Callable

import structlog
import trio

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
from swarm.core.errors import BlobNotFoundError, StorageError
from swarm.core.machine import Effect, Event, SetTimer, TimerFired
from swarm.peer.host.outbox import Outbox
from swarm.peer.search.ledger_file import LedgerFile
from swarm.peer.search.trial_execution import Execution
from swarm.search.effects import (
    DropTrial,
    LeaveRequested,
    Note,
    PruneTrial,
    RunTrial,
    SaveEntries,
    SaveTerm,
)
from swarm.search.search import Search

log = structlog.get_logger()
_LOUD = ("coordinates", "stepped down", "closed", "cannot coordinate")
"""What users like to hear; leases that expire are for who looks closer."""


class StudyDriver:
    """Owns one machine: nothing else calls its `handle`.

    Invariant: what the machine wants saved is written before anything that follows is sent.
    """

    def __init__(
        self,
        machine: Search,
        file: LedgerFile,
        outbox: Outbox,
        execution: Execution | None,
        nursery: trio.Nursery,
        tell_closed: Callable[[], None],
    ) -> None:
        self.machine = machine
        self.changed = trio.Event()
        """Set, and replaced, after every event."""
        self._file = file
        self._outbox = outbox
        self._execution = execution
        self._nursery = nursery
        self._tell_closed: Callable[[], None] | None = tell_closed
        self._timers: dict[str, trio.CancelScope] = {}
        self._syncing = trio.CancelScope()

    def handle(self, event: Event) -> None:
        """Hand over an event.

        Raises:
            StorageError: The disk refused the ledger.
        """
        effects = self.machine.handle(event, trio.current_time())
        entries = [
            e for effect in effects if isinstance(effect, SaveEntries) for e in effect.entries
        ]
        if entries:
            self._file.add(entries)  # one write, before all that is sent
        for effect in effects:
            self._carry_out(effect)
        self.changed.set()
        self.changed = trio.Event()
        if self.machine.closed and self._tell_closed is not None:
            tell, self._tell_closed = self._tell_closed, None
            tell()

    async def sync_forever(self) -> None:
        """Have the ledger on the disk itself once a second, in a thread; at the end close it."""
        synced = 0
        try:
            with self._syncing:
                while True:
                    await trio.sleep(1.0)
                    if len(self.machine.ledger) > synced:
                        synced = len(self.machine.ledger)
                        await trio.to_thread.run_sync(self._file.sync)
        finally:
            self._file.close()

    def retire(self) -> None:
        """Leave a study for good; its ledger stays on disk."""
        self.handle(LeaveRequested())
        for scope in self._timers.values():
            scope.cancel()
        self._syncing.cancel()
        self._outbox.forget(self.machine.spec.id)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Publish() | Subscribe() | Unsubscribe():
                self._outbox.queue(effect)
            case Send(peer, message):
                self._outbox.send(peer, message)
            case SetTimer():
                self._set_timer(effect)
            case KeepConnected(peers):
                self._outbox.keep_connected(self.machine.spec.id, peers)
            case FetchBlob():
                self._nursery.start_soon(self._fetch, effect)
            case KeepBlobs(blobs):
                self._outbox.keep_blobs(self.machine.spec.id, blobs)
            case SaveTerm(term):
                self._file.save_term(term)
            case Note(kind, text):
                tell = log.info if kind in _LOUD else log.debug
                tell(kind, study=self.machine.spec.name, detail=text)
            case _:
                self._execute(effect)

    def _execute(self, effect: Effect) -> None:
        if self._execution is None:
            return
        match effect:
            case RunTrial():
                spec, ledger = self.machine.spec, self.machine.ledger
                self._nursery.start_soon(self._execution.run, spec, effect, ledger, self.handle)
            case PruneTrial(trial):
                self._execution.prune(trial)
            case DropTrial(trial):
                self._execution.drop(trial)

    async def _fetch(self, effect: FetchBlob) -> None:
        try:
            await self._outbox.fetch(effect)
        except (BlobNotFoundError, StorageError) as error:
            self.handle(BlobMissing(effect.blob, str(error)))
        else:
            self.handle(BlobArrived(effect.blob))

    def _set_timer(self, effect: SetTimer) -> None:
        earlier = self._timers.get(effect.name)
        if earlier is not None:
            earlier.cancel()
        scope = self._timers[effect.name] = trio.CancelScope()
        self._spawn(self._time, effect, scope)

    async def _time(self, effect: SetTimer, scope: trio.CancelScope) -> None:
        with scope:
            if effect.due_s > trio.current_time():
                await trio.sleep_until(effect.due_s)
            else:  # this task began after what was ready before it: that is turn enough
                await trio.lowlevel.checkpoint_if_cancelled()
            self.handle(TimerFired(effect.name))

    def _spawn(self, task: Callable[..., Awaitable[object]], *args: object) -> None:
        self._nursery.start_soon(task, *args)
