"""Disks that run full: a small one of its own where one may mount, a limit on file sizes else."""

import contextlib
import errno
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.harness.faulty_swarm import FaultySwarm

SIZE = "128m"
"""A peer wants 64 MiB to stay free: it must have more than that while all is well."""
FILLER = "filler"
_PIECE = b"\0" * 65536


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Put a small file system of its own at `folder`; say whether that was possible."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["/bin/umount", "--lazy", str(folder)], check=True)


@contextlib.contextmanager
def full_disk(swarm: FaultySwarm, index: int, *, is_small: bool) -> Iterator[None]:
    """Let nothing more fit on the disk of one peer.

    Args:
        swarm: The peers.
        index: Whose disk.
        is_small: Its state folder is a `small_disk`, which is filled: a real ENOSPC. Otherwise the
            peer and its worker may write no file any more, which needs no privilege.
    """
    if not is_small:
        for pid in (swarm.peers[index].process.pid, swarm.worker_pid(index)):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        yield
        return
    filler = swarm.state_dir(index) / FILLER
    try:
        with open(filler, "wb", buffering=0) as file:
            _fill(file.fileno())
        yield
    finally:
        filler.unlink()


def _fill(file: int) -> None:
    try:
        while True:
            os.write(file, _PIECE)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
