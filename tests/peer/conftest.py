"""A fork server that tests share, like peers on one machine."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from swarm.peer.processes import fork_server

GONE_WITHIN_S = 120
"""It notices nothing while it loads, and loading is slow on a busy machine."""
StartForkServer = Callable[..., AbstractContextManager[tuple["subprocess.Popen[str]", Path]]]


@contextmanager
def _running_fork_server(*command: str) -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """Start a fork server and wait until it listens; it has ended after the block."""
    path = fork_server.new_socket_path()
    module = command or (sys.executable, "-m", "swarm.peer.processes.fork_server")
    process = subprocess.Popen(
        [*module, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline().strip() == fork_server.LISTENING
        yield process, path
    finally:
        assert process.stdin is not None
        process.stdin.close()  # it ends
        process.wait(timeout=GONE_WITHIN_S)
        process.stdout.close()


@pytest.fixture
def start_fork_server() -> StartForkServer:
    """Start a server of its own for a test that ends it."""
    return _running_fork_server


@pytest.fixture(scope="session")
def shared_fork_server() -> Iterator[Path]:
    """The socket of a server that runs for the whole test session."""
    if not fork_server.is_supported():
        pytest.skip("fork servers need Linux")
    with _running_fork_server() as (process, path):
        yield path
    assert process.returncode == 0
    assert not path.parent.exists()
