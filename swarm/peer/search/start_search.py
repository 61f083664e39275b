"""start_search(): searches hyperparameters in the background, from a script or notebook."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from swarm.core.suggestions import names_misspelt_options
from swarm.peer.host.host_settings import parse_bootstraps
from swarm.peer.host.logs import configure_logs
from swarm.peer.host.trio_thread import open_scratch
from swarm.peer.search.running_search import RunningSearch
from swarm.peer.search.search_settings import SearchSettings


@names_misspelt_options
def start_search(  # noqa: PLR0913 - one keyword for each setting
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
    """Start a peer that searches in the background: it submits studies and works for all studies.

    Args:
        bootstrap: Peers to join, as `ip:port`. Without any, this peer starts a swarm; others
            join it at `RunningSearch.address`.
        slots: Number of trials to run at once here.
        ip: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        state: Folder for identity, studies and ledgers; a temporary one if None.
        data_dir: Folder that may contain `cifar-10-batches-bin/`.
        allow_code: Whether code that studies name may run here, from packages of this machine:
            strategies as `module:Class`, models as `module:function`.
        log_level: `debug`, `info`, `warning` or `error`.

    Raises:
        ConfigurationError: A value breaks a rule.
    """
    configure_logs(log_level, "text")
    with ExitStack() as undo:
        scratch = open_scratch("swarm-search-")
        undo.enter_context(scratch)
        search = RunningSearch(
            SearchSettings(
                ip=ip,
                port=port,
                state_dir=Path(state if state is not None else scratch.name),
                bootstraps=parse_bootstraps(bootstrap),
                slots=slots,
                data_dir=Path(data_dir) if data_dir is not None else None,
                allow_code=allow_code,
            ),
            scratch,
        )
        undo.pop_all()  # the search removes the folder when it ends
    return search
