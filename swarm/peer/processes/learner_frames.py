"""Frames between a peer and its worker process; see `swarm.peer.processes.framing`."""

from dataclasses import dataclass
from typing import BinaryIO

from swarm.learning.federation.jobs import Job, Reply
from swarm.learning.progress import Progress
from swarm.peer.processes.framing import FRAME_SIZE_MAX, Framing

__all__ = [
    "FRAME_SIZE_MAX",
    "CancelTraining",
    "Done",
    "Failed",
    "FrameReader",
    "Message",
    "Progressed",
    "Request",
    "encode_frame",
    "read_frame",
]


@dataclass(frozen=True, slots=True)
class Request:
    """To the worker: do this job."""

    call: int
    job: Job


@dataclass(frozen=True, slots=True)
class CancelTraining:
    """To the worker: end the training of this call between two batches."""

    call: int


@dataclass(frozen=True, slots=True)
class Progressed:
    """From the worker: how far a call is."""

    call: int
    progress: Progress


@dataclass(frozen=True, slots=True)
class Done:
    """From the worker: the answer to a call."""

    call: int
    reply: Reply


@dataclass(frozen=True, slots=True)
class Failed:
    """From the worker: a call ended in this error."""

    call: int
    error_class: str
    message: str


Message = Request | CancelTraining | Progressed | Done | Failed


def encode_frame(message: Message) -> bytes:
    """Length and bytes of one message.

    Raises:
        LocalProtocolError: The message is too long for a frame.
    """
    return _FRAMING.encode(message)


def read_frame(file: BinaryIO) -> Message | None:
    """Read one message, blocking; None at the end of the file.

    Raises:
        LocalProtocolError: What was read is not a message.
    """
    return _FRAMING.read(file)


class FrameReader:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """Take bytes in; return the messages they complete.

        Raises:
            LocalProtocolError: What was read is not a message.
        """
        self._buffer += data
        return _FRAMING.cut(self._buffer)


_FRAMING: Framing[Message] = Framing(Message, Job, Reply)
