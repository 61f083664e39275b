"""Where the dashboard listens, whom it answers, and how many browsers it serves."""

import ipaddress
from dataclasses import dataclass

from swarm.core.errors import ConfigurationError

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class DashboardConfig:
    """Settings of one dashboard server; wrong ones raise `ConfigurationError`."""

    host: str = "127.0.0.1"
    port: int = 5000
    """0 takes any free port; the address line names it."""
    allow_remote: bool = False
    """Must be set to listen on an address that other machines can reach."""
    allowed_hosts: tuple[str, ...] = ()
    """Further names under which browsers may ask for the page."""
    clients_max: int = 64
    """Sockets served at once; each costs about four threads."""
    updates_per_s_max: float = 10.0

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ConfigurationError(f"port must be between 0 and 65535, got {self.port}")
        if self.clients_max < 1:
            raise ConfigurationError(f"clients_max must be at least 1, got {self.clients_max}")
        if not 0 < self.updates_per_s_max <= 60:
            raise ConfigurationError(
                f"updates_per_s_max must be in (0, 60], got {self.updates_per_s_max}"
            )
        if not self.allow_remote and not is_loopback(self.host):
            raise ConfigurationError(
                f"{self.host} can be reached from other machines, and the page asks for no"
                " password: add --allow-remote if that is what you want"
            )

    def answers_to(self, hostname: str) -> bool:
        """Say whether a request for this host name (without port) is meant for us.

        A page that points its own name at 127.0.0.1 (DNS rebinding) asks under that name, so
        names must be known. An address is never such a name: once remote use is allowed, any
        address will do, because behind 0.0.0.0 or a container's port we cannot know our own.
        """
        name = hostname.lower().rstrip(".")
        if name in LOOPBACK_NAMES or name == self.host.lower():
            return True
        if name in {allowed.lower() for allowed in self.allowed_hosts}:
            return True
        return self.allow_remote and _is_address(name)

    @property
    def display_host(self) -> str:
        """The host as it should stand in the address that is printed."""
        if is_loopback(self.host) or self.host in {"0.0.0.0", "::"}:  # noqa: S104
            return "localhost"
        return f"[{self.host}]" if ":" in self.host else self.host


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach `host`.

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
