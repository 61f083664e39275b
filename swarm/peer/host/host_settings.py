"""HostSettings: what every peer needs, whatever it works on; settings of workloads add fields."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from swarm.core.errors import ConfigurationError
from swarm.core.ids import PeerId
from swarm.network.addresses import BootstrapAddress, check_ip, parse_bootstrap

_ED25519_PEER_ID = re.compile(r"12D3KooW[1-9A-HJ-NP-Za-km-z]{44}")
_DIRS = platformdirs.PlatformDirs("swarm", appauthor=False)
DEFAULT_STATE = Path(_DIRS.user_state_dir)
"""The user's folder for state; each peer has a folder in it."""


@dataclass(frozen=True, slots=True)
class HostSettings:
    """Where a peer listens, which peers it joins, and where its files are."""

    ip: str
    """Address to listen on."""
    port: int
    """TCP port; 0 takes a free one."""
    state_dir: Path
    """Folder of identity, blobs and resumable state."""
    bootstraps: tuple[BootstrapAddress, ...] = ()
    """Peers to join; none starts a swarm."""
    data_dir: Path | None = None
    """Folder that may contain `cifar-10-batches-bin`."""
    cache_dir: Path = field(default_factory=lambda: Path(_DIRS.user_cache_dir))
    """Folder for downloaded and generated data sets."""

    def __post_init__(self) -> None:
        check_ip(self.ip)
        if not 0 <= self.port <= 65535:
            raise ConfigurationError(f"port must be in 0..65535, got {self.port}")


def parse_bootstraps(texts: str | Sequence[str] | None) -> tuple[BootstrapAddress, ...]:
    """Read one or several bootstrap addresses.

    Raises:
        ConfigurationError: An address breaks a rule; the message names the address and the rule.
    """
    if texts is None:
        return ()
    several = texts if isinstance(texts, Iterable) and not isinstance(texts, str) else (texts,)
    return tuple(parse_bootstrap(_text(text)) for text in several)


def _text(address: object) -> str:
    if isinstance(address, str):
        return address
    raise ConfigurationError(
        f'a bootstrap address must be a text, as in "192.0.2.7:4001", got {address!r:.80}'
    )


def parse_peer_id(text: str, what: str) -> PeerId:
    """Read the id of a peer or an operator: one that contains an Ed25519 key.

    Args:
        text: The id.
        what: What it names, for the error, as in `an operator`.

    Raises:
        ConfigurationError: The text is no such id.
    """
    if not _ED25519_PEER_ID.fullmatch(text):
        raise ConfigurationError(
            f"{what}'s id has 52 characters and begins with 12D3KooW, got {text!r:.80}"
        )
    return PeerId(text)
