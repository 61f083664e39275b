"""MachineDriver: hands events to one machine and carries out the effects it asks for.

This base class serves all workloads. It carries out the core effects: messages, topics, timers,
connections, blobs. A workload's subclass carries out the workload's own effects.

Events are handled at once, in the task that brings them. No event waits in a queue, so a blob that
has just arrived cannot be deleted before its machine knows of it.
"""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

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
from swarm.core.errors import BlobNotFoundError, LearningError, StorageError, WorkerDiedError
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event, Machine, SetTimer, TimerFired
from swarm.peer.host.host import Host

M = TypeVar("M", bound=Machine)
Job = Callable[[], Awaitable[Event | None]]

log = structlog.get_logger()


class MachineDriver(Generic[M]):
    """Owns one machine: nothing else calls its `handle`.

    Invariants:
        Effects are carried out in order, so a machine's state is saved before its next messages.
        After the disk has failed, the machine only says goodbye.
        After an exception in its `handle`, the machine gets no more events.
    """

    def __init__(
        self,
        key: str,
        machine: M,
        host: Host,
        nursery: trio.Nursery,
        carry_out_own: Callable[[Effect], None] | None = None,
    ) -> None:
        """Make a driver.

        Args:
            key: Name of the machine on this host: the id of its session or study.
            machine: The machine that decides.
            host: Its network, store and outbox are used.
            nursery: Owns timers, fetches and jobs; they end with it.
            carry_out_own: Carries out effects that are not core effects; or override the method.
        """
        self.machine = machine
        self.broken: Exception | None = None
        """The exception that ended this machine: a bug."""
        self.changed = trio.Event()
        """Set, and replaced, after each event."""
        self._key = key
        self._host = host
        self._nursery = nursery
        self._timers: dict[str, trio.CancelScope] = {}
        self._carry_out_own = carry_out_own

    def handle(self, event: Event) -> None:
        """Hand an event to the machine and carry out its effects."""
        if self._host.failure is not None or self.broken is not None:
            return
        try:
            effects = self.machine.handle(event, trio.current_time())
        except Exception as error:  # this bug must not end the machines beside it
            self.broken = error
            log.exception("machine failed", machine=self._key, event_kind=type(event).__name__)
            self.end_broken(error)
        else:
            self.carry_out(effects)

    def say_goodbye(self, event: Event) -> None:
        """Hand over the event that ends the machine's part; after a disk failure, only send."""
        if self.broken is not None:
            return
        effects = self.machine.handle(event, trio.current_time())
        if self._host.failure is not None:
            effects = [e for e in effects if isinstance(e, Publish | Send)]
        self.carry_out(effects, leaving=True)

    def carry_out(self, effects: list[Effect], *, leaving: bool = False) -> None:
        """Carry out effects, in order."""
        try:
            self.prepare(effects)
            for effect in effects:
                if leaving or self._host.failure is None:
                    self._carry_out(effect)
        except StorageError as error:
            self._host.fail(error)
        self.notify()

    def prepare(self, effects: list[Effect]) -> None:
        """Prepare for the effects of one event before the first is carried out; for subclasses."""

    def carry_out_own(self, effect: Effect) -> None:
        """Carry out an effect that is not a core effect; for subclasses."""
        if self._carry_out_own is not None:
            self._carry_out_own(effect)

    def publish(self, effect: Publish) -> None:
        """Publish a message; subclasses may also hand it to machines of this host."""
        self._host.outbox.publish(effect)

    def send(self, peer: PeerId, message: Event) -> None:
        """Send a message to one peer; subclasses may hand it to a machine of this host."""
        self._host.outbox.send(peer, message)

    def end_broken(self, error: Exception) -> None:
        """End this machine, whose `handle` raised; for subclasses. A shared machine ends all."""
        raise error

    def notify(self) -> None:
        """Wake all tasks that wait for a change."""
        self.changed.set()
        self.changed = trio.Event()

    def spawn_job(self, job: Job) -> None:
        """Run a job in the background; the event that it returns is handled at once."""
        self._nursery.start_soon(self._run_job, job)

    def stop(self) -> None:
        """Cancel timers; release topics, connections and blobs."""
        for scope in self._timers.values():
            scope.cancel()
        self._host.outbox.forget(self._key)

    def _carry_out(self, effect: Effect) -> None:
        outbox = self._host.outbox
        match effect:
            case Publish():
                self.publish(effect)
            case Send(peer, message):
                self.send(peer, message)
            case SetTimer():
                self._set_timer(effect)
            case Subscribe(topic):
                outbox.subscribe(self._key, topic)
            case Unsubscribe(topic):
                outbox.unsubscribe(self._key, topic)
            case KeepConnected(peers):
                outbox.keep_connected(self._key, peers)
            case KeepBlobs(blobs):
                outbox.keep_blobs(self._key, blobs)
            case FetchBlob():
                self._nursery.start_soon(self._fetch, effect)
            case _:
                self.carry_out_own(effect)

    async def _fetch(self, effect: FetchBlob) -> None:
        blob = effect.blob
        try:
            is_here = await self._host.outbox.fetch(self._key, effect)
        except BlobNotFoundError as error:
            self._host.check_disk(error)
            self.handle(BlobMissing(blob, str(error)))
        except StorageError as error:
            self._host.fail(error)
        else:
            gone = BlobMissing(blob, "no machine wanted it any more when it arrived")
            self.handle(BlobArrived(blob) if is_here else gone)

    def _set_timer(self, effect: SetTimer) -> None:
        earlier = self._timers.get(effect.name)
        if earlier is not None:
            earlier.cancel()
        scope = self._timers[effect.name] = trio.CancelScope()
        self._nursery.start_soon(self._wait_timer, effect, scope)

    async def _wait_timer(self, effect: SetTimer, scope: trio.CancelScope) -> None:
        with scope:
            if effect.due_s > trio.current_time():
                await trio.sleep_until(effect.due_s)
            else:  # this task began after all tasks that were ready: no need to wait longer
                await trio.lowlevel.checkpoint_if_cancelled()
            if self._timers.get(effect.name) is scope:
                del self._timers[effect.name]
            self.handle(TimerFired(effect.name))

    async def _run_job(self, job: Job) -> None:
        try:
            event = await job()
        except (LearningError, WorkerDiedError) as error:
            log.warning("job failed", reason=str(error))
            return
        except StorageError as error:
            self._host.fail(error)
            return
        if event is not None:
            self.handle(event)
