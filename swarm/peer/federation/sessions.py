"""Sessions: the federated sessions of one host, begun and ended while it runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
import trio

from swarm.commanding.commands import Command
from swarm.core.errors import only_error
from swarm.core.ids import PeerId, SessionId
from swarm.core.machine import Effect, Event
from swarm.core.session import SessionSpec
from swarm.federation.messages import SessionQuery
from swarm.federation.records import GlobalModel
from swarm.federation.session_choice import (
    JoinOrdered,
    SessionBegun,
    SessionChoice,
    SessionOver,
    TakeUp,
)
from swarm.peer.federation.peer_settings import PeerSettings
from swarm.peer.federation.session_folder import SessionFolder
from swarm.peer.federation.session_run import SessionRun, resumable_heads
from swarm.peer.federation.session_source import SessionSource, announce
from swarm.peer.host.commands import Commanded
from swarm.peer.host.host import Host
from swarm.peer.host.machine_driver import MachineDriver
from swarm.peer.processes.learner_worker import LearnerWorker, open_worker

WORKLOAD = "federation"
SESSIONS_MAX = 4
"""Sessions that run here at once; for one more, the oldest that is over is left."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Begin:
    """A session to take part in."""

    spec: SessionSpec
    offered_by: tuple[PeerId, ...] = ()
    heads: tuple[GlobalModel, ...] = ()
    """Heads of an earlier life, the newest last, its weights in the store."""


class Sessions:
    """Starts a run for each session, and gives each event to the runs it concerns.

    Invariants:
        A session has at most one run here, in a folder of its own.
        A session that fails ends with its reason; other work of this host goes on.
    """

    def __init__(
        self, host: Host, settings: PeerSettings, nursery: trio.Nursery, *, only_trains: bool
    ) -> None:
        self.runs: dict[SessionId, SessionRun] = {}
        """By session, the newest last."""
        self.changed = trio.Event()
        """Set, and replaced, when a session began, is over or failed."""
        self._host = host
        self._settings = settings
        self._only_trains = only_trains and not settings.idle
        self._nursery = nursery
        self._source = SessionSource(settings, host)
        machine = SessionChoice(host.me, asks=not settings.idle)
        self._choice = MachineDriver(WORKLOAD, machine, host, nursery, self._take_up_chosen)
        self._scopes: dict[SessionId, trio.CancelScope] = {}
        self._beginning: set[SessionId] = set()
        self._preloaded: trio.MemorySendChannel[_Begin] | None = None

    @property
    def newest(self) -> SessionRun | None:
        """The session that began last."""
        return next(reversed(self.runs.values()), None)

    @property
    def all_over(self) -> bool:
        """Whether a session has run here and none has anything left to do."""
        return bool(self.runs) and all(run.over for run in self.runs.values())

    def handle(self, event: Event) -> None:
        """Hand an event to the sessions it concerns."""
        if isinstance(event, SessionQuery):
            asked = self.newest if event.wanted is None else self.runs.get(event.wanted)
            if asked is not None:
                asked.driver.handle(event)
        elif isinstance(event, Commanded):
            self._obey(event.command)
        elif (session := getattr(event, "session", None)) is not None:
            if session in self.runs:
                self.runs[session].driver.handle(event)
        else:
            self._choice.handle(event)
            for run in tuple(self.runs.values()):
                run.driver.handle(event)

    def _obey(self, command: Command) -> None:
        session = command.session
        if command.action == "join" and session is not None:
            self._choice.handle(JoinOrdered(session))
        elif command.action == "leave" and session in self.runs:
            self.runs[session].leave()
            self._scopes[session].cancel()

    def leave(self, reason: str = "") -> None:
        """Say goodbye in every session."""
        for run in self.runs.values():
            run.leave(reason)

    async def close(self) -> None:
        """Leave reports and models behind, in every session."""
        for run in self.runs.values():
            await run.close()

    async def begin(self) -> None:
        """Resume earlier sessions, start a new one, or look for one, as the settings say.

        Raises:
            ConfigurationError: The folder of a session is damaged, or a setting breaks a rule.
        """
        settings = self._settings
        with self._host.outbox.keep_all():
            earlier = SessionFolder.all_in(settings.state_dir, self._host.me)
            resumable = [one for folder in earlier if (one := self._resumable(folder))]
            running = [one for one in resumable if one.heads[-1].round < one.spec.rounds]
            for one in dict.fromkeys([*running[-SESSIONS_MAX + 1 :], *resumable[-1:]]):
                self._take_up(one)
            had_heads = any(folder.has_heads() for folder in earlier)
            starts = not (had_heads or settings.bootstraps or settings.idle)
            if starts or settings.new_session:
                spec = await trio.to_thread.run_sync(self._source.create)
                if spec.id not in {one.spec.id for one in resumable}:
                    self._take_up(_Begin(spec))
            while self._beginning:
                await self.changed.wait()
        if not self.runs:
            log.info("joining", detail="asking connected peers which session runs")
        self._choice.carry_out(self._choice.machine.start(trio.current_time()))

    def _take_up_chosen(self, effect: Effect) -> None:
        """Take part in a session that was offered."""
        if not isinstance(effect, TakeUp):
            return
        spec, offered_by = effect.spec, effect.offered_by
        earlier = self._resumable(
            SessionFolder.of(self._settings.state_dir, spec.id, self._host.me)
        )
        self._take_up(_Begin(spec, offered_by, earlier.heads if earlier is not None else ()))

    def preload(self) -> None:
        """Start the worker of the first session before that is known: Keras loads meanwhile."""
        self._preloaded, receive = trio.open_memory_channel[_Begin](1)
        self._nursery.start_soon(self._work, receive)

    def _resumable(self, folder: SessionFolder) -> "_Begin | None":
        """What an earlier life left of a session; None if its weights are not here any more."""
        spec = folder.load_spec() if folder.has_heads() else None
        if spec is None:
            return None
        heads = resumable_heads(folder, self._host.store)
        if not heads:
            # Trust the newest head of the peer that offers the session: without the weights,
            # our own history cannot be verified.
            log.warning("joining", detail="no weights of the earlier life are left: asking others")
            return None
        return _Begin(spec, (), heads)

    def _take_up(self, begin: "_Begin") -> None:
        self._beginning.add(begin.spec.id)
        if self._preloaded is not None:
            preloaded, self._preloaded = self._preloaded, None
            preloaded.send_nowait(begin)
        else:
            send, receive = trio.open_memory_channel[_Begin](1)
            send.send_nowait(begin)
            self._nursery.start_soon(self._work, receive)

    async def _work(self, receive: "trio.MemoryReceiveChannel[_Begin]") -> None:
        """Take part in one session, with a worker process of its own."""
        async with open_worker(log, self._settings.fork_server) as worker:
            begin = await receive.receive()
            try:
                await self._take_part(begin, worker)
            except Exception as error:
                if self._is_only_work(begin.spec.id):
                    raise
                log.error("session failed", session=begin.spec.id, reason=repr(only_error(error)))
            self._end(begin.spec.id)

    async def _take_part(self, begin: "_Begin", worker: LearnerWorker) -> None:
        spec, host = begin.spec, self._host
        self._source.check(spec, is_first=not self.runs)
        folder = SessionFolder.of(self._settings.state_dir, spec.id, host.me)
        model_path = await self._source.model_path(spec, begin.offered_by, folder.root)
        async with trio.open_nursery() as tasks:
            self._make_room()
            run = SessionRun(spec, host, self._settings, worker, tasks)
            self.runs[spec.id] = run
            self._scopes[spec.id] = tasks.cancel_scope
            announce(spec)
            run.start(begin.offered_by, begin.heads, model_path)
            self._beginning.discard(spec.id)
            self._choice.handle(SessionBegun(spec))
            self._notify()
            await run.wait_over()
            self._choice.handle(SessionOver(spec.id))
            self._notify()
            await trio.sleep_forever()  # others may still ask for what this peer has

    def _make_room(self) -> None:
        """Leave the oldest session that is over, if there are as many as may be."""
        over = [session for session, run in self.runs.items() if run.over]
        if len(self.runs) >= SESSIONS_MAX and over:
            self.runs[over[0]].leave("")
            self._scopes[over[0]].cancel()

    def _end(self, session: SessionId) -> None:
        self._beginning.discard(session)
        run = self.runs.pop(session, None)
        if run is not None:
            run.driver.stop()
        self._choice.handle(SessionOver(session))
        self._notify()

    def _is_only_work(self, session: SessionId) -> bool:
        return self._only_trains and self.runs.keys() <= {session}

    def _notify(self) -> None:
        self.changed.set()
        self.changed = trio.Event()


@asynccontextmanager
async def open_sessions(
    host: Host, settings: PeerSettings, *, only_trains: bool
) -> AsyncIterator[Sessions]:
    """Take part in federated sessions on a host; their worker processes end with the block.

    Args:
        host: The host.
        settings: What the user set.
        only_trains: Whether the host does nothing else, so that a failed session ends the peer.
    """
    async with trio.open_nursery() as nursery:
        sessions = Sessions(host, settings, nursery, only_trains=only_trains)
        if not settings.idle:
            sessions.preload()
        host.add(sessions)
        yield sessions
        nursery.cancel_scope.cancel()
