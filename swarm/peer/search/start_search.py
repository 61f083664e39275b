"""start_search(): search hyperparameters from a script or notebook that knows no trio."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import platformdirs

from swarm.network.addresses import parse_bootstrap
from swarm.peer.host.logs import configure_logs
from swarm.peer.search.running_search import RunningSearch
from swarm.peer.search.search_settings import SearchSettings


def start_search(  # noqa: PLR0913 - a facade: one keyword per thing a user may say
    *,
    bootstrap: str | Sequence[str] = (),
    slots: int = 1,
    ip: str = "127.0.0.1",
    port: int = 0,
    state: str | Path | None = None,
    data_dir: str | Path | None = None,
    allow_code: bool = False,
    log_level: str = "warning",
) -> RunningSearch:
    """Start a peer that searches in the background: it works for others, and submits studies.

    Args:
        bootstrap: Peers to join, as `ip:port`; none starts a swarm, see `RunningSearch.address`.
        slots: Trials executed at once here.
        ip: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        state: Folder for identity, studies and ledgers; a temporary one if None.
        data_dir: Folder that may hold `cifar-10-batches-bin/`.
        allow_code: Whether strategies (`module:Class`) and models (`module:function`) of this
            machine's packages that studies name may run here.
        log_level: `debug`, `info`, `warning` or `error`.

    Raises:
        ConfigurationError: A value breaks a rule.
    """
    configure_logs(log_level, "text")
    bootstraps = (bootstrap,) if isinstance(bootstrap, str) else tuple(bootstrap)
    folder = Path(state) if state is not None else Path(tempfile.mkdtemp(prefix="swarm-search-"))
    return RunningSearch(
        SearchSettings(
            ip=ip,
            port=port,
            state_dir=folder,
            bootstraps=tuple(parse_bootstrap(text) for text in bootstraps),
            slots=slots,
            data_dir=Path(data_dir) if data_dir is not None else None,
            cache_dir=Path(platformdirs.user_cache_dir("swarm", appauthor=False)),
            allow_code=allow_code,
        )
    )
