"""TrialLife: one life of a process that runs trials, and the trials that were sent to it."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import trio

from swarm.learning.search.trial_records import EpochReport, TrialOutcome, TrialTask
from swarm.peer.processes.process_life import ProcessLife
from swarm.peer.processes.trial_frames import (
    Ended,
    Message,
    Ready,
    Reported,
    RunTrial,
    StopTrial,
    Withdrawn,
    WithdrawTrial,
)

OnReport = Callable[[EpochReport], None]


@dataclass(slots=True, eq=False)
class TrialCall:
    """A trial that was sent to a process: it waits there, runs, or is over."""

    number: int
    key: str
    limit_s: float
    """Longest run time, in seconds."""
    on_report: OnReport | None
    on_begin: Callable[[], None] | None = None
    outcome: TrialOutcome | None = None
    began_s: float | None = None
    """Start time on trio's clock; None before the start."""
    limit: trio.CancelScope = field(default_factory=trio.CancelScope)
    """Ends the waiting for the trial when it has taken too long."""
    withdrawn: bool = False
    """Whether the process gave it back before it began."""
    recalled: bool = False
    """Whether it was to be given back before the process had it."""
    turn: trio.Event = field(default_factory=trio.Event)
    """Set once it has begun, or is over without having begun."""
    over: trio.Event = field(default_factory=trio.Event)
    """Set once the process has finished it, or is gone."""

    @property
    def has_begun(self) -> bool:
        """Whether the process has started it."""
        return self.began_s is not None

    def begin(self) -> None:
        """Note that the process starts it now."""
        self.began_s = trio.current_time()
        self.limit.deadline = self.began_s + self.limit_s
        self.turn.set()
        if self.on_begin is not None:
            self.on_begin()

    def end(self) -> None:
        """Note that the process has finished it, gave it back, or is gone."""
        self.turn.set()
        self.over.set()


class TrialLife(ProcessLife[Message]):
    """One life of a process that runs trials.

    Invariant: only the first of the calls has begun; the process runs them in their order.
    """

    name = "the trial's process"
    said = "trial said"
    patience_s = 2.0
    """A pipe takes 64 KiB at once; a process that leaves more than that unread has broken down."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.ready = trio.Event()
        """Set once the process is loaded, and when it is gone."""
        self.calls: deque[TrialCall] = deque()

    @property
    def running(self) -> TrialCall | None:
        """The call that has begun."""
        return self.calls[0] if self.calls else None

    @property
    def waiting(self) -> list[TrialCall]:
        """Calls that have not begun."""
        return list(self.calls)[1:]

    def give(self, task: TrialTask, call: TrialCall) -> None:
        """Send a trial to the process."""
        self.send(RunTrial(call.number, task))
        self.calls.append(call)
        self._begin_first()

    def stop(self, call: TrialCall) -> None:
        """Ask the process to end a trial before its next epoch, or not to begin it."""
        self.send(StopTrial(call.number))

    def take_back(self, call: TrialCall) -> None:
        """Ask the process to give a trial back, unless it has begun."""
        self.send(WithdrawTrial(call.number))

    def take(self, message: Message) -> None:
        """See `ProcessLife.take`."""
        match message:
            case Ready():
                self.ready.set()
            case Reported(number, report):
                call = self.running
                if call is not None and call.number == number and call.on_report is not None:
                    call.on_report(report)
            case Ended(number, outcome):
                call = self.running
                if call is not None and call.number == number:
                    call.outcome = outcome
                    self._end(call)
            case Withdrawn(number):
                for call in list(self.calls):
                    if call.number == number:
                        call.withdrawn = True
                        self._end(call)

    def end(self) -> None:
        """See `ProcessLife.end`: the trials are over."""
        self.ready.set()
        for call in self.calls:
            call.end()
        self.calls.clear()

    def _end(self, call: TrialCall) -> None:
        self.calls.remove(call)
        call.end()
        self._begin_first()

    def _begin_first(self) -> None:
        if self.calls and not self.calls[0].has_begun:
            self.calls[0].begin()
