"""Files of messages in their wire form; each is written whole, then renamed into place."""

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import structlog

from swarm.core.errors import RemoteProtocolError, StorageError
from swarm.core.ids import PeerId
from swarm.core.machine import Event
from swarm.network.identity import verify
from swarm.peer.host.wire import decode, encode

_FRAME = struct.Struct(">I")

log = structlog.get_logger()


def load_messages(path: Path, me: PeerId) -> list[Event]:
    """Read a file's messages, signatures checked; a damaged file is named and left out."""
    try:
        return [decode(data, me, verify).message for data in _frames(path.read_bytes())]
    except FileNotFoundError:
        return []
    except (OSError, RemoteProtocolError) as error:
        log.warning("damaged", file=str(path), reason=str(error))
        return []


def save_messages(path: Path, messages: Iterable[Event]) -> None:
    """Write messages to a file.

    Raises:
        StorageError: The disk refused.
    """
    encoded = [encode(message) for message in messages]
    write_whole(path, b"".join(_FRAME.pack(len(data)) + data for data in encoded))


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole, then rename it into place.

    Raises:
        StorageError: The disk refused.
    """
    temporary = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error


def _frames(data: bytes) -> Iterator[bytes]:
    while len(data) >= _FRAME.size:
        (length,) = _FRAME.unpack_from(data)
        yield data[
            _FRAME.size : _FRAME.size + length
        ]  # a frame cut short is refused by its parser
        data = data[_FRAME.size + length :]
