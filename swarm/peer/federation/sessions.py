"""Sessions: the federated sessions of one host; they begin and end while the host runs.

Each session runs in a task of its own, with its own worker, folder and machine:

    begin, TakeUp -> _work -> _take_part -> SessionRun ... -> close -> _forget

`begin` resumes what an earlier life of this peer left, or starts a new session. Later, the machine
`SessionChoice` says what to take up. A task lives until the host ends, an operator orders the peer
to leave, a newer session needs the place, or the session fails.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import structlog
import trio

from swarm.commanding.commands import Command
from swarm.core.blobs import BlobRef
from swarm.core.errors import LearningError, only_error
from swarm.core.ids import PeerId, SessionId
from swarm.core.machine import Effect, Event
from swarm.core.session import SessionSpec
from swarm.federation.best_head import is_last
from swarm.federation.like_failures import FAILURES_MAX
from swarm.federation.messages import SessionQuery
from swarm.federation.records import GlobalModel
from swarm.federation.session_choice import (
    JoinOrdered,
    LeaveOrdered,
    SessionBegun,
    SessionChoice,
    SessionOver,
    TakeUp,
)
from swarm.peer.federation.peer_settings import PeerSettings
from swarm.peer.federation.session_folder import SessionFolder
from swarm.peer.federation.session_run import SessionRun, resumable_heads
from swarm.peer.federation.session_source import announce
from swarm.peer.federation.trainers import LearnerProcesses, Trainer, Worker
from swarm.peer.host.commands import Commanded
from swarm.peer.host.host import Host
from swarm.peer.host.machine_driver import MachineDriver

WORKLOAD = "federation"
SESSIONS_MAX = 4
"""Sessions that run here at once; a new one replaces the oldest one that is over."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Begin:
    """A session to take part in."""

    spec: SessionSpec
    offered_by: tuple[PeerId, ...] = ()
    heads: tuple[GlobalModel, ...] = ()
    """Heads of an earlier life, the newest last; the newest one's weights are in the store."""


class Sessions:
    """Starts a run for each session, and gives each event to the runs that it concerns.

    Invariants:
        A session has at most one run here, in a folder of its own.
        A session that fails ends with its reason; other work of this host goes on.
        A session that an operator ordered to leave is not resumed, in this life or the next.
    """

    def __init__(
        self,
        host: Host,
        settings: PeerSettings,
        nursery: trio.Nursery,
        trainer: Trainer | None = None,
        *,
        is_only_workload: bool,
    ) -> None:
        self.runs: dict[SessionId, SessionRun] = {}
        """By session, the newest last."""
        self.changed = trio.Event()
        """Set, and replaced, when a session began, is over or failed."""
        self.failure: LearningError | None = None
        """Why the first of the sessions ended that this peer had to give up."""
        self._host = host
        self._settings = settings
        self._nursery = nursery
        self._is_only_workload = is_only_workload
        self._trainer = trainer if trainer is not None else LearnerProcesses(settings)
        self._source = self._trainer.source(host)
        machine = SessionChoice(host.me, asks=not settings.idle)
        self._choice = MachineDriver(WORKLOAD, machine, host, nursery, self._carry_out_choice)
        self._beginning: set[SessionId] = set()
        self._left: set[SessionId] = set()
        """Sessions that an operator ordered to leave."""
        self._has_had_one = False
        self._preloaded: trio.MemorySendChannel[_Begin] | None = None

    @property
    def newest(self) -> SessionRun | None:
        """The session that began last."""
        return next(reversed(self.runs.values()), None)

    @property
    def all_over(self) -> bool:
        """Whether a session has run here and none has anything left to do."""
        return self._has_had_one and all(run.over for run in self.runs.values())

    def handle(self, event: Event) -> None:
        """Hand an event to the sessions that it concerns."""
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
        if session is None:
            return
        if command.action == "leave":
            self._left.add(session)
            self._choice.handle(LeaveOrdered(session))
            if session in self.runs:
                self.runs[session].leaving.set()
        elif command.action == "join":
            self._left.discard(session)
            folder = self._folder(session)
            if session not in self.runs and not folder.is_finished():
                self._choice.handle(JoinOrdered(session))

    def leave(self, reason: str = "") -> None:
        """Say goodbye in every session."""
        for run in self.runs.values():
            run.leave(reason)

    async def close(self) -> None:
        """Write the last report and model of every session."""
        for run in tuple(self.runs.values()):
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
            resumable = [one for one in resumable if one.spec.id not in self._left]
            running = [one for one in resumable if not is_last(one.heads[-1], one.spec)]
            # A finished session is taken up only to show it, and to answer peers that need it.
            newest = [] if settings.new_session else resumable[-1:]
            for one in dict.fromkeys([*running[-SESSIONS_MAX + 1 :], *newest]):
                self._take_up(one)
            had = {folder.root.name for folder in earlier if folder.has_heads()}
            starts = not (had or settings.bootstraps or settings.idle)
            if starts or settings.new_session:
                spec = await trio.to_thread.run_sync(self._source.create)
                folder = self._folder(spec.id)
                while folder.is_finished() and "seed" not in settings.session:
                    spec = replace(spec, seed=spec.seed + 1)
                    folder = self._folder(spec.id)
                if folder.root.name not in had:
                    self._take_up(_Begin(spec))
                elif folder.is_finished():
                    log.warning(
                        "finished",
                        session=spec.id,
                        detail="--new-session names a session that this peer has finished: "
                        "change a setting to start another one, as in --seed 1",
                    )
            while self._beginning:
                await self.changed.wait()
        if not self.runs:
            log.info("joining", detail="asking connected peers which session they run")
        self._choice.carry_out(self._choice.machine.start(trio.current_time()))

    def _folder(self, session: SessionId) -> SessionFolder:
        return SessionFolder.of(self._settings.state_dir, session, self._host.me)

    def _carry_out_choice(self, effect: Effect) -> None:
        """Take up a session that was offered, unless it runs here already."""
        if not isinstance(effect, TakeUp):
            return
        spec = effect.spec
        if spec.id not in self.runs and spec.id not in self._beginning:
            earlier = self._resumable(self._folder(spec.id))
            heads = earlier.heads if earlier is not None else ()
            self._take_up(_Begin(spec, effect.offered_by, heads))

    def preload(self) -> None:
        """Start the learner of the first session early: Keras loads while peers are asked."""
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
        # Other sessions may say what they keep before this one's machine has begun.
        model = [begin.spec.model_file] if begin.spec.model_file is not None else []
        self._host.outbox.keep_blobs(
            begin.spec.id, frozenset[BlobRef]([*model, *(head.blob for head in begin.heads)])
        )
        if self._preloaded is not None:
            preloaded, self._preloaded = self._preloaded, None
            preloaded.send_nowait(begin)
        else:
            send, receive = trio.open_memory_channel[_Begin](1)
            send.send_nowait(begin)
            self._nursery.start_soon(self._work, receive)

    async def _work(self, receive: "trio.MemoryReceiveChannel[_Begin]") -> None:
        """Take part in one session, with a worker of its own."""
        async with self._trainer.open_worker() as worker:
            begin = await receive.receive()
            try:
                await self._take_part(begin, worker)
            except Exception as error:
                if self._is_only_work(begin.spec.id):
                    raise
                log.error("session failed", session=begin.spec.id, reason=repr(only_error(error)))
            self._forget(begin.spec.id)

    async def _take_part(self, begin: "_Begin", worker: Worker) -> None:
        spec, host = begin.spec, self._host
        root = self._folder(spec.id).root
        self._source.check(
            spec,
            is_first=not (self.runs or self._settings.new_session),
            kept_in=root if begin.heads and not begin.offered_by else None,
        )
        model_path = await self._source.model_path(spec, begin.offered_by, root)
        if spec.id in self._left:
            return
        async with trio.open_nursery() as tasks:
            self._make_room()
            run = SessionRun(spec, host, self._settings, worker, tasks)
            self.runs[spec.id], self._has_had_one = run, True
            announce(spec)
            run.start(begin.offered_by, begin.heads, model_path)
            self._beginning.discard(spec.id)
            self._choice.handle(SessionBegun(spec))
            self._notify()
            tasks.start_soon(self._wait_over, run)
            await run.leaving.wait()  # a finished session goes on answering other peers
            await run.close()
            run.leave()
            tasks.cancel_scope.cancel()

    async def _wait_over(self, run: SessionRun) -> None:
        await run.wait_over()
        if run.driver.failure:
            text = f"this peer failed {FAILURES_MAX} times in the same way: {run.driver.failure}"
            self.failure = self.failure or LearningError(text)
            run.leaving.set()
        self._choice.handle(SessionOver(run.spec.id))
        self._notify()

    def _make_room(self) -> None:
        """Leave the oldest session that is over, if there are as many as may be."""
        staying = [run for run in self.runs.values() if not run.leaving.is_set()]
        over = [run for run in staying if run.over]
        if len(staying) >= SESSIONS_MAX and over:
            over[0].leaving.set()

    def _forget(self, session: SessionId) -> None:
        self._beginning.discard(session)
        run = self.runs.pop(session, None)
        if run is not None:
            run.driver.stop()
        else:  # it never began
            self._host.outbox.forget(session)
        self._choice.handle(SessionOver(session))
        self._notify()

    def _is_only_work(self, session: SessionId) -> bool:
        is_alone = self.runs.keys() | self._beginning <= {session}
        return is_alone and self._is_only_workload and not self._settings.idle

    def _notify(self) -> None:
        self.changed.set()
        self.changed = trio.Event()


@asynccontextmanager
async def open_sessions(
    host: Host,
    settings: PeerSettings,
    trainer: Trainer | None = None,
    *,
    is_only_workload: bool = True,
) -> AsyncIterator[Sessions]:
    """Take part in federated sessions on a host; their learner processes end with the block.

    Args:
        host: What the sessions run on.
        settings: What the user set.
        trainer: What trains; learner processes by default.
        is_only_workload: Whether a failure of the only session ends the peer.
    """
    async with trio.open_nursery() as nursery:
        sessions = Sessions(host, settings, nursery, trainer, is_only_workload=is_only_workload)
        if not settings.idle:
            sessions.preload()
        host.add(sessions)
        yield sessions
        nursery.cancel_scope.cancel()
