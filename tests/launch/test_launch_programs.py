import socket
from pathlib import Path

import pytest

from swarm.core.errors import ConfigurationError
from swarm.launch.free_ports import HOST, check_dashboard_port, free_ports
from swarm.launch.launch_settings import LaunchSettings
from swarm.launch.programs import (
    dashboard_program,
    fork_server_program,
    peer_programs,
)

RUN = Path("/runs/1")
PORTS = (7001, 7002, 7003)
SETTINGS = LaunchSettings(peers=3, once=True, data_dir=Path("/data"))


def flag(arguments: tuple[str, ...], name: str) -> str:
    return arguments[arguments.index(name) + 1]


def test_the_first_peer_starts_the_session_and_the_others_join_the_first_two() -> None:
    session = {"model": "mlp", "min_peers": 3}

    first, second, third = peer_programs(SETTINGS, session, RUN, PORTS)

    assert first.arguments[:3] == (HOST, "7001", "--name")
    assert flag(first.arguments, "--min-peers") == "3"
    assert second.arguments[:4] == (HOST, "7002", f"{HOST}:7001", "--name")
    assert third.arguments[:4] == (HOST, "7003", f"{HOST}:7001", f"{HOST}:7002")
    assert "--model" not in third.arguments


def test_each_peer_has_its_own_partition_and_files() -> None:
    third = peer_programs(SETTINGS, {}, RUN, PORTS)[2]

    assert flag(third.arguments, "--partition") == "3/3"
    assert flag(third.arguments, "--state") == "/runs/1/peers/peer-3"
    assert flag(third.arguments, "--report") == str(third.report)
    assert flag(third.arguments, "--export") == str(third.model)
    assert flag(third.arguments, "--data-dir") == "/data"
    assert "--exit-when-done" in third.arguments


def test_peers_stay_without_once_and_only_run_code_that_the_user_named() -> None:
    settings = LaunchSettings(peers=2)

    plain = peer_programs(settings, {"model": "cnn"}, RUN, PORTS[:2])
    named = peer_programs(settings, {"model": "my.models:build"}, RUN, PORTS[:2])

    assert not any("--exit-when-done" in program.arguments for program in plain)
    assert not any("--allow-model" in program.arguments for program in plain)
    assert all("--allow-model" in program.arguments for program in named)


def test_all_peers_know_the_fork_server_if_there_is_one() -> None:
    socket = RUN / "fork-server"

    server = fork_server_program(RUN, socket)
    with_it = peer_programs(SETTINGS, {}, RUN, PORTS, socket)
    without = peer_programs(SETTINGS, {}, RUN, PORTS)

    assert (server.module, server.arguments) == (
        "swarm.peer.processes.fork_server",
        (str(socket),),
    )
    assert server.watches_stdin
    assert [flag(p.arguments, "--fork-server") for p in with_it] == [str(socket)] * 3
    assert not any("--fork-server" in p.arguments or p.watches_stdin for p in without)


def test_the_dashboard_knows_the_first_two_peers() -> None:
    program = dashboard_program(SETTINGS, RUN, PORTS)

    assert program.arguments == (
        *("--port", "5000"),
        *("--bootstrap", f"{HOST}:7001"),
        *("--bootstrap", f"{HOST}:7002"),
    )


def test_taken_and_excluded_ports_are_skipped() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]

        ports = free_ports(port, 2, avoid=frozenset({port + 1}))

        with pytest.raises(
            ConfigurationError, match=f"port {port} .* is taken .* --port {port + 1}"
        ):
            check_dashboard_port(port)
    assert not {port, port + 1} & set(ports)


def test_too_few_free_ports_are_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="3 free ports are needed from 65534 on"):
        free_ports(65534, 3)


@pytest.mark.parametrize(
    "fields", [{"peers": 0}, {"peers": 65}, {"port": 0}, {"base_port": 70000}]
)
def test_settings_out_of_range_are_refused(fields: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError, match=f"{next(iter(fields))} must be in 1"):
        LaunchSettings(**fields)  # type: ignore[arg-type]
