"""Messages between a peer and a process that runs its trials."""

from dataclasses import dataclass

from swarm.learning.estimators.hyperparameters import Value
from swarm.learning.search.trial_records import EpochReport, TrialOutcome, TrialTask
from swarm.peer.processes.framing import Framing


@dataclass(frozen=True, slots=True)
class RunTrial:
    """To the process: run this after those before it."""

    call: int
    task: TrialTask


@dataclass(frozen=True, slots=True)
class StopTrial:
    """To the process: end this trial before its next epoch or fold, or do not begin it."""

    call: int


@dataclass(frozen=True, slots=True)
class WithdrawTrial:
    """To the process: give this trial back, unless it has begun."""

    call: int


@dataclass(frozen=True, slots=True)
class Ready:
    """From the process: everything is loaded."""


@dataclass(frozen=True, slots=True)
class Reported:
    """From the process: an epoch is done."""

    call: int
    report: EpochReport


@dataclass(frozen=True, slots=True)
class Ended:
    """From the process: the answer to a `RunTrial`."""

    call: int
    outcome: TrialOutcome


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """From the process: this trial was not begun, and will not be."""

    call: int


Message = RunTrial | StopTrial | WithdrawTrial | Ready | Reported | Ended | Withdrawn

FRAMING: Framing[Message] = Framing(Message, scalars=Value)
