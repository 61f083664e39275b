"""SessionFolder: what a peer remembers of a session across restarts."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import structlog
from cattrs import BaseValidationError
from cattrs.preconf.json import make_converter

from swarm.commanding.commands import Command, RelayedCommands
from swarm.core.errors import ConfigurationError, RemoteProtocolError
from swarm.core.ids import PeerId, SessionId
from swarm.core.session import SessionSpec
from swarm.federation.ledger_entries import PAGE_MAX, LedgerEntry, LedgerPage
from swarm.federation.messages import Contribution
from swarm.federation.records import GlobalModel
from swarm.network.identity import verify
from swarm.peer.host.message_files import load_messages, save_messages, write_whole
from swarm.peer.host.wire import decode, encode

HEADS_RESUMED_MAX = 1024
"""Heads read back on a restart."""
HEADS_KEPT_MAX = 2048
"""Heads kept on disk as the run's record; the oldest are deleted."""
PRUNE_EVERY_ROUNDS = 64
SESSIONS_FOLDER = "sessions"
_NAME_LENGTH = 16
_DIGEST_SIZE = 32
_JSON = make_converter(forbid_extra_keys=True)
log = structlog.get_logger()


class SessionFolder:
    """Files of one peer in one session. Each is written whole, then renamed into place."""

    def __init__(self, root: Path, me: PeerId) -> None:
        self.root = root
        self._me = me
        self._heads = root / "heads"

    @classmethod
    def of(cls, state_dir: Path, session: SessionId, me: PeerId) -> "SessionFolder":
        """The folder of a session in a peer's state folder."""
        return cls(state_dir / SESSIONS_FOLDER / session[:_NAME_LENGTH], me)

    @classmethod
    def all_in(cls, state_dir: Path, me: PeerId) -> "list[SessionFolder]":
        """The folders of all sessions that an earlier life took part in, the newest last.

        Raises:
            ConfigurationError: The folder is of a version that is not read any more.
        """
        if (state_dir / "session.json").exists():
            raise ConfigurationError(
                f"{state_dir} holds the state of Swarm's protocol version 1, which this version "
                "does not read: name another folder with --state, or delete it"
            )
        specs = (state_dir / SESSIONS_FOLDER).glob("*/session.json")
        newest_last = sorted(specs, key=lambda path: (path.stat().st_mtime, path))
        return [cls(path.parent, me) for path in newest_last]

    def load_spec(self) -> SessionSpec | None:
        """The session an earlier life of this peer took part in.

        Raises:
            ConfigurationError: The file is damaged.
        """
        path = self.root / "session.json"
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
        write_whole(self.root / "session.json", text.encode())

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
            write_whole(path, encode(head))
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
        path = self.root / "contribution.msgpack"
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
        write_whole(self.root / "contribution.msgpack", envelope + digest)

    def load_entries(self, session: SessionId) -> tuple[LedgerEntry, ...]:
        """The ledger of an earlier life in this session; a damaged file is named."""
        pages = load_messages(self.root / "ledger.msgpack", self._me)
        entries = (e for page in pages if isinstance(page, LedgerPage) for e in page.entries)
        return tuple(entry for entry in entries if entry.session == session)

    def save_entries(self, entries: tuple[LedgerEntry, ...]) -> None:
        """Remember the ledger, whole."""
        pages = (
            LedgerPage(entries[0].session, self._me, entries[k : k + PAGE_MAX], None)
            for k in range(0, len(entries), PAGE_MAX)
        )
        save_messages(self.root / "ledger.msgpack", pages)

    def load_commands(self, session: SessionId) -> tuple[Command, ...]:
        """Operators' commands that an earlier life obeyed in this session."""
        saved = load_messages(self.root / "commands.msgpack", self._me)
        commands = (c for one in saved if isinstance(one, RelayedCommands) for c in one.commands)
        return tuple(command for command in commands if command.scope == session)

    def save_commands(self, commands: tuple[Command, ...]) -> None:
        """Remember the commands in force, before anything follows from them."""
        relayed = RelayedCommands(commands[0].scope, self._me, commands)
        save_messages(self.root / "commands.msgpack", [relayed])
