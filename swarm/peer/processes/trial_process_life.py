"""Life: one life of a process that runs trials, and the trials that were sent to it."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from swarm.learning.search.trial_records import EpochReport, TrialOutcome, TrialTask
from swarm.peer.processes.pipe_writer import Outlet
from swarm.peer.processes.pipes import PipedProcess
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

LAST_WORDS_MAX = 10
"""Lines of the process's stderr that an error quotes."""

OnReport = Callable[[EpochReport], None]


@dataclass(slots=True, eq=False)
class Call:
    """One trial that was sent to a process: it waits there, runs, or is over."""

    number: int
    key: str
    limit_s: float
    """Seconds it may take."""
    on_report: OnReport | None
    on_begin: Callable[[], None] | None = None
    outcome: TrialOutcome | None = None
    began_s: float | None = None
    """When, in trio's time; None before."""
    limit: trio.CancelScope = field(default_factory=trio.CancelScope)
    """Ends when it has taken too long; for who waits until it is over."""
    withdrawn: bool = False
    """Whether the process gave it back before it began."""
    recalled: bool = False
    """Whether it was wanted back before the process had it."""
    turn: trio.Event = field(default_factory=trio.Event)
    """Set once it has begun, or is over without."""
    over: trio.Event = field(default_factory=trio.Event)
    """Set once the process is done with it, or is no more."""

    @property
    def has_begun(self) -> bool:
        """Whether the process took it up."""
        return self.began_s is not None

    def begin(self) -> None:
        """The process is at it."""
        self.began_s = trio.current_time()
        self.limit.deadline = self.began_s + self.limit_s
        self.turn.set()
        if self.on_begin is not None:
            self.on_begin()

    def end(self) -> None:
        """The process is done with it, or gave it back, or is no more."""
        self.turn.set()
        self.over.set()


@dataclass(slots=True, eq=False)
class Life:
    """One life of the process.

    Invariant: of the calls only the first has begun; the process takes them in their order.
    """

    process: PipedProcess
    outlet: Outlet
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    ready: trio.Event = field(default_factory=trio.Event)
    """Set, too, when it is no more."""
    last_words: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_WORDS_MAX))
    calls: deque[Call] = field(default_factory=deque)
    alive: bool = True

    @property
    def running(self) -> Call | None:
        """The call that has begun."""
        return self.calls[0] if self.calls else None

    @property
    def waiting(self) -> list[Call]:
        """Calls that have not begun."""
        return list(self.calls)[1:]

    def give(self, task: TrialTask, call: Call) -> None:
        """Send a trial to the process."""
        frame = FRAMING.encode(RunTrial(call.number, task))
        self.calls.append(call)
        self.outlet.put(frame)
        self._begin_first()

    def stop(self, call: Call) -> None:
        """Ask the process to end a trial before its next epoch, or not to begin with it."""
        self.outlet.put(FRAMING.encode(StopTrial(call.number)))

    def take_back(self, call: Call) -> None:
        """Ask the process to give a trial back, unless it has begun."""
        self.outlet.put(FRAMING.encode(WithdrawTrial(call.number)))

    def take(self, message: Message) -> None:
        """The process says something."""
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
        """The process is no more, and its trials are over."""
        self.alive = False
        self.ready.set()
        for call in self.calls:
            call.end()
        self.calls.clear()

    def exit_reason(self) -> str:
        """Why it ended, as far as anybody knows."""
        words = "; ".join(self.last_words) or "nothing"
        code = self.process.returncode
        return f"the trial's process ended with code {code}; it said: {words}"

    def _end(self, call: Call) -> None:
        self.calls.remove(call)
        call.end()
        self._begin_first()

    def _begin_first(self) -> None:
        if self.calls and not self.calls[0].has_begun:
            self.calls[0].begin()
