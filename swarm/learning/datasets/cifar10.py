"""cifar10: 60,000 photographs in ten classes, from a folder, the cache, or the home page.

Source: Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images".
"""

import hashlib
import os
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import IO
from urllib.error import URLError
from urllib.request import urlopen

from swarm.core.errors import DataError
from swarm.learning.datasets.cifar_binary import (
    FILE_BYTES,
    FOLDER,
    TEST_FILES,
    TRAIN_FILES,
    map_rows,
)
from swarm.learning.progress import OnProgress, Progress

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
ARCHIVE_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
ARCHIVE_BYTES = 170_052_171
STALL_TIMEOUT_S = 8.0
"""For the connection and for each read; short, so that offline users do not wait long."""
PIECE_BYTES = 1 << 20


class UnavailableError(DataError):
    """CIFAR-10 is in none of the folders and could not be downloaded."""


def find_or_download(data_dir: str | None, cache_dir: str, progress: OnProgress) -> Path:
    """Find the folder with the binary batches; download them into the cache if there is none.

    Looks in `data_dir`, then in $SWARM_DATA_DIR, then in the cache.

    Raises:
        UnavailableError: They were not found, and the download failed.
        DataError: They were found, but a file is missing or has the wrong size.
    """
    for place in (data_dir, os.environ.get("SWARM_DATA_DIR"), cache_dir):
        for folder in (Path(place) / FOLDER, Path(place)) if place else ():
            if folder.name == FOLDER and folder.is_dir():
                for name in TRAIN_FILES + TEST_FILES:
                    map_rows(folder / name)
                return folder
    return _download(Path(cache_dir), progress)


def _download(cache_dir: Path, progress: OnProgress) -> Path:
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache_dir, prefix="cifar10-") as scratch:
            with tempfile.TemporaryFile(dir=scratch) as archive:
                _fetch(archive, progress)
                archive.seek(0)
                _extract(archive, Path(scratch) / FOLDER)
            return _move_in(Path(scratch) / FOLDER, cache_dir / FOLDER)
    except (OSError, URLError, tarfile.TarError) as error:
        raise UnavailableError(f"CIFAR-10 could not be downloaded: {error}") from error


def _fetch(archive: IO[bytes], progress: OnProgress) -> None:
    md5 = hashlib.md5(usedforsecurity=False)  # the checksum that the home page publishes
    size_bytes = 0
    with urlopen(URL, timeout=STALL_TIMEOUT_S) as response:
        while piece := response.read(PIECE_BYTES):
            size_bytes += len(piece)
            if size_bytes > ARCHIVE_BYTES:
                break
            md5.update(piece)
            archive.write(piece)
            text = f"CIFAR-10: {size_bytes >> 20} of {ARCHIVE_BYTES >> 20} MiB"
            progress(Progress("downloading", size_bytes / ARCHIVE_BYTES, text=text))
    if md5.hexdigest() != ARCHIVE_MD5:
        raise UnavailableError(f"the download from {URL} does not have md5 {ARCHIVE_MD5}")


def _extract(archive: IO[bytes], folder: Path) -> None:
    """Copy only the six expected files; paths in the archive are never used."""
    folder.mkdir()
    with tarfile.open(fileobj=archive, mode="r:gz") as tar:
        for name in TRAIN_FILES + TEST_FILES:
            try:
                member = tar.extractfile(f"{FOLDER}/{name}")
            except KeyError as error:
                raise UnavailableError(f"the archive lacks {name}") from error
            if member is None:
                raise UnavailableError(f"{name} in the archive is not a file")
            with (folder / name).open("wb") as file:
                shutil.copyfileobj(member, file, FILE_BYTES)


def _move_in(fresh: Path, final: Path) -> Path:
    try:
        fresh.rename(final)
    except OSError:
        if not (final / TEST_FILES[0]).exists():  # otherwise another process was faster
            raise
    return final
