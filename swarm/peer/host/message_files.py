"""Files of messages in their wire form."""

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import structlog

from swarm.core.errors import RemoteProtocolError
from swarm.core.ids import PeerId
from swarm.core.machine import Event
from swarm.network.identity import verify
from swarm.peer.host.whole_files import write_whole
from swarm.peer.host.wire import decode, encode

_FRAME = struct.Struct(">I")

log = structlog.get_logger()


def load_messages(path: Path, me: PeerId) -> list[Event]:
    """Read a file's messages and check their signatures; a damaged file is logged and ignored."""
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
        StorageError: The disk refused the write.
    """
    encoded = [encode(message) for message in messages]
    write_whole(path, b"".join(_FRAME.pack(len(data)) + data for data in encoded))


def _frames(data: bytes) -> Iterator[bytes]:
    while len(data) >= _FRAME.size:
        (length,) = _FRAME.unpack_from(data)
        # If the frame is cut short, `decode` refuses it.
        yield data[_FRAME.size : _FRAME.size + length]
        data = data[_FRAME.size + length :]
