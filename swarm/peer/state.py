"""StateFolder: what a peer remembers across restarts, besides identity, blobs and addresses."""

import json
from pathlib import Path

import structlog
from cattrs import BaseValidationError
from cattrs.preconf.json import make_converter

from swarm.core.errors import ConfigurationError, RemoteProtocolError, StorageError
from swarm.core.ids import PeerId
from swarm.core.session import SessionSpec
from swarm.federation.messages import Contribution, GlobalModel
from swarm.network.identity import verify
from swarm.network.wire import decode, encode

HEADS_RESUMED_MAX = 64
"""Heads read back on a restart; older ones stay on disk as the run's record."""
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
        path = self._heads / f"{head.round:06}-{head.digest[:16]}.head"
        if not path.exists():
            self._write(path, encode(head))

    def load_contribution(self) -> Contribution | None:
        """The newest own contribution, or None; a damaged file is named."""
        path = self._root / "contribution.msgpack"
        try:
            message = decode(path.read_bytes(), self._me, verify).message
        except FileNotFoundError:
            return None
        except (OSError, RemoteProtocolError) as error:
            log.warning("damaged", file=str(path), reason=str(error))
            return None
        return message if isinstance(message, Contribution) else None

    def save_contribution(self, contribution: Contribution) -> None:
        """Remember the newest own contribution before it is announced."""
        self._write(self._root / "contribution.msgpack", encode(contribution))

    def _write(self, path: Path, data: bytes) -> None:
        temporary = path.with_name(path.name + ".new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(data)
            temporary.replace(path)
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror}") from error
