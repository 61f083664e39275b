"""have_dataset(): the data set on disk before peers start, so that they all find the same."""

import threading
from collections.abc import Callable

import trio

from swarm.learning.datasets import ResolvedDataset, resolve_dataset
from swarm.learning.jobs import Progress
from swarm.peer.launch.settings import LaunchSettings

TIDY_WITHIN_S = 2.0
"""So long an interrupted download may take to remove what it has."""


class _InterruptedError(Exception):
    """Ends a download whose result nobody waits for."""


async def have_dataset(
    settings: LaunchSettings, name: str, progress: Callable[[Progress], None]
) -> ResolvedDataset:
    """Find, download or generate a built-in data set, in a thread.

    Raises:
        ConfigurationError: There is no data set of that name.
        DataError: Files that were found are damaged.
    """
    interrupted, ended = threading.Event(), trio.Event()
    token = trio.lowlevel.current_trio_token()

    def watch(done: Progress) -> None:
        if interrupted.is_set():
            raise _InterruptedError
        progress(done)

    def resolve() -> ResolvedDataset:
        try:
            data_dir = str(settings.data_dir) if settings.data_dir is not None else None
            return resolve_dataset(name, data_dir, str(settings.cache_dir), watch)
        finally:
            _report_end(token, ended)

    try:
        return await trio.to_thread.run_sync(
            resolve,
            abandon_on_cancel=True,  # type: ignore[call-arg]  # the stubs are older than trio
        )
    except trio.Cancelled:
        interrupted.set()
        with trio.CancelScope(shield=True), trio.move_on_after(TIDY_WITHIN_S):
            await ended.wait()
        raise


def _report_end(token: trio.lowlevel.TrioToken, ended: trio.Event) -> None:
    try:
        token.run_sync_soon(ended.set)
    except trio.RunFinishedError:
        return
