"""CallLife: a life of a process that answers calls, each with a number; every call ends.

A call ends with a reply, with the error that ended the job, or with `WorkerDiedError` if the
process ended first.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import trio

from swarm.core import errors
from swarm.core.errors import LearningError, LocalProtocolError, SwarmError, WorkerDiedError
from swarm.learning import errors as learning_errors
from swarm.peer.processes.process_life import ProcessLife

M = TypeVar("M")
R = TypeVar("R")
OnProgress = Callable[[Any], None]


@dataclass(slots=True, eq=False)
class Call:
    """One outstanding call."""

    on_progress: OnProgress | None
    answered: trio.Event = field(default_factory=trio.Event)
    reply: object = None
    error: SwarmError | None = None

    def resolve(self, reply: object, error: SwarmError | None = None) -> None:
        """End the call."""
        self.reply, self.error = reply, error
        self.answered.set()

    def result(self, reply_type: type[R]) -> R:
        """What the call returns, or raises.

        Raises:
            SwarmError: The error that ended the job.
        """
        if self.error is not None:
            raise self.error
        if not isinstance(self.reply, reply_type):
            raise LocalProtocolError(
                f"the answer must be {reply_type.__name__}: {self.reply!r:.200}"
            )
        return self.reply


class CallLife(ProcessLife[M]):
    """One life of a process, and the calls that it has not answered."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.calls: dict[int, Call] = {}
        self.ended = trio.Event()
        """Set once the process is gone."""

    async def exchange(
        self, number: int, request: M, on_progress: OnProgress | None = None
    ) -> Call:
        """Send a request and wait until its call has ended.

        Args:
            number: Number of the call, which no other call has.
            request: The message that carries it.
            on_progress: Called with what the process says of its progress.

        Raises:
            WorkerDiedError: The process had ended before.
        """
        if not self.alive:
            raise WorkerDiedError(f"{self.name} ended before the job was sent")
        call = self.calls[number] = Call(on_progress)
        try:
            self.send(request)
            await call.answered.wait()
        finally:
            self.calls.pop(number, None)
        return call

    def end(self) -> None:
        """End all calls."""
        self.ended.set()
        reason = self.exit_reason()
        if self.died and self.log is not None:
            self.log.warning("worker died", pid=self.process.pid, reason=reason)
        for call in self.calls.values():
            if not call.answered.is_set():
                call.resolve(None, WorkerDiedError(reason))


def error_of(class_name: str, message: str) -> SwarmError:
    """The error that ended a job: one of ours, or `LearningError` with any other's name."""
    for module in (errors, learning_errors):
        found = getattr(module, class_name, None)
        if isinstance(found, type) and issubclass(found, SwarmError):
            return found(message)
    return LearningError(f"{class_name}: {message}")
