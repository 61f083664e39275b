"""StateFolder: what a peer remembers across restarts, besides identity, blobs and addresses."""

import hashlib
import json
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import structlog
from cattrs import BaseValidationError
from cattrs.preconf.json import make_converter

from swarm.commanding.commands import Command, RelayedCommands
from swarm.core.errors import ConfigurationError, RemoteProtocolError, StorageError
from swarm.core.ids import PeerId, SessionId
from swarm.core.machine import Event
from swarm.core.session import SessionSpec
from swarm.federation.ledger_entries import PAGE_MAX, LedgerEntry, LedgerPage
from swarm.federation.messages import Contribution
from swarm.federation.records import GlobalModel
from swarm.network.identity import verify
from swarm.peer.host.wire import decode, encode

HEADS_RESUMED_MAX = 1024
"""Heads read back on a restart."""
HEADS_KEPT_MAX = 2048
"""Heads kept on disk as the run's record; the oldest are deleted."""
PRUNE_EVERY_ROUNDS = 64
_FRAME = struct.Struct(">I")
_DIGEST_SIZE = 32
_JSON = make_converter(forbid_extra_keys=True)
log = structlog.get_logger()


class StateFolder:
    """Files of one peer in one session. Each is written whole, then renamed into place."""

    def __init__(self, root: Path, me: PeerId) -> None:
        self._root = root
        self._me = me
        self._heads = root / "heads"

    def load_spec(self) -> SessionSpec | None:
        """The session an earlier life of this peer took part in.

        Raises:
            ConfigurationError: The file is damaged.
        """
        path = self._root / "session.json"
        try:
            return _JSON.loads(path.read_text(encoding="utf-8"), SessionSpec)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, BaseValidationError) as error:
            raise ConfigurationError(
                f"{path} is damaged ({type(error).__name__}): "
                "delete it to join the swarm's session anew"
            ) from error

    def save_spec(self, spec: SessionSpec) -> None:
        """Remember the session."""
        text = json.dumps(json.loads(_JSON.dumps(spec)), indent=2) + "\n"
        self._write(self._root / "session.json", text.encode())

    def load_heads(self) -> tuple[GlobalModel, ...]:
        """The newest adopted heads, in head order; damaged files are named and left out."""
        heads = []
        for path in sorted(self._heads.glob("*.head"))[-HEADS_RESUMED_MAX:]:
            try:
                message = decode(path.read_bytes(), self._me, verify).message
            except (OSError, RemoteProtocolError) as error:
                log.warning("damaged", file=str(path), reason=str(error))
                continue
            if isinstance(message, GlobalModel):
                heads.append(message)
        return tuple(sorted(heads, key=lambda head: head.key))

    def has_heads(self) -> bool:
        """Whether an earlier life of this peer adopted a head."""
        return any(self._heads.glob("*.head"))

    def save_head(self, head: GlobalModel) -> None:
        """Add an adopted head to the record of the run."""
        path = self._head_path(head)
        if not path.exists():
            self._write(path, encode(head))
        if head.round % PRUNE_EVERY_ROUNDS == 0:
            for old in sorted(self._heads.glob("*.head"))[:-HEADS_KEPT_MAX]:
                old.unlink(missing_ok=True)

    def adoption_times(self, heads: Iterable[GlobalModel]) -> tuple[float, ...]:
        """When each of these heads was saved here, in seconds since 1970; 0 if it is not known."""
        return tuple(self._saved_unix_s(self._head_path(head)) for head in heads)

    def _saved_unix_s(self, path: Path) -> float:
        try:
            return path.stat().st_mtime
        except OSError:
            return 0.0

    def _head_path(self, head: GlobalModel) -> Path:
        return self._heads / f"{head.round:06}-{head.digest[:16]}.head"

    def load_contribution(self) -> Contribution | None:
        """The newest own contribution, or None; a damaged file is named."""
        path = self._root / "contribution.msgpack"
        try:
            data = path.read_bytes()
            envelope, digest = data[:-_DIGEST_SIZE], data[-_DIGEST_SIZE:]
            if hashlib.sha256(envelope).digest() != digest:
                raise RemoteProtocolError("its digest is not that of its bytes")
            message = decode(envelope, self._me, verify).message
        except FileNotFoundError:
            return None
        except (OSError, RemoteProtocolError) as error:
            log.warning("damaged", file=str(path), reason=str(error))
            return None
        return message if isinstance(message, Contribution) else None

    def save_contribution(self, contribution: Contribution) -> None:
        """Remember the newest own contribution before it is announced."""
        envelope = encode(contribution)
        # Nobody signs a contribution: a damaged number in it would pass for another number.
        digest = hashlib.sha256(envelope).digest()
        self._write(self._root / "contribution.msgpack", envelope + digest)

    def load_entries(self, session: SessionId) -> tuple[LedgerEntry, ...]:
        """The ledger of an earlier life in this session; a damaged file is named."""
        pages = self._load_messages(self._root / "ledger.msgpack")
        entries = (e for page in pages if isinstance(page, LedgerPage) for e in page.entries)
        return tuple(entry for entry in entries if entry.session == session)

    def save_entries(self, entries: tuple[LedgerEntry, ...]) -> None:
        """Remember the ledger, whole."""
        pages = (
            LedgerPage(entries[0].session, self._me, entries[k : k + PAGE_MAX], None)
            for k in range(0, len(entries), PAGE_MAX)
        )
        self._write(self._root / "ledger.msgpack", _framed(encode(page) for page in pages))

    def load_commands(self, session: SessionId) -> tuple[Command, ...]:
        """Operators' commands that an earlier life obeyed in this session."""
        orders = self._load_messages(self._root / "commands.msgpack")
        commands = (c for one in orders if isinstance(one, RelayedCommands) for c in one.commands)
        return tuple(command for command in commands if command.session == session)

    def save_commands(self, commands: tuple[Command, ...]) -> None:
        """Remember the commands in force, before anything follows from them."""
        orders = RelayedCommands(commands[0].session, self._me, commands)
        self._write(self._root / "commands.msgpack", _framed([encode(orders)]))

    def _load_messages(self, path: Path) -> list[Event]:
        try:
            frames = list(_frames(path.read_bytes()))
            return [decode(data, self._me, verify).message for data in frames]
        except FileNotFoundError:
            return []
        except (OSError, RemoteProtocolError) as error:
            log.warning("damaged", file=str(path), reason=str(error))
            return []

    def _write(self, path: Path, data: bytes) -> None:
        temporary = path.with_name(path.name + ".new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(data)
            temporary.replace(path)
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror}") from error


def _framed(messages: Iterable[bytes]) -> bytes:
    return b"".join(_FRAME.pack(len(data)) + data for data in messages)


def _frames(data: bytes) -> Iterator[bytes]:
    while len(data) >= _FRAME.size:
        (length,) = _FRAME.unpack_from(data)
        yield data[_FRAME.size : _FRAME.size + length]  # one cut short is refused by its parser
        data = data[_FRAME.size + length :]
