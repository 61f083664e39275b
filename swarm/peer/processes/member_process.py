"""`python -m swarm.peer.processes.member_process NICENESS MEMORY_MIB`: does a member's jobs.

It reads jobs from stdin and answers on stdout, in order. Only loading a model has a thread of its
own, so that the models which are loaded already answer meanwhile.
"""

import contextlib
import importlib
import logging
import queue
import resource
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from swarm.core import errors
from swarm.core.canonical import sha256_hex
from swarm.core.errors import LearningError
from swarm.core.ids import Digest
from swarm.learning import errors as learning_errors
from swarm.peer.processes.child_pipes import ChildPipes
from swarm.peer.processes.member_frames import (
    FRAMING,
    Answered,
    Done,
    Failed,
    Job,
    KeepOnly,
    LoadModel,
    Message,
    Open,
    PredictRows,
    Progressed,
    Ready,
    Reply,
    Request,
    Shadowed,
)

if TYPE_CHECKING:
    from swarm.peer.processes.member_jobs import MemberJobs

INLINE_MAX = 64 * 1024
"""Bytes of answers that ride along; more are written to a file."""
_MIB = 1024**2
_ABSTAINS = "AbstainsError"
_TORCH_BRIDGE = "sklearn.externals.array_api_compat.torch"
_FILE_SIZE_MAX = 4 * 1024**3


@dataclass(frozen=True, slots=True)
class _Loaded:
    """From the thread: a model was loaded, or why not."""

    call: int
    version: Digest
    error: Exception | None


class MemberService:
    """Does one process's jobs.

    Invariant: every request is answered once, by `Done` or by `Failed`.
    """

    def __init__(self, pipes: ChildPipes[Message]) -> None:
        self._pipes = pipes
        self._inbox: queue.SimpleQueue[Message | _Loaded] = queue.SimpleQueue()
        self._jobs: MemberJobs | None = None
        self._waiting: dict[Digest, list[Request]] = {}
        """Questions for models that are being loaded."""
        self._last_answers = b""

    def serve(self) -> None:
        """Do jobs for ever."""
        self._pipes.read(self._inbox.put)
        with contextlib.suppress(Exception):  # raised again, and answered, by `Open`
            _jobs_class()
        while True:
            message = self._inbox.get()
            if isinstance(message, _Loaded):
                self._end_loading(message)
            elif isinstance(message, Request):
                self._take(message)

    def _take(self, request: Request) -> None:
        job = request.job
        if isinstance(job, LoadModel):
            self._waiting[job.model.version] = []
            threading.Thread(target=self._load, args=(request.call, job), daemon=True).start()
        elif isinstance(job, PredictRows) and job.version in self._waiting:
            self._waiting[job.version].append(request)
        else:
            self._answer(request.call, lambda: self._do(request.call, job))
            if isinstance(job, PredictRows) and job.shadow is not None:
                self._answer_in_the_shadow(request.call, job, job.shadow)

    def _load(self, call: int, job: LoadModel) -> None:
        error: Exception | None = None
        try:
            self._opened().predictor.load(job.model, Path(job.path))
        except Exception as caught:  # answered by `_end_loading`
            error = caught
        self._inbox.put(_Loaded(call, job.model.version, error))

    def _end_loading(self, loaded: _Loaded) -> None:
        def done() -> Reply:
            if loaded.error is not None:
                raise loaded.error
            return Ready()

        self._answer(loaded.call, done)
        for request in self._waiting.pop(loaded.version, []):
            self._take(request)

    def _answer(self, call: int, do: Callable[[], Reply]) -> None:
        try:
            reply = do()
        except MemoryError:
            text = "not enough memory within this process's limit"
            self._pipes.send(Failed(call, LearningError.__name__, text))
        except Exception as error:  # any failure is an answer; the process lives on
            self._pipes.send(Failed(call, _known_class(error), str(error)))
        except SystemExit as error:
            text = f"the learner's code called sys.exit({error.code!r})"
            self._pipes.send(Failed(call, LearningError.__name__, text))
        else:
            self._pipes.send(Done(call, reply))

    def _do(self, call: int, job: Job) -> Reply:
        match job:
            case Open():
                self._jobs = _jobs_class()(job)
                return Ready()
            case KeepOnly(versions):
                self._opened().predictor.keep_only(versions)
                return Ready()
            case PredictRows():
                return self._predict_or_abstain(job)
            case _:
                return self._opened().do(
                    job, lambda share: self._pipes.send(Progressed(call, share))
                )

    def _predict_or_abstain(self, job: PredictRows) -> Reply:
        try:
            self._last_answers = self._predict(job, job.version)
        except LearningError as error:
            if type(error).__name__ != _ABSTAINS:
                raise
            return Answered(b"", 0, sha256_hex(b""), abstains=str(error))
        return _packed(self._last_answers, job)

    def _predict(self, job: PredictRows, version: Digest) -> bytes:
        rows = Path(job.path).read_bytes() if job.path else job.rows
        answers: bytes = self._opened().predictor.predict(version, rows)
        return answers

    def _answer_in_the_shadow(self, call: int, job: PredictRows, shadow: Digest) -> None:
        """Answer again with the challenger, whose failure must not concern the asker."""
        with contextlib.suppress(Exception):  # the challenger shows no row that it answered
            answers = self._predict(job, shadow)
            difference = self._opened().difference(self._last_answers, answers, job.num_rows)
            self._pipes.send(Shadowed(call, shadow, job.num_rows, difference))

    def _opened(self) -> "MemberJobs":
        if self._jobs is None:
            raise LearningError("the process must be opened before any other job")
        return self._jobs


def _packed(answers: bytes, job: PredictRows) -> Answered:
    digest = sha256_hex(answers)
    if len(answers) <= INLINE_MAX:
        return Answered(answers, len(answers), digest)
    Path(job.answers_path).write_bytes(answers)
    return Answered(b"", len(answers), digest)


def _known_class(error: Exception) -> str:
    """The name of an error's class, or of the base that the peer knows."""
    for kind in type(error).__mro__:
        if any(hasattr(module, kind.__name__) for module in (errors, learning_errors)):
            return kind.__name__
    return type(error).__name__


def _jobs_class() -> "type[MemberJobs]":
    # skops lists scikit-learn's modules, and this one would load PyTorch where it is installed.
    sys.modules.setdefault(_TORCH_BRIDGE, None)  # type: ignore[arg-type]  # "not to be found"
    found: type[MemberJobs] = importlib.import_module(
        "swarm.peer.processes.member_jobs"
    ).MemberJobs
    return found


def _limit(memory_mib: int) -> None:
    """Bound what this process may allocate and write; a foreign model may ask for anything.

    `RLIMIT_DATA` counts private memory that can be written: heap, anonymous mappings and stacks.
    """
    if memory_mib:
        size_bytes = memory_mib * _MIB
        resource.setrlimit(resource.RLIMIT_DATA, (size_bytes, size_bytes))
        resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_SIZE_MAX, _FILE_SIZE_MAX))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Serve the peer at the other end of stdin and stdout until it is gone."""
    niceness, memory_mib = (int(text) for text in sys.argv[1:3])
    pipes = ChildPipes(FRAMING, niceness)
    _limit(memory_mib)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of new shapes of batches
    MemberService(pipes).serve()


if __name__ == "__main__":
    main()
