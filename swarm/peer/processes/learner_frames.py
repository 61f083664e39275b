"""Messages between a peer and its learner process."""

from dataclasses import dataclass

from swarm.learning.federation.jobs import Job, Reply
from swarm.learning.progress import Progress
from swarm.peer.processes.framing import Framing


@dataclass(frozen=True, slots=True)
class Request:
    """To the process: do this job."""

    call: int
    job: Job


@dataclass(frozen=True, slots=True)
class CancelTraining:
    """To the process: end the training of this call between two batches."""

    call: int


@dataclass(frozen=True, slots=True)
class Progressed:
    """From the process: how far a call is."""

    call: int
    progress: Progress


@dataclass(frozen=True, slots=True)
class Done:
    """From the process: the answer to a call."""

    call: int
    reply: Reply


@dataclass(frozen=True, slots=True)
class Failed:
    """From the process: a call ended in this error."""

    call: int
    error_class: str
    message: str


Message = Request | CancelTraining | Progressed | Done | Failed

FRAMING: Framing[Message] = Framing(Message, Job, Reply)
