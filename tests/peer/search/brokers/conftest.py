"""Brokers to test against: a real RabbitMQ, and the mock broker of Kafka's own client library."""

import glob
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from tests.harness.reserved_ports import reserved_ports

UP_WITHIN_S = 120
STARTED = "Server startup complete"


@pytest.fixture(scope="session")
def rabbitmq_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A RabbitMQ of our own on the loopback address: own name, folders, ports and epmd."""
    # Not the wrapper in the path, which changes the user.
    servers = glob.glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server")
    if not servers:
        pytest.fail("RabbitMQ is not installed: pre/debian.sh test python3 installs it")
    folder = tmp_path_factory.mktemp("rabbitmq")
    with reserved_ports(3) as (port, distribution, epmd_port):
        environment = _environment(folder, port, distribution, epmd_port)
        with subprocess.Popen(
            [servers[0]],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                _wait_started(process)
                yield f"amqp://guest:guest@127.0.0.1:{port}/"
            finally:
                process.terminate()
                process.wait(timeout=60)
                # It started a daemon that outlives it.
                epmd = shutil.which("epmd") or "epmd"
                subprocess.run([epmd, "-kill"], env=environment, check=False, capture_output=True)


@pytest.fixture(scope="session")
def kafka_url() -> Iterator[str]:
    """librdkafka's mock broker: real TCP, groups and offsets; topics appear by themselves."""
    mock = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 3})
    (broker,) = mock.list_topics(timeout=60).brokers.values()
    yield f"kafka://{broker.host}:{broker.port}"
    mock.flush(1)


@pytest.fixture(params=["amqp", "kafka"])
def broker_url(request: pytest.FixtureRequest) -> str:
    """Each of them."""
    name = {"amqp": "rabbitmq_url", "kafka": "kafka_url"}[request.param]
    url: str = request.getfixturevalue(name)
    return url


def _environment(folder: Path, port: int, distribution: int, epmd: int) -> dict[str, str]:
    return {
        **os.environ,
        "HOME": str(folder),  # of the cookie
        "RABBITMQ_NODENAME": f"swarm-test-{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
            "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1"
        ),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(epmd),
    }


def _wait_started(process: "subprocess.Popen[str]") -> None:
    assert process.stdout is not None
    give_up = threading.Timer(UP_WITHIN_S, process.kill)
    give_up.start()
    lines = []
    for line in process.stdout:
        lines.append(line)
        if STARTED in line:
            break
    else:
        pytest.fail(f"RabbitMQ did not start: {''.join(lines[-20:])}")
    give_up.cancel()
    # Without a reader, it blocks once the pipe is full.
    threading.Thread(target=process.stdout.read, daemon=True).start()
