"""The choice between containers and processes, and the arguments of the engine, without one."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from swarm.core.errors import ConfigurationError
from swarm.launch import backend_choice
from swarm.launch.__main__ import main
from swarm.launch.backend import LocalProcesses
from swarm.launch.backend_choice import choose_backend
from swarm.launch.container_backend import COMPOSE_FILE, PEERS_IN_FILE, Containers, more_peers
from swarm.launch.docker_engine import Engine, find_engine
from swarm.launch.docker_image import SOURCES, put_extra
from swarm.launch.run_record import RunRecord, find_run
from swarm.peer.__main__ import SESSION_FLAGS

ENGINE = Engine("/usr/bin/docker", ("docker-compose",), "20.10", has_buildkit=True)


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend_choice, "find_engine", lambda: ENGINE)


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend_choice, "find_engine", lambda: "Docker is not installed")


def test_the_first_container_takes_every_field_that_a_flag_sets() -> None:
    text = COMPOSE_FILE.read_text()

    missing = [name for name in SESSION_FLAGS if f"SWARM_{name.upper()}:" not in text]

    assert missing == []


@pytest.mark.usefixtures("answering")
def test_containers_are_chosen_where_an_engine_answers() -> None:
    backend, why = choose_backend("cnn", docker=False, no_docker=False)

    assert isinstance(backend, Containers)
    assert why == "Docker 20.10 is running; --no-docker starts processes instead"


@pytest.mark.usefixtures("answering")
def test_processes_are_chosen_on_request_and_for_code_that_is_not_in_the_image() -> None:
    by_request, _ = choose_backend("cnn", docker=False, no_docker=True)
    by_need, why = choose_backend("my.models:build", docker=False, no_docker=False)

    assert isinstance(by_request, LocalProcesses)
    assert isinstance(by_need, LocalProcesses)
    assert "my.models:build is code" in why


@pytest.mark.usefixtures("silent")
def test_without_an_engine_processes_are_chosen_unless_the_user_insists() -> None:
    backend, why = choose_backend("cnn", docker=False, no_docker=False)

    assert isinstance(backend, LocalProcesses)
    assert why == "Docker is not installed"
    with pytest.raises(ConfigurationError, match="--docker is impossible: Docker is not"):
        choose_backend("cnn", docker=True, no_docker=False)


def test_docker_and_no_docker_exclude_each_other() -> None:
    with pytest.raises(ConfigurationError, match="exclude each other"):
        choose_backend("cnn", docker=True, no_docker=True)


def test_an_engine_that_does_not_answer_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    client = tmp_path / "docker"
    client.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")

    found = find_engine()

    assert isinstance(found, str)
    assert "no Docker engine answers" in found


def test_every_field_that_a_run_can_set_reaches_the_first_peer() -> None:
    text = COMPOSE_FILE.read_text()
    passed_on = set(re.findall(r"^      SWARM_(\w+):", text, re.MULTILINE))
    source = Path(main.__code__.co_filename).read_text()
    settable = set(re.findall(r'^        "(\w+)": \w+,$', source, re.MULTILINE))

    assert "examples_per_peer_max" in settable
    assert {name.upper() for name in settable} | {"MIN_PEERS"} <= passed_on


def test_additional_peers_extend_the_last_peer_of_the_compose_file() -> None:
    names = [f"peer-{k}" for k in range(1, 9)]

    added = more_peers(names, "mine")

    assert sorted(added["services"]) == sorted(added["volumes"]) == ["peer-7", "peer-8"]
    eighth = added["services"]["peer-8"]
    assert eighth["extends"] == {
        "file": str(COMPOSE_FILE),
        "service": f"peer-{PEERS_IN_FILE}",
    }
    assert eighth["container_name"] == "mine-peer-8"
    assert eighth["environment"] == {"SWARM_NAME": "peer-8", "SWARM_PARTITION": "8/8"}
    assert eighth["volumes"] == ["peer-8:/state"]


def test_the_build_is_given_a_private_certificate_and_registry_and_loses_them_again(
    tmp_path: Path,
) -> None:
    certificate = tmp_path / "corporate.pem"
    certificate.write_text("certificate")
    extra = tmp_path / "extra"
    extra.mkdir()

    put_extra(extra, {"PIP_CERT": str(certificate), "NPM_CONFIG_REGISTRY": "https://npm.example/"})
    given = {path.name: path.read_text() for path in extra.iterdir()}
    put_extra(extra, {"PIP_CERT": str(tmp_path / "gone.pem")})

    assert given["ca.crt"] == "certificate"
    assert given["npmrc"] == "registry=https://npm.example/\n"
    assert {path.name for path in extra.iterdir()} <= {"pip.conf"}


def test_starting_containers_needs_neither_keras_nor_libp2p() -> None:
    """run.sh installs only the packages in `launcher_needs` for it."""
    script = (SOURCES / "run.sh").read_text()
    needs = re.search(r"^launcher_needs=\((.*)\)$", script, re.MULTILINE)
    assert needs is not None
    look = (
        "import json, sys; import swarm.launch.__main__, swarm.launch.control; "
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )

    loaded = subprocess.check_output([sys.executable, "-c", look], text=True, cwd=SOURCES)

    heavy = {"keras", "tensorflow", "libp2p", "sklearn", "structlog", "cattrs", "flask"}
    assert heavy.isdisjoint(json.loads(loaded))
    assert set(needs[1].split()) <= set(json.loads(loaded))


def test_a_run_is_found_while_its_launcher_lives(tmp_path: Path) -> None:
    program = "import sys; sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as launcher:
        started_s = psutil.Process(launcher.pid).create_time()
        record = RunRecord(launcher.pid, started_s, "containers", ["peer-1"], None)
        (tmp_path / "20260101-000000").mkdir()
        record.write(tmp_path / "20260101-000000")

        found = find_run(tmp_path)
        launcher.kill()

    assert found == (tmp_path / "20260101-000000", record)
    assert find_run(tmp_path) is None
