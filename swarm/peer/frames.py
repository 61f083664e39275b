"""Frames between a peer and its worker process: a length, then a msgpack map, strictly typed.

Frame: 4 bytes of length, big-endian, then so many bytes of msgpack. Both ends run the same code,
so a frame that does not parse is a bug of ours: `LocalProtocolError`.
"""

import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

import msgpack
from cattrs import Converter
from cattrs.errors import BaseValidationError, StructureHandlerNotFoundError
from cattrs.strategies import configure_tagged_union

from swarm.core.errors import LocalProtocolError
from swarm.learning.jobs import Job, Progress, Reply

FRAME_SIZE_MAX = 1 << 20
"""Bytes; the longest frame names the weights files of one cluster."""

_LENGTH = struct.Struct(">I")


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
    body: bytes = msgpack.packb(_CONVERTER.unstructure(message, Message))
    if len(body) > FRAME_SIZE_MAX:
        raise LocalProtocolError(f"a frame must have at most {FRAME_SIZE_MAX} bytes: {len(body)}")
    return _LENGTH.pack(len(body)) + body


def read_frame(file: BinaryIO) -> Message | None:
    """Read one message, blocking; None at the end of the file.

    Raises:
        LocalProtocolError: What was read is not a message.
    """
    head = file.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    size_bytes = _checked_length(head)
    body = file.read(size_bytes)
    return _decode(body) if len(body) == size_bytes else None


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
        messages = []
        while len(self._buffer) >= _LENGTH.size:
            end = _LENGTH.size + _checked_length(self._buffer[: _LENGTH.size])
            if len(self._buffer) < end:
                break
            messages.append(_decode(bytes(self._buffer[_LENGTH.size : end])))
            del self._buffer[:end]
        return messages


def _checked_length(head: bytes | bytearray) -> int:
    (size_bytes,) = _LENGTH.unpack(head)
    if size_bytes > FRAME_SIZE_MAX:
        raise LocalProtocolError(f"a frame must have at most {FRAME_SIZE_MAX} bytes: {size_bytes}")
    return int(size_bytes)


def _decode(body: bytes) -> Message:
    try:
        plain: Any = msgpack.unpackb(body)
        message: Message = _CONVERTER.structure(plain, Message)  # type: ignore[arg-type]
        return message
    except (
        BaseValidationError,
        StructureHandlerNotFoundError,
        msgpack.UnpackException,
        ValueError,
        TypeError,
        KeyError,
    ) as error:
        raise LocalProtocolError(f"not a frame of ours: {error}") from error


def _converter() -> Converter:
    converter = Converter(forbid_extra_keys=True)
    for union in (Job, Reply, Message):
        configure_tagged_union(union, converter, tag_name="kind")
    return converter


_CONVERTER = _converter()
