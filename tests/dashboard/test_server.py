"""The server as users start it: in its own process, over real sockets."""

import contextlib
import datetime
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fake_run import FakeRun

from dashboard.config import DashboardConfig
from dashboard.server import bind
from swarm.core.errors import ConfigurationError

pytestmark = pytest.mark.slow

SERVE_FAKE = str(Path(__file__).parent / "serve_fake.py")


def get_json(url: str) -> dict[str, object]:
    with urlopen(url, timeout=10) as answer:  # noqa: S310 -- our own server's address
        found: dict[str, object] = json.load(answer)
        return found


@contextlib.contextmanager
def upgrade(
    port: int, origin: str | None, host: str | None = None
) -> Iterator[tuple[str, object]]:
    """Ask for a socket as a browser does; yields the status line and the open connection."""
    lines = [
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1",
        f"Host: {host or f'localhost:{port}'}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    if origin is not None:
        lines.append(f"Origin: {origin}")
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        with connection.makefile("rb") as answers:
            yield answers.readline().decode(), answers


def test_the_server_only_prints_its_address_and_stops_cleanly(serve):
    served = serve("--at", "29")
    snapshot = get_json(f"{served.url}/api/snapshot")

    started_s = time.monotonic()
    out, error = served.stop()

    assert served.line == f"Dashboard: http://localhost:{served.port}\n"
    assert snapshot == FakeRun(6).at(29.0)
    assert (out, error, served.process.returncode) == ("", "", 0)
    assert time.monotonic() - started_s < 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_open_socket_does_not_delay_the_stop(serve, number):
    served = serve("--at", "29")
    with upgrade(served.port, served.url) as (status, _):
        started_s = time.monotonic()

        os.kill(served.process.pid, number)
        served.process.wait(timeout=10)

    assert "101" in status
    assert time.monotonic() - started_s < 5
    assert served.process.returncode == 0


def test_a_page_of_the_same_origin_may_open_a_socket(serve):
    served = serve("--at", "29")

    with upgrade(served.port, served.url) as (status, answers):
        headers = b"".join(iter(answers.readline, b"\r\n"))

        assert status.startswith("HTTP/1.1 101")
        assert b"websocket" in headers.lower()
        assert answers.read(1) == b"\x81"  # the first frame of the socket's own protocol


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1"])
def test_a_page_of_another_origin_may_not_open_a_socket(serve, origin):
    served = serve("--at", "29")

    with upgrade(served.port, origin) as (status, _):
        assert status.startswith("HTTP/1.1 403")


def test_a_rebound_name_may_not_open_a_socket(serve):
    served = serve("--at", "29")
    evil = f"evil.example:{served.port}"

    with upgrade(served.port, f"http://{evil}", host=evil) as (status, _):
        assert status.startswith("HTTP/1.1 403")


def test_sockets_above_the_limit_are_refused_until_another_one_closes(serve):
    served = serve("--at", "29", "--clients-max", "1")

    with upgrade(served.port, served.url) as (first, _):
        with upgrade(served.port, served.url) as (second, _):
            assert "101" in first
            assert second.startswith("HTTP/1.1 503")
        assert get_json(f"{served.url}/healthz")["status"] == "ok"

    deadline_s = time.monotonic() + 10
    while True:  # the server notices the end of the first socket after a while
        with upgrade(served.port, served.url) as (third, _):
            if "101" in third:
                return
        assert time.monotonic() < deadline_s


def test_a_taken_port_is_reported_in_one_line_that_suggests_another(serve):
    served = serve("--at", "29")

    ended = subprocess.run(
        [sys.executable, SERVE_FAKE, "--port", str(served.port)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    assert f"port {served.port} is taken" in ended.stderr
    assert "--port" in ended.stderr


def test_a_source_that_cannot_start_ends_the_server_with_its_reason():
    ended = subprocess.run(
        [sys.executable, SERVE_FAKE, "--port", "0", "--broken"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "error: no network today\n"


def test_a_remote_address_is_refused_on_the_command_line():
    bootstrap = ["--bootstrap", "127.0.0.1:9"]
    command = [sys.executable, "-m", "dashboard", *bootstrap, "--host", "192.168.1.5"]

    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "--allow-remote" in ended.stderr


def test_an_address_of_another_machine_is_a_clear_error():
    config = DashboardConfig(host="203.0.113.1", port=0, allow_remote=True)

    with pytest.raises(ConfigurationError, match=r"cannot listen on 203\.0\.113\.1"):
        bind(config)


@pytest.fixture
def certificate(tmp_path):
    """A key and a self-signed certificate for localhost."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return tmp_path


def test_with_a_certificate_the_server_speaks_tls(serve, certificate):
    cert, key = str(certificate / "cert.pem"), str(certificate / "key.pem")

    served = serve("--at", "29", "--tls-cert", cert, "--tls-key", key)

    assert served.url.startswith("https://localhost:")
    context = ssl.create_default_context(cafile=cert)
    with urlopen(f"{served.url}/healthz", context=context, timeout=10) as answer:  # noqa: S310 (our own)
        assert answer.status == 200
        assert "Strict-Transport-Security" in answer.headers


def run_dashboard(*arguments, **environment):
    command = [sys.executable, "-m", "dashboard", "--bootstrap", "127.0.0.1:9", *arguments]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--token-file", "/nowhere"], "cannot read the token in /nowhere"),
        (["--token-file", "/dev/null"], "/dev/null is empty"),
        (["--host", "192.168.1.5"], "--token-file"),
    ],
)
def test_a_missing_token_is_reported_in_one_line(arguments, said):
    ended = run_dashboard(*arguments)

    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert said in ended.stderr


def test_a_token_that_is_too_short_is_refused():
    ended = run_dashboard(SWARM_DASHBOARD_TOKEN="short")  # noqa: S106 (protects nothing)

    assert ended.returncode == 2
    assert "at least 16 characters" in ended.stderr
