"""How many threads a learner process gets."""

import pytest

from swarm.core.errors import ConfigurationError
from swarm.launch.launch_settings import LaunchSettings
from swarm.peer.processes.cores import THREADS_VARIABLE, learner_environment, num_cores


@pytest.mark.parametrize(
    ("threads", "launcher", "shared", "expected"),
    [
        pytest.param(0, None, False, str(num_cores()), id="one-peer-alone-takes-all-cores"),
        pytest.param(0, "3", False, "3", id="a-launcher-divides-them"),
        pytest.param(0, None, True, "1", id="peers-share-a-fork-server"),
        pytest.param(5, "3", True, "5", id="the-user-decides"),
    ],
)
def test_threads_of_a_learner(
    threads: int,
    launcher: str | None,
    shared: bool,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(THREADS_VARIABLE)
    if launcher is not None:
        monkeypatch.setenv(THREADS_VARIABLE, launcher)

    assert learner_environment(threads, shared=shared) == {THREADS_VARIABLE: expected}


def test_a_negative_number_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="threads must be at least 1, or 0"):
        learner_environment(-1)
    with pytest.raises(ConfigurationError, match="threads must be at least 0, got -1"):
        LaunchSettings(threads=-1)


@pytest.mark.parametrize(
    ("cores", "peers", "threads", "each"),
    [(16, 6, 0, 2), (2, 6, 0, 1), (4, 1, 0, 4), (2, 6, 3, 3)],
)
def test_a_launcher_divides_the_cores_among_its_peers(
    cores: int, peers: int, threads: int, each: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swarm.launch.launch_settings.num_cores", lambda: cores)

    assert LaunchSettings(peers=peers, threads=threads).threads_each == each
