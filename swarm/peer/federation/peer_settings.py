"""PeerSettings: settings of one peer that trains, from flags, environment and TOML files."""

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from swarm.core.errors import ConfigurationError
from swarm.core.ids import PeerId
from swarm.core.session import SessionSpec
from swarm.core.suggestions import did_you_mean
from swarm.core.text import decode_text
from swarm.federation.ledger_entries import Introduction
from swarm.federation.records import check_site
from swarm.peer.host.host_settings import HostSettings, parse_peer_id

_DERIVED = ("starter", "model_file", "inputs", "columns")
SESSION_FIELDS = tuple(f.name for f in dataclasses.fields(SessionSpec) if f.name not in _DERIVED)
"""Fields of a session that a user may set; the others are derived."""


@dataclass(frozen=True, slots=True)
class PeerSettings(HostSettings):
    """What a user can set for one peer that trains."""

    name: str = ""
    site: str = ""
    """Where this peer is; peers of one site form clusters."""
    session: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `SessionSpec` that the user set; `model` may also be the path of a `.keras` file.
    A joiner's fields must agree with the running session."""
    data: Path | None = None
    """Own examples: a file or a folder."""
    target: str | None = None
    """The column of a table to predict; None: one named target, label, class or y, else the
    last."""
    missing_target: str = "refuse"
    """What happens to rows of a table whose target is missing: `refuse` or `drop`."""
    partition: tuple[int, int] | None = None
    """(k, n): this peer trains on part k of n parts; k counts from 1."""
    allow_model: bool = False
    """Whether code that the session's model names may run here."""
    exit_when_done: bool = False
    new_session: bool = False
    """Whether to start a session although other peers run one."""
    idle: bool = False
    """Whether to start no session, and to join the first one only on an operator's command."""
    report: Path | None = None
    """JSON file for this peer's results."""
    export: Path | None = None
    """`.keras` file for the final model."""
    measure_lag: bool = False
    """Whether the report says how late the event loop wakes up."""
    fork_server: Path | None = None
    """Socket of the `swarm.peer.processes.fork_server` that forks this peer's learner."""
    threads: int = 0
    """Threads that train here; 0 means one for each core, unless a launcher says otherwise."""
    operators: tuple[PeerId, ...] = ()
    """Operators whose commands this peer obeys."""
    hold: bool = False
    """Whether a session that this peer starts waits for an operator's command."""

    @property
    def introduction(self) -> Introduction:
        """How the peer introduces itself to others."""
        return Introduction(self.name, self.site)

    @property
    def model_path(self) -> Path | None:
        """The `.keras` file that the user named as the session's model."""
        model = str(self.session.get("model", ""))
        return Path(model) if model.endswith(".keras") else None

    @property
    def spec_fields(self) -> dict[str, Any]:
        """The user's fields of the session, without a model file: that travels as a blob."""
        left_out = () if self.model_path is None else ("model",)
        return {name: value for name, value in self.session.items() if name not in left_out}

    def __post_init__(self) -> None:
        HostSettings.__post_init__(self)
        if self.hold and not self.operators:
            raise ConfigurationError(
                "--hold waits for an operator: give the operator's id with --operator, as the "
                "operator's dashboard prints it"
            )
        if self.idle and (self.session or self.new_session):
            raise ConfigurationError(
                "--idle starts no session: leave out --new-session and the session's options"
            )
        if self.threads < 0:
            raise ConfigurationError(f"threads must be at least 0, got {self.threads}")
        if len(self.name) > 64:
            raise ConfigurationError(f"name must have at most 64 characters, got {self.name!r}")
        try:
            check_site(self.site)
        except ValueError as error:
            raise ConfigurationError(str(error)) from error
        make_spec(self.spec_fields)  # fields out of range are refused before the peer listens


def parse_partition(text: str) -> tuple[int, int]:
    """Read a partition `k/n`.

    Raises:
        ConfigurationError: The text is not two whole numbers with 1 <= k <= n.

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
    """Read an operator's id: a peer id that contains an Ed25519 key.

    Raises:
        ConfigurationError: The text is no such id.
    """
    return parse_peer_id(text, "an operator")


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        ConfigurationError: The file cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(decode_text(path.read_bytes()))
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from error


def read_session_file(path: Path) -> dict[str, Any]:
    """Read the fields of a session from a TOML file.

    Raises:
        ConfigurationError: The file is not TOML, or a field is unknown or has the wrong type.
    """
    return session_fields(read_toml(path), f"{path}: ")


def session_fields(
    fields: Mapping[str, Any], source: str = "", known: Sequence[str] = ()
) -> dict[str, Any]:
    """Check the names and the types of a session's fields; numbers of numpy become Python's.

    Args:
        fields: What the user set.
        source: Begins each error message, as in `session.toml: `.
        known: Other names that the user may have meant.

    Raises:
        ConfigurationError: A field is unknown or has the wrong type.
    """
    for name in fields:
        if name not in SESSION_FIELDS:
            hint = did_you_mean(name, (*SESSION_FIELDS, *known))
            hint = hint or f"; a session has {', '.join(SESSION_FIELDS)}"
            raise ConfigurationError(f"{source}unknown setting {name!r}{hint}")
    return {name: _typed(name, value, source) for name, value in fields.items()}


def make_spec(fields: Mapping[str, Any], **derived: Any) -> SessionSpec:
    """Make a session from the user's fields and the derived ones.

    Raises:
        ConfigurationError: A value breaks a rule.
    """
    try:
        return SessionSpec(**{**derived, **fields})
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"session: {error}") from error


def disagreement(fields: Mapping[str, Any], spec: SessionSpec) -> str | None:
    """Name the first of the user's fields that differs from a running session, or None."""
    for name, wanted in fields.items():
        actual = getattr(spec, name)
        if wanted != actual:
            return f"{name} is {actual!r} in that session, not {wanted!r}"
    return None


def _typed(name: str, value: Any, source: str) -> Any:
    default = getattr(SessionSpec(), name)
    if isinstance(default, tuple) and isinstance(value, list | tuple):
        return tuple(value)
    if isinstance(default, float) and isinstance(value, Real) and not isinstance(value, bool):
        return float(value)
    if type(default) is int and isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    if default is not None and type(value) is not type(default):
        raise ConfigurationError(f"{source}{name} must be {type(default).__name__}, got {value!r}")
    return value
