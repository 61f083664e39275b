"""Settings of one run: the number of peers, what they train, and where results are kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from swarm.core.errors import ConfigurationError
from swarm.peer.processes.cores import num_cores

PEERS_MAX = 64
"""Highest number of peers that is plausible on one machine."""
ROUND_SECONDS = 10.0
"""A run shows progress this often on any machine, whatever the size of its data set."""


@dataclass(frozen=True, slots=True)
class LaunchSettings:
    """The settings that a user can change."""

    session: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `SessionSpec` that the user set, without `min_peers`."""
    peers: int = 6
    port: int = 5000
    """Port of the dashboard."""
    dashboard: bool = True
    base_port: int = 7001
    """Peers listen on the first free ports from this one on."""
    once: bool = False
    """Exit when all rounds are done."""
    data_dir: Path | None = None
    cache_dir: Path = Path()
    runs_dir: Path = Path("runs")
    verbose: bool = False
    threads: int = 0
    """Threads with which each peer trains; 0 divides the machine's cores among the peers."""

    @property
    def threads_each(self) -> int:
        """Threads with which each peer trains."""
        return self.threads or max(1, num_cores() // self.peers)

    def __post_init__(self) -> None:
        if not 1 <= self.peers <= PEERS_MAX:
            raise ConfigurationError(f"peers must be in 1..{PEERS_MAX}, got {self.peers}")
        if self.threads < 0:
            raise ConfigurationError(f"threads must be at least 0, got {self.threads}")
        for name in ("port", "base_port"):
            value = getattr(self, name)
            if not 1 <= value <= 65535:
                raise ConfigurationError(f"{name} must be in 1..65535, got {value}")


def with_round_bound(session: Mapping[str, Any]) -> dict[str, Any]:
    """The user's fields of the session, with `round_seconds` unless one of them bounds a round.

    Example:
        >>> with_round_bound({"rounds": 3})
        {'round_seconds': 10.0, 'rounds': 3}
        >>> with_round_bound({"local_epochs": 2})
        {'local_epochs': 2}
    """
    if session.keys() & {"local_epochs", "local_steps", "round_seconds"}:
        return dict(session)
    return {"round_seconds": ROUND_SECONDS, **session}
