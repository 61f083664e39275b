"""have_dataset(): the data set on disk before peers start, so that they all find the same.

`python -m swarm.launch.dataset NAME DATA_DIR` does that in a container, and says in JSON
lines how far it is and, in the last, what it has.
"""

import dataclasses
import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import platformdirs
import trio

from swarm.core.errors import ConfigurationError, SwarmError
from swarm.learning.datasets import ResolvedDataset, resolve_dataset
from swarm.learning.progress import Progress

TIDY_WITHIN_S = 2.0
"""So long an interrupted download may take to remove what it has."""


class _InterruptedError(Exception):
    """Ends a download whose result nobody waits for."""


async def have_dataset(
    data_dir: Path | None, cache_dir: Path, name: str, progress: Callable[[Progress], None]
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
            folder = str(data_dir) if data_dir is not None else None
            return resolve_dataset(name, folder, str(cache_dir), watch)
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


def main(name: str, data_dir: str) -> int:
    """Have the data set in this machine's cache folder."""
    cache_dir = platformdirs.PlatformDirs("swarm", appauthor=False).user_cache_dir
    try:
        resolved = resolve_dataset(name, data_dir, cache_dir, _tell)
    except SwarmError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigurationError) else 1
    _tell(resolved)
    return 0


def _tell(value: Progress | ResolvedDataset) -> None:
    print(json.dumps(dataclasses.asdict(value)), flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
