"""Framing: messages between a peer and its child process, as length-prefixed msgpack.

A frame is 4 bytes of length, big-endian, then this many bytes of msgpack, a map. Both ends run the
same code, so a frame that does not parse is our own bug: `LocalProtocolError`.
"""

import struct
from typing import Any, BinaryIO, Generic, TypeVar

import msgpack
from cattrs import Converter
from cattrs.errors import BaseValidationError, StructureHandlerNotFoundError
from cattrs.strategies import configure_tagged_union, configure_union_passthrough

from swarm.core.errors import LocalProtocolError

FRAME_SIZE_MAX = 1 << 20
"""Bytes; the longest frame has the paths of one cluster's weights files."""

_LENGTH = struct.Struct(">I")
M = TypeVar("M")


class Framing(Generic[M]):
    """Writes and reads the frames of one union of dataclasses."""

    def __init__(self, message: Any, *unions: Any, scalars: Any = None) -> None:
        """Prepare to read and write the members of a union.

        Args:
            message: The union M.
            unions: Unions of dataclasses inside its members, innermost first.
            scalars: A union of scalars inside its members, if there is one.
        """
        self._message = message
        self._converter = Converter(forbid_extra_keys=True)
        if scalars is not None:
            configure_union_passthrough(scalars, self._converter)
        for union in (*unions, message):
            configure_tagged_union(union, self._converter, tag_name="kind")

    def encode(self, message: M) -> bytes:
        """Frame one message.

        Raises:
            LocalProtocolError: The message is too long for a frame.
        """
        body: bytes = msgpack.packb(self._converter.unstructure(message, self._message))
        if len(body) > FRAME_SIZE_MAX:
            raise LocalProtocolError(
                f"a frame must have at most {FRAME_SIZE_MAX} bytes: {len(body)}"
            )
        return _LENGTH.pack(len(body)) + body

    def read(self, file: BinaryIO) -> M | None:
        """Read one message, blocking; None at the end of the file.

        Raises:
            LocalProtocolError: The bytes are not a message.
        """
        head = file.read(_LENGTH.size)
        if len(head) < _LENGTH.size:
            return None
        size_bytes = _checked_length(head)
        body = file.read(size_bytes)
        return self._decode(body) if len(body) == size_bytes else None

    def cut(self, buffer: bytearray) -> list[M]:
        """Remove the whole messages from the start of a buffer and return them.

        Raises:
            LocalProtocolError: The bytes are not a message.
        """
        messages = []
        while len(buffer) >= _LENGTH.size:
            end = _LENGTH.size + _checked_length(buffer[: _LENGTH.size])
            if len(buffer) < end:
                break
            messages.append(self._decode(bytes(buffer[_LENGTH.size : end])))
            del buffer[:end]
        return messages

    def _decode(self, body: bytes) -> M:
        try:
            plain: Any = msgpack.unpackb(body)
            message: M = self._converter.structure(plain, self._message)
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


def _checked_length(head: bytes | bytearray) -> int:
    (size_bytes,) = _LENGTH.unpack(head)
    if size_bytes > FRAME_SIZE_MAX:
        raise LocalProtocolError(f"a frame must have at most {FRAME_SIZE_MAX} bytes: {size_bytes}")
    return int(size_bytes)
