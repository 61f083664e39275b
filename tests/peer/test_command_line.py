"""`python -m swarm.peer` for newcomers: wrong values, help, session files."""

import subprocess
import sys
from pathlib import Path

import pytest

from swarm.core.errors import ConfigurationError
from swarm.core.session import SessionSpec
from swarm.peer.federation.peer_settings import (
    disagreement,
    make_spec,
    parse_partition,
    read_session_file,
)


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "swarm.peer", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **environment},
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["127.0.0.1", "seven"], "'port'", id="port-not-a-number"),
        pytest.param(
            ["127.0.0.1", "70000"], "port must be in 0..65535, got 70000", id="port-range"
        ),
        pytest.param(["127.0.0.1", "0", "nowhere"], "bootstrap address 'nowhere'", id="bootstrap"),
        pytest.param(["127.0.0.1", "0", "--partition", "7/6"], "1 <= k <= n", id="partition"),
        pytest.param(
            ["127.0.0.1", "0", "--log-level", "loud"], "log_level must be", id="log-level"
        ),
        pytest.param(["127.0.0.1", "0", "--operator", "olga"], "52 characters", id="operator"),
        pytest.param(["127.0.0.1", "0", "--hold"], "id with --operator", id="hold"),
        pytest.param(["127.0.0.1", "0", "--site", "x" * 20], "at most 16", id="site"),
        pytest.param(["127.0.0.1", "0", "--no-such-flag"], "--no-such-flag", id="unknown-flag"),
        pytest.param(
            ["127.0.0.1", "0", "--config", "/no/file"], "cannot read /no/file", id="toml"
        ),
    ],
)
def test_a_wrong_value_is_one_clear_line_and_exit_code_2(arguments: list[str], said: str) -> None:
    result = run(*arguments)

    assert result.returncode == 2
    assert result.stderr.startswith("error: ")
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.network
def test_a_wrong_session_value_ends_the_starter_with_one_clear_line(tmp_path: Path) -> None:
    result = run(
        *("127.0.0.1", "0", "--state", str(tmp_path), "--dataset", "digits", "--rounds", "0"),
        SWARM_LOG_LEVEL="error",
    )

    assert result.returncode == 2
    assert result.stderr == "error: session: rounds must be at least 1, got 0\n"


@pytest.mark.slow
def test_help_explains_every_setting() -> None:
    result = run("--help")

    assert result.returncode == 0
    for flag in ("--session", "--data", "--partition", "--state", "--name", "--log-format"):
        assert flag in result.stdout


@pytest.mark.parametrize("text", ["", "1", "0/3", "4/3", "a/b", "1/", "-1/3", "\uff11/2"])
def test_a_partition_must_be_k_of_n(text: str) -> None:
    with pytest.raises(ConfigurationError, match="partition must be k/n"):
        parse_partition(text)


def test_a_session_file_gives_typed_fields(tmp_path: Path) -> None:
    path = tmp_path / "session.toml"
    path.write_text('model = "lenet"\nrounds = 3\nlearning_rate = 1\ninput_shape = [8, 8, 1]\n')

    fields = read_session_file(path)

    assert make_spec(fields) == SessionSpec(
        model="lenet", rounds=3, learning_rate=1.0, input_shape=(8, 8, 1)
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("round = 3", "unknown setting 'round'; did you mean 'rounds'", id="unknown"),
        pytest.param('rounds = "3"', "rounds must be int, got '3'", id="type"),
        pytest.param("rounds = ", "is not valid TOML", id="syntax"),
    ],
)
def test_a_wrong_session_file_is_refused_by_field(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "session.toml"
    path.write_text(text)

    with pytest.raises(ConfigurationError, match=said):
        read_session_file(path)


def test_a_joiner_that_asks_for_something_else_learns_which_field_differs() -> None:
    assert disagreement({"rounds": 3}, SessionSpec(rounds=3)) is None
    assert disagreement({"rounds": 3}, SessionSpec(rounds=9)) == (
        "rounds is 9 in that session, not 3"
    )
