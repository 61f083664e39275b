"""Settings of the dashboard: where it listens, whom it answers, how many browsers it serves."""

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from swarm.core.errors import ConfigurationError

TOKEN_LENGTH_MIN = 16
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class DashboardConfig:
    """Settings of one dashboard server. Invalid settings raise `ConfigurationError`."""

    host: str = "127.0.0.1"
    port: int = 5000
    """0 takes any free port; the printed address has its number."""
    allow_remote: bool = False
    """Show the page without the token to everyone who can reach the address."""
    allowed_hosts: tuple[str, ...] = ()
    """More host names under which browsers may open the page."""
    clients_max: int = 64
    """Sockets served at the same time; each costs about four threads."""
    updates_per_s_max: float = 10.0
    token: str = field(default="", repr=False)
    """Operators sign in with it; on a public address all users do."""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    behind_tls_proxy: bool = False
    """A proxy in front speaks TLS and names the client in X-Forwarded-For."""
    tensorboard: Path | None = None
    """Folder for TensorBoard's logs."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ConfigurationError(f"port must be between 0 and 65535, got {self.port}")
        if self.clients_max < 1:
            raise ConfigurationError(f"clients_max must be at least 1, got {self.clients_max}")
        if not 0 < self.updates_per_s_max <= 60:
            raise ConfigurationError(
                f"updates_per_s_max must be in (0, 60], got {self.updates_per_s_max}"
            )
        if self.token and len(self.token) < TOKEN_LENGTH_MIN:
            raise ConfigurationError(
                f"a token must have at least {TOKEN_LENGTH_MIN} characters, got {len(self.token)}"
            )
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ConfigurationError("--tls-cert and --tls-key must be given together")
        for file in (self.tls_cert, self.tls_key):
            if file is not None and not file.is_file():
                raise ConfigurationError(
                    f"{file} is not a file: TLS needs a certificate and a key"
                )
        if not is_loopback(self.host) and not self.token and not self.allow_remote:
            raise ConfigurationError(
                f"{self.host} can be reached from other machines: set a token with --token-file"
                " or SWARM_DASHBOARD_TOKEN, or show the page to everyone with --allow-remote"
            )

    @property
    def view_needs_token(self) -> bool:
        """Whether the token is needed even to see the page."""
        return bool(self.token) and not is_loopback(self.host) and not self.allow_remote

    @property
    def ask_needs_token(self) -> bool:
        """Whether the token is needed to ask ensembles: members work for each question."""
        return not is_loopback(self.host) or self.behind_tls_proxy

    @property
    def secure(self) -> bool:
        """Whether browsers use TLS, so that cookies can require it."""
        return self.tls_cert is not None or self.behind_tls_proxy

    @property
    def warning(self) -> str:
        """A warning for the owner of the dashboard; empty if there is none."""
        if self.token and not is_loopback(self.host) and not self.secure:
            return (
                "the token is sent unencrypted: give --tls-cert and --tls-key, or put a proxy"
                " that speaks TLS in front and give --behind-tls-proxy"
            )
        return ""

    def answers_to(self, hostname: str) -> bool:
        """Return whether this server answers requests for a host name (without port).

        A page can point its own name at 127.0.0.1 (DNS rebinding). Its requests then carry that
        name, so only known names are answered. An address cannot be such a name: if other
        machines may connect, every address is accepted, because a server behind 0.0.0.0 or
        behind a container's port cannot know its own address.
        """
        name = hostname.lower().rstrip(".")
        if name in LOOPBACK_NAMES or name == self.host.lower():
            return True
        if name in {allowed.lower() for allowed in self.allowed_hosts}:
            return True
        return not is_loopback(self.host) and _is_address(name)

    @property
    def display_host(self) -> str:
        """The host as it is printed in the address of the page."""
        if is_loopback(self.host) or self.host in {"0.0.0.0", "::"}:  # noqa: S104
            return "localhost"
        return f"[{self.host}]" if ":" in self.host else self.host


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach `host`.

    >>> is_loopback("127.0.0.2"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host.lower() == "localhost":
        return True
    return _is_address(host) and ipaddress.ip_address(host).is_loopback


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
