"""Settings of one peer: an immutable value made from flags, environment and a TOML file."""

import dataclasses
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from swarm.core.errors import ConfigurationError
from swarm.core.ids import PeerId
from swarm.core.session import SessionSpec
from swarm.federation.ledger_entries import Introduction
from swarm.federation.records import check_site
from swarm.network.addresses import BootstrapAddress, check_ip

_ED25519_PEER_ID = re.compile(r"12D3KooW[1-9A-HJ-NP-Za-km-z]{44}")
SESSION_FIELDS = tuple(
    f.name for f in dataclasses.fields(SessionSpec) if f.name not in ("starter", "model_file")
)
"""What a user may say of a session; the rest follows."""


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """What a user can set for one peer."""

    ip: str
    port: int
    state_dir: Path
    bootstraps: tuple[BootstrapAddress, ...] = ()
    name: str = ""
    site: str = ""
    """Where this peer is; peers of one site are clustered together."""
    session: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `SessionSpec` the user gave; a joiner's must agree with the running session."""
    data: Path | None = None
    """Own examples: an `.npz` file."""
    data_dir: Path | None = None
    cache_dir: Path = Path()
    partition: tuple[int, int] | None = None
    """(k, n): this peer takes part k of n, from 1."""
    model_path: Path | None = None
    """The `.keras` file behind model `file`."""
    allow_model: bool = False
    """Whether code that the session names may run here."""
    exit_when_done: bool = False
    new_session: bool = False
    """Whether to start a session even though others run one."""
    idle: bool = False
    """Whether to wait for work: to start no session and to join none at first."""
    report: Path | None = None
    """Where to write what this peer achieved, as JSON."""
    export: Path | None = None
    """Where to write the model at the end, a `.keras` file."""
    measure_lag: bool = False
    """Whether the report tells how late the event loop wakes up."""
    fork_server: Path | None = None
    """Socket of the `swarm.peer.processes.fork_server` that forks this peer's worker."""

    operators: tuple[PeerId, ...] = ()
    """Whose commands this peer obeys; nobody's by default."""
    hold: bool = False
    """As the starter: wait for an operator to start the session."""

    @property
    def introduction(self) -> Introduction:
        """What the peer tells of itself."""
        return Introduction(self.name, self.site)

    def __post_init__(self) -> None:
        if self.hold and not self.operators:
            raise ConfigurationError(
                "--hold waits for an operator: name one with --operator, its id as the"
                " operator's dashboard prints it"
            )
        if self.idle and (self.session or self.new_session):
            raise ConfigurationError(
                "--idle waits for work: leave out --new-session and what describes a session"
            )
        check_ip(self.ip)
        if not 0 <= self.port <= 65535:
            raise ConfigurationError(f"port must be in 0..65535, got {self.port}")
        if len(self.name) > 64:
            raise ConfigurationError(f"name must have at most 64 characters, got {self.name!r}")
        try:
            check_site(self.site)
        except ValueError as error:
            raise ConfigurationError(str(error)) from error


def parse_partition(text: str) -> tuple[int, int]:
    """Read `k/n`.

    Raises:
        ConfigurationError: It is not two whole numbers with 1 <= k <= n.

    Example:
        >>> parse_partition("2/6")
        (2, 6)
    """
    part, slash, count = text.partition("/")
    if slash and part.isascii() and count.isascii() and part.isdigit() and count.isdigit():
        k, n = int(part), int(count)
        if 1 <= k <= n:
            return k, n
    raise ConfigurationError(f"partition must be k/n with 1 <= k <= n, as in 2/6, got {text!r}")


def parse_operator(text: str) -> PeerId:
    """Read an operator's id: a peer id that inlines an Ed25519 key.

    Raises:
        ConfigurationError: It is something else.
    """
    if not _ED25519_PEER_ID.fullmatch(text):
        raise ConfigurationError(
            f"an operator's id has 52 characters and begins with 12D3KooW, got {text!r:.80}"
        )
    return PeerId(text)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        ConfigurationError: The file cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from error


def read_session_file(path: Path) -> dict[str, Any]:
    """Read the fields of a session from a TOML file.

    Raises:
        ConfigurationError: The file is no TOML, or a field is unknown or has the wrong type.
    """
    fields = read_toml(path)
    for name, value in fields.items():
        if name not in SESSION_FIELDS:
            raise ConfigurationError(
                f"{path}: unknown field {name!r}; a session has {', '.join(SESSION_FIELDS)}"
            )
        fields[name] = _typed(name, value, path)
    return fields


def make_spec(fields: Mapping[str, Any], **derived: Any) -> SessionSpec:
    """Complete a session from what the user gave and what follows from it.

    Raises:
        ConfigurationError: A value breaks a rule.
    """
    try:
        return SessionSpec(**{**derived, **fields})
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"session: {error}") from error


def disagreement(fields: Mapping[str, Any], spec: SessionSpec) -> str | None:
    """Name the first field in which the user's wish differs from a running session, or None."""
    for name, wanted in fields.items():
        actual = getattr(spec, name)
        if wanted != actual:
            return f"{name} is {actual!r} in the running session, not {wanted!r}"
    return None


def _typed(name: str, value: Any, path: Path) -> Any:
    default = getattr(SessionSpec(), name)
    if isinstance(default, tuple) and isinstance(value, list):
        return tuple(value)
    if isinstance(default, float) and type(value) is int:
        return float(value)
    if type(value) is not type(default):
        raise ConfigurationError(f"{path}: {name} must be {type(default).__name__}, got {value!r}")
    return value
