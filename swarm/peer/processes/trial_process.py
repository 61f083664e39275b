"""`python -m swarm.peer.processes.trial_process`: runs trials from stdin, answers on stdout.

It ends when stdin closes, at once and in the middle of anything: then the peer is gone.
"""

import importlib
import logging
import os
import signal
import sys
import threading
from collections import deque
from typing import BinaryIO

from swarm.learning.search.trial_records import EpochReport
from swarm.peer.processes.trial_frames import (
    FRAMING,
    Ended,
    Message,
    Ready,
    Reported,
    RunTrial,
    StopTrial,
    Withdrawn,
    WithdrawTrial,
)

NICENESS = 5
"""Trials give way to the peer's network, which must answer within milliseconds."""
_LOADED = ("sklearn.metrics", "sklearn.model_selection", "sklearn.preprocessing")
"""What nearly every trial needs; Keras is loaded by the first trial that does."""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class TrialService:
    """Runs trials in order; reads on while one runs, so that it can be stopped.

    Invariant: every `RunTrial` is answered once, by `Ended` or by `Withdrawn`.
    """

    def __init__(self, inlet: BinaryIO, outlet: BinaryIO) -> None:
        self._inlet = inlet
        self._outlet = outlet
        self._writing = threading.Lock()
        self._waiting: deque[RunTrial] = deque()
        self._arrived = threading.Condition()
        self._stopped: set[int] = set()

    def serve(self) -> None:
        """Run trials for ever."""
        run_trial = importlib.import_module("swarm.learning.search.trial_runner").run_trial
        threading.Thread(target=self._read, daemon=True).start()
        self._send(Ready())
        while True:
            request = self._next()
            call = request.call

            def report(report: EpochReport, call: int = call) -> None:
                self._send(Reported(call, report))

            def go_on(call: int = call) -> bool:
                return call not in self._stopped

            outcome = run_trial(request.task, report, go_on)
            self._stopped.discard(call)
            self._send(Ended(call, outcome))

    def _next(self) -> RunTrial:
        with self._arrived:
            while not self._waiting:
                self._arrived.wait()
            return self._waiting.popleft()

    def _read(self) -> None:
        try:
            while message := FRAMING.read(self._inlet):
                self._take(message)
        finally:
            os._exit(0)

    def _take(self, message: Message) -> None:
        match message:
            case RunTrial():
                with self._arrived:
                    self._waiting.append(message)
                    self._arrived.notify()
            case StopTrial(call):
                if not self._withdraw(call):
                    self._stopped.add(call)
            case WithdrawTrial(call):
                self._withdraw(call)

    def _withdraw(self, call: int) -> bool:
        """Give a trial back if it waits; return whether it did."""
        with self._arrived:
            mine = [request for request in self._waiting if request.call == call]
            for request in mine:
                self._waiting.remove(request)
        if mine:
            self._send(Withdrawn(call))
        return bool(mine)

    def _send(self, message: Message) -> None:
        with self._writing:
            self._outlet.write(FRAMING.encode(message))
            self._outlet.flush()


def main() -> None:
    """Serve the peer at the other end of stdin and stdout until it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the peer, which decides
    os.nice(NICENESS)
    outlet = _claim_stdout()
    for name in _THREADS:  # slots share the machine's cores, as training workers do
        os.environ.setdefault(name, os.environ.get("SWARM_WORKER_THREADS", "1"))
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of new shapes of batches
    for module in _LOADED:
        importlib.import_module(module)
    try:
        TrialService(sys.stdin.buffer, outlet).serve()
    except BrokenPipeError:
        os._exit(0)


def _claim_stdout() -> BinaryIO:
    """Take stdout for frames, and lead whatever libraries print to stderr."""
    outlet = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return outlet


if __name__ == "__main__":
    main()
