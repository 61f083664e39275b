"""MemberWorker: one child process of a member of an ensemble, for trio.

A member has several, by what they may do: one answers questions and is always ready; one fits; one
loads other members' models, with less memory and time. A call ends with a reply or an error. One
that takes longer than its limit ends with its process, and the next call starts another process.
"""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import trio

from swarm.core.errors import LearningError, SwarmError, WorkerDiedError
from swarm.peer.processes.calls import CallLife, error_of
from swarm.peer.processes.cores import learner_environment
from swarm.peer.processes.member_frames import (
    FRAMING,
    Done,
    Failed,
    Job,
    KeepOnly,
    LoadModel,
    Message,
    Open,
    Progressed,
    Ready,
    Request,
    Shadowed,
)
from swarm.peer.processes.pipes import Log, PipedProcess
from swarm.peer.processes.process_life import RestartedProcess

COMMAND = (sys.executable, "-m", "swarm.peer.processes.member_process")
START_LIMIT_S = 300.0
"""A process that is not ready by then is killed."""
R = TypeVar("R")
OnShadow = Callable[[Shadowed], None]


@dataclass(frozen=True, slots=True)
class Role:
    """What a child process is for, and what it may use."""

    name: str
    niceness: int
    """The greater, the later it gets a core."""
    memory_mib: int = 0
    """Most memory that it may allocate; 0 for no limit."""
    threads: int = 1

    def command(self) -> tuple[str, ...]:
        """The command that starts the process."""
        return (*COMMAND, str(self.niceness), str(self.memory_mib))


class MemberWorker:
    """Calls into one child process, which is started when it is needed.

    Invariant: a process that answers has first been opened, and has loaded the models in `loads`.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        role: Role,
        opening: Open,
        log: Log | None = None,
        on_died: Callable[[], None] | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            nursery: Runs the processes.
            role: What they are for.
            opening: The first job of each.
            log: Where to log what happens to them.
            on_died: Called when a process that was ready has ended.
        """
        self.loads: tuple[LoadModel, ...] = ()
        """Models that each new process loads."""
        self.on_shadow: OnShadow | None = None
        """Called when a model answered in the shadow."""
        self._opening = opening
        self._log = log
        self._role = role
        self._num_calls = 0
        environment = _environment(role)

        def new_life() -> _MemberLife:
            process = PipedProcess(None, log, role.command(), environment)
            life = _MemberLife(FRAMING, process, log)
            life.name = f"the process that {role.name}"
            life.on_shadow, life.on_died = self._note_shadow, on_died
            return life

        self._process = RestartedProcess(nursery, new_life)

    @property
    def pid(self) -> int | None:
        """None while no process runs."""
        return self._process.pid

    async def start(self) -> None:
        """Have a process running, with its models loaded.

        Raises:
            WorkerDiedError: It ended while it started, or was not ready in time.
        """
        await self._running()

    async def keep_loaded(self, loads: tuple[LoadModel, ...], limit_s: float = math.inf) -> None:
        """Have exactly these models loaded; new ones are loaded before others are forgotten.

        Models that cannot be loaded are left out of `loads`.

        Args:
            loads: The models.
            limit_s: Seconds after which the process is killed, for each new model.

        Raises:
            SwarmError: Why the first model that is left out cannot be loaded.
        """
        failure: SwarmError | None = None
        for load in loads:
            try:
                await self._load(load, limit_s)
            except SwarmError as error:  # raised when the others are loaded
                failure = failure or error
        versions = {load.model.version for load in loads}
        kept = tuple(load for load in self.loads if load.model.version in versions)
        is_less, self.loads = len(kept) < len(self.loads), kept
        if is_less:
            life = await self._running()
            await self._exchange(life, KeepOnly(tuple(one.model.version for one in kept)), Ready)
        if failure is not None:
            raise failure

    async def call(
        self,
        job: Job,
        reply_type: type[R],
        limit_s: float = math.inf,
        on_progress: Callable[[float], None] | None = None,
    ) -> R:
        """Do a job.

        Args:
            job: What to do.
            reply_type: Type of the reply.
            limit_s: Seconds after which the process is killed.
            on_progress: Called with the share that is done.

        Raises:
            LearningError: The job failed, or took longer than its limit.
            WorkerDiedError: The process ended first.
        """
        life = await self._running()
        return await self._exchange_within(limit_s, life, job, reply_type, on_progress)

    def _note_shadow(self, shadowed: Shadowed) -> None:
        if self.on_shadow is not None:
            self.on_shadow(shadowed)

    async def _running(self) -> "_MemberLife":
        async with self._process.starting:
            life = self._process.life
            if life is not None and not life.is_ready:
                await life.ended.wait()  # it was cancelled below
                life = None
            return life if life is not None else await self._start()

    async def _start(self) -> "_MemberLife":
        life = await self._process.start()
        try:
            with trio.move_on_after(START_LIMIT_S):
                await self._get_ready(life)
        finally:
            if not life.is_ready:
                life.scope.cancel()
        if not life.is_ready:
            raise WorkerDiedError(
                f"{life.name} was not ready within {START_LIMIT_S:g} s and was killed"
            )
        return life

    async def _get_ready(self, life: "_MemberLife") -> None:
        await self._exchange(life, self._opening, Ready)
        for load in self.loads:
            try:
                await self._exchange(life, load, Ready)
            except WorkerDiedError:
                raise
            except SwarmError as error:  # the other models answer without it
                self.loads = tuple(one for one in self.loads if one is not load)
                if self._log is not None:
                    self._log.warning("model not loaded", reason=str(error))
        life.is_ready = True

    async def _load(self, load: LoadModel, limit_s: float) -> None:
        """Have one more model loaded, also by the processes to come."""
        life = await self._running()
        if load.model.version not in {one.model.version for one in self.loads}:
            await self._exchange_within(limit_s, life, load, Ready)
            self.loads = (*self.loads, load)

    async def _exchange_within(
        self,
        limit_s: float,
        life: "_MemberLife",
        job: Job,
        reply_type: type[R],
        on_progress: Callable[[float], None] | None = None,
    ) -> R:
        """Exchange a job for its reply; kill the process if that takes too long."""
        with trio.move_on_after(limit_s) as limit:
            return await self._exchange(life, job, reply_type, on_progress)
        assert limit.cancelled_caught  # noqa: S101 (the block returns or raises otherwise)
        life.scope.cancel()
        await life.ended.wait()
        raise LearningError(f"it took longer than its limit of {limit_s:g} s and was killed")

    async def _exchange(
        self,
        life: "_MemberLife",
        job: Job,
        reply_type: type[R],
        on_progress: Callable[[float], None] | None = None,
    ) -> R:
        self._num_calls += 1
        number = self._num_calls
        call = await life.exchange(number, Request(number, job), on_progress)
        if isinstance(call.error, WorkerDiedError) and self._role.memory_mib:
            raise WorkerDiedError(
                f"{call.error} (it may use {self._role.memory_mib} MiB of memory)"
            )
        return call.result(reply_type)


class _MemberLife(CallLife[Message]):
    """One life of a member's child process."""

    name = "the process"
    said = "member's process said"
    on_shadow: OnShadow | None = None
    on_died: Callable[[], None] | None = None
    is_ready = False
    """Whether it was opened, with its models loaded."""

    def end(self) -> None:
        super().end()
        if self.is_ready and self.on_died is not None:
            self.on_died()

    def take(self, message: Message) -> None:
        if isinstance(message, Shadowed):
            if self.on_shadow is not None:
                self.on_shadow(message)
            return
        call = self.calls.get(message.call)
        if call is None:
            return  # its caller was cancelled
        match message:
            case Progressed(share=share) if call.on_progress is not None:
                call.on_progress(share)
            case Done(reply=reply):
                call.resolve(reply)
            case Failed(error_class=name, message=text):
                call.resolve(None, error_of(name, text))


def _environment(role: Role) -> dict[str, str]:
    threads = str(role.threads)
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {
        **learner_environment(role.threads),
        **dict.fromkeys(names, threads),
        "CUDA_VISIBLE_DEVICES": "-1",
    }
