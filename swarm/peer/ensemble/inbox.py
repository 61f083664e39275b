"""Inbox: takes files of rows, and the user's orders, out of a folder, one after the other.

A member watches its folder `inbox/`, where `python -m swarm.ensemble add`, `fit`, `promote` and
`rollback` leave whole files (see `orders`), and perhaps a folder of the user's own (`--watch`).
A program may still be writing to a foreign file, so it must rest first. Afterwards it moves to
`taken/`, or to `refused/` with its reason beside it. Our own files are copies: they get a reply,
and are deleted.
"""

import itertools
import os
import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import structlog
import trio

from swarm.core.errors import DataError, StorageError, SwarmError
from swarm.learning.tables.limits import check_bytes
from swarm.learning.tables.reading import ENDINGS
from swarm.peer.ensemble.orders import (
    ORDER_ENDING,
    ORDER_SIZE_MAX,
    Reply,
    is_own_copy,
    original_name,
    write_reply,
)
from swarm.peer.host.whole_files import write_whole

SCAN_EVERY_S = 1.0
REST_S = 3.0
"""A foreign file is read when neither its size nor its time has changed for this long."""
ENTRIES_MAX = 10_000
"""Entries of the folder that are looked at in one scan."""
FILES_MAX = 256
"""Files that one scan takes; the others wait for the next."""
_NO_TEXT = "its name and folder must be valid UTF-8: rename it"
_UNFINISHED = (".new", ".tmp", ".part", ".partial", ".crdownload", "~")

log = structlog.get_logger()
Take = Callable[[Path, str], Awaitable[str]]
"""Takes a file by its name for the user; returns what came of it. A `SwarmError` refuses it."""
_Stamp = tuple[int, int, int]
"""Inode, size and time of the last change."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file that a scan found."""

    path: Path
    stamp: _Stamp
    problem: str
    """Why it cannot be taken; empty if it can."""

    @property
    def is_order(self) -> bool:
        """Whether it is an order, not rows."""
        return self.path.suffix == ORDER_ENDING


class Inbox:
    """Watches one folder.

    Invariants:
        Files are taken one after the other, in the order of their last change.
        A file that was taken or refused is no longer in the folder.
    """

    def __init__(self, folder: Path, take_rows: Take, take_order: Take | None = None) -> None:
        """Make an inbox.

        Args:
            folder: What to watch; it is made if it is missing.
            take_rows: Takes a file of rows.
            take_order: Takes an order. None: the folder is one of the user's own, where files of
                any owner are taken, and no orders.
        """
        self._folder = folder
        self._take_rows = take_rows
        self._take_order = take_order
        self._resting: dict[Path, tuple[_Stamp, float]] = {}
        """Foreign files: their stamp, and since when it has been so."""

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            try:
                await self.take_files(trio.current_time())
            except OSError as error:
                log.warning("inbox", folder=str(self._folder), detail=f"cannot read: {error}")
            await trio.sleep(SCAN_EVERY_S)

    async def take_files(self, now_s: float) -> int:
        """Scan once, and take what is ready.

        Returns:
            How many files were taken or refused.

        Raises:
            OSError: The folder cannot be read.
        """
        found = await trio.to_thread.run_sync(self._scan)
        ready = [file for file in found if self._is_ready(file, now_s)]
        self._resting = {f.path: self._resting[f.path] for f in found if f.path in self._resting}
        for file in ready[:FILES_MAX]:
            await self._take(file)
            self._resting.pop(file.path, None)
        return len(ready[:FILES_MAX])

    # -- scanning

    def _scan(self) -> list[Found]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with os.scandir(self._folder) as entries:
            names = [entry.name for entry in itertools.islice(entries, ENTRIES_MAX)]
        found = [self._look(self._folder / name) for name in names if _is_finished(name)]
        return sorted(filter(None, found), key=lambda file: (file.stamp[2], file.path.name))

    def _look(self, path: Path) -> Found | None:
        """What a file is; None for folders, and for what has gone."""
        try:
            status = path.lstat()
        except FileNotFoundError:
            return None
        if stat.S_ISDIR(status.st_mode):
            return None
        stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
        # The process that reads rows gets the path as text.
        return Found(path, stamp, self._problem(path, status) if _is_text(path) else _NO_TEXT)

    def _problem(self, path: Path, status: os.stat_result) -> str:
        if not stat.S_ISREG(status.st_mode):
            return "it must be a regular file, no link"
        if path.suffix == ORDER_ENDING:
            return self._problem_of_order(status)
        if path.suffix.lower() not in (*ENDINGS, ".npz"):
            return f"its name must end with one of {', '.join(ENDINGS)}, .npz"
        if self._take_order is not None and status.st_uid != os.geteuid():
            return f"it must belong to user {os.geteuid()}, who runs this peer"
        try:
            check_bytes(status.st_size, "it")
        except DataError as error:
            return str(error)
        return ""

    def _problem_of_order(self, status: os.stat_result) -> str:
        if self._take_order is None:
            return "a watched folder takes rows, no orders"
        if status.st_uid != os.geteuid():
            return f"an order must belong to user {os.geteuid()}, who runs this peer"
        if status.st_size > ORDER_SIZE_MAX:
            return f"an order must have at most {ORDER_SIZE_MAX} bytes, got {status.st_size}"
        return ""

    def _is_ready(self, file: Found, now_s: float) -> bool:
        if is_own_copy(file.path.name):
            return True  # it was renamed into place
        stamp, since_s = self._resting.get(file.path, (None, now_s))
        if stamp != file.stamp:
            since_s = now_s
        self._resting[file.path] = (file.stamp, since_s)
        return now_s - since_s >= REST_S

    # -- taking

    async def _take(self, file: Found) -> None:
        name = os.fsencode(original_name(file.path.name)).decode(errors="replace")
        try:
            if file.problem:
                raise DataError(f"{name}: {file.problem}")
            take = self._take_order if file.is_order else self._take_rows
            assert take is not None  # noqa: S101 (an order would have a problem)
            reply = Reply(accepted=True, text=await take(file.path, name))
        except (SwarmError, ValueError) as error:  # no file ends the peer, whatever is in it
            reply = Reply(accepted=False, text=str(error))
        log.info("accepted" if reply.accepted else "refused", file=name, detail=reply.text)
        try:
            await trio.to_thread.run_sync(self._put_away, file, reply)
        except (OSError, StorageError) as error:
            log.warning("inbox", file=name, detail=f"cannot put it away: {error}")

    def _put_away(self, file: Found, reply: Reply) -> None:
        if is_own_copy(file.path.name):
            write_reply(self._folder, file.path.name, reply)
            file.path.unlink(missing_ok=True)
            return
        place = self._folder / ("taken" if reply.accepted else "refused")
        place.mkdir(exist_ok=True)
        target = _free_name(place / file.path.name)
        file.path.rename(target)
        if not reply.accepted:
            reason = f"{reply.text}\n".encode(errors="replace")
            write_whole(target.with_name(target.name + ".reason.txt"), reason)


def _is_finished(name: str) -> bool:
    return not name.startswith(".") and not name.endswith(_UNFINISHED)


def _is_text(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _free_name(path: Path) -> Path:
    """The path, or one with a number if there is such a file already."""
    if not os.path.lexists(path):
        return path
    for number in itertools.count(2):  # pragma: no branch - it ends with the first free one
        other = path.with_name(f"{path.stem}-{number}{path.suffix}")
        if not os.path.lexists(other):
            return other
    raise AssertionError  # pragma: no cover - the loop has no end
