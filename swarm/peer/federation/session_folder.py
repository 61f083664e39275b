"""SessionFolder: what a peer remembers of a session across restarts."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import structlog
from cattrs import BaseValidationError
from cattrs.preconf.json import make_converter

from swarm.commanding.commands import Command, RelayedCommands
from swarm.core.errors import ConfigurationError, RemoteProtocolError
from swarm.core.ids import PeerId, SessionId
from swarm.core.session import SessionSpec
from swarm.federation.best_head import is_last
from swarm.federation.ledger_entries import PAGE_MAX, LedgerEntry, LedgerPage
from swarm.federation.messages import Contribution
from swarm.federation.records import GlobalModel
from swarm.network.identity import verify
from swarm.peer.host.message_files import load_messages, save_messages
from swarm.peer.host.whole_files import write_json, write_whole
from swarm.peer.host.wire import decode, encode

HEADS_RESUMED_MAX = 1024
"""Most heads that are read after a restart."""
HEADS_KEPT_MAX = 2048
"""Most heads that are kept on disk, as the record of the run; the oldest are deleted."""
PRUNE_EVERY_ROUNDS = 64
SESSIONS_FOLDER = "sessions"
FINGERPRINT = "data.sha256"
_NAME_LENGTH = 16
_DIGEST_SIZE = 32
_JSON = make_converter(forbid_extra_keys=True)
log = structlog.get_logger()


class SessionFolder:
    """Files of one peer in one session; each is written whole, then renamed into place."""

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
        """The folders of all sessions of an earlier life, the newest last.

        Raises:
            ConfigurationError: An older version wrote the folder, which this version cannot read.
        """
        if (state_dir / "session.json").exists():
            raise ConfigurationError(
                f"{state_dir} holds the state of Swarm's protocol version 1, which this version "
                "does not read: choose another folder with --state, or delete this one"
            )
        specs = (state_dir / SESSIONS_FOLDER).glob("*/session.json")
        newest_last = sorted(specs, key=lambda path: (path.stat().st_mtime, path))
        return [cls(path.parent, me) for path in newest_last]

    def load_spec(self) -> SessionSpec | None:
        """The session of this folder, or None.

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
                "delete it to join the swarm's session again"
            ) from error

    def save_spec(self, spec: SessionSpec) -> None:
        """Save the session's spec."""
        write_json(self.root / "session.json", _JSON.unstructure(spec))

    def load_heads(self) -> tuple[GlobalModel, ...]:
        """The newest adopted heads, in head order; damaged files are logged and ignored."""
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

    def is_finished(self) -> bool:
        """Whether an earlier life of this peer adopted the session's last head.

        Raises:
            ConfigurationError: The session's file is damaged.
        """
        newest = max(self._heads.glob("*.head"), default=None)
        spec = self.load_spec() if newest is not None else None
        if newest is None or spec is None or int(newest.name[:6]) >= spec.rounds:
            return spec is not None
        heads = self.load_heads() if spec.early_stop else ()
        return bool(heads) and is_last(heads[-1], spec)

    def load_fingerprint(self) -> str:
        """The digest of the data that this peer trained on; empty if unknown."""
        try:
            return (self.root / FINGERPRINT).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return ""

    def save_fingerprint(self, fingerprint: str) -> None:
        """Save the digest of the data that this peer trains on."""
        write_whole(self.root / FINGERPRINT, f"{fingerprint}\n".encode("ascii"))

    def save_head(self, head: GlobalModel) -> None:
        """Add an adopted head to the record of the run."""
        path = self._head_path(head)
        if not path.exists():
            write_whole(path, encode(head))
        if head.round % PRUNE_EVERY_ROUNDS == 0:
            for old in sorted(self._heads.glob("*.head"))[:-HEADS_KEPT_MAX]:
                old.unlink(missing_ok=True)

    def adoption_times(self, heads: Iterable[GlobalModel]) -> tuple[float, ...]:
        """When each of these heads was saved here, in seconds since 1970; 0 if unknown."""
        return tuple(self._saved_unix_s(self._head_path(head)) for head in heads)

    def _saved_unix_s(self, path: Path) -> float:
        try:
            return path.stat().st_mtime
        except OSError:
            return 0.0

    def _head_path(self, head: GlobalModel) -> Path:
        return self._heads / f"{head.round:06}-{head.digest[:16]}.head"

    def load_contribution(self) -> Contribution | None:
        """The newest own contribution, or None; a damaged file is logged."""
        path = self.root / "contribution.msgpack"
        try:
            data = path.read_bytes()
            envelope, digest = data[:-_DIGEST_SIZE], data[-_DIGEST_SIZE:]
            if hashlib.sha256(envelope).digest() != digest:
                raise RemoteProtocolError("the digest does not match the bytes")
            message = decode(envelope, self._me, verify).message
        except FileNotFoundError:
            return None
        except (OSError, RemoteProtocolError) as error:
            log.warning("damaged", file=str(path), reason=str(error))
            return None
        return message if isinstance(message, Contribution) else None

    def save_contribution(self, contribution: Contribution) -> None:
        """Save the newest own contribution, before it is announced."""
        envelope = encode(contribution)
        # Contributions are not signed, so only this digest reveals a damaged number.
        digest = hashlib.sha256(envelope).digest()
        write_whole(self.root / "contribution.msgpack", envelope + digest)

    def load_entries(self, session: SessionId) -> tuple[LedgerEntry, ...]:
        """The ledger of an earlier life in this session; a damaged file is logged."""
        pages = load_messages(self.root / "ledger.msgpack", self._me)
        entries = (e for page in pages if isinstance(page, LedgerPage) for e in page.entries)
        return tuple(entry for entry in entries if entry.session == session)

    def save_entries(self, entries: tuple[LedgerEntry, ...]) -> None:
        """Save the whole ledger."""
        pages = (
            LedgerPage(entries[0].session, self._me, entries[k : k + PAGE_MAX], None)
            for k in range(0, len(entries), PAGE_MAX)
        )
        save_messages(self.root / "ledger.msgpack", pages)

    def load_commands(self, session: SessionId) -> tuple[Command, ...]:
        """Operators' commands that were in force in this session in an earlier life."""
        saved = load_messages(self.root / "commands.msgpack", self._me)
        commands = (c for one in saved if isinstance(one, RelayedCommands) for c in one.commands)
        return tuple(command for command in commands if command.scope == session)

    def save_commands(self, commands: tuple[Command, ...]) -> None:
        """Save the commands in force, before they have any effect."""
        relayed = RelayedCommands(commands[0].scope, self._me, commands)
        save_messages(self.root / "commands.msgpack", [relayed])
