"""Full disks: a small file system where mounting is allowed, a limit on file sizes elsewhere."""

import contextlib
import errno
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.harness.faulty_swarm import FaultySwarm

SIZE = "128m"
"""A peer keeps 64 MiB free, so the disk must be larger than that."""
FILLER = "filler"
_PIECE = b"\0" * 65536


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Mount a small file system at `folder`; return whether that was possible."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["/bin/umount", "--lazy", str(folder)], check=True)


@contextlib.contextmanager
def full_disk(swarm: FaultySwarm, index: int, *, is_small: bool) -> Iterator[None]:
    """Fill the disk of one peer.

    Args:
        swarm: The peers.
        index: The peer with the disk.
        is_small: Whether its state folder is a `small_disk`, which is then filled: a real ENOSPC.
            Otherwise the peer and its worker can no longer write files, which needs no privilege.
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
