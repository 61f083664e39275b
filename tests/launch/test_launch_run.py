"""Runs of the launcher with real peers, as processes."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.network]

SMALL = ("--dataset", "digits", "--model", "mlp", "--peers", "3", "--no-dashboard", "--no-docker")
RUN_WITHIN_S = 480
GONE_WITHIN_S = 15


@contextmanager
def launched(
    *arguments: str, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A launcher in its own process; no process of its run outlives the block."""
    command = [sys.executable, "-m", "swarm.launch", *arguments]
    launcher = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    watchdog = threading.Timer(RUN_WITHIN_S, launcher.kill)
    watchdog.start()
    try:
        yield launcher
    finally:
        watchdog.cancel()
        launcher.kill()
        launcher.wait()
        assert launcher.stdout is not None
        launcher.stdout.close()


def fresh_machine(home: Path, proxy: str) -> dict[str, str]:
    """The environment of a user without settings or data, whose downloads go to `proxy`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SWARM_", "XDG_"))}
    proxies = dict.fromkeys(("https_proxy", "HTTPS_PROXY"), proxy)
    nothing_past_it = dict.fromkeys(("no_proxy", "NO_PROXY"), "")
    return kept | proxies | nothing_past_it | {"HOME": str(home)}


def lines_until(launcher: subprocess.Popen[str], text: str) -> list[str]:
    """Read the launcher's output up to a line with `text`."""
    assert launcher.stdout is not None
    lines: list[str] = []
    for line in launcher.stdout:
        lines.append(line)
        if text in line:
            return lines
    pytest.fail(f"the launcher ended without saying {text!r}:\n{''.join(lines)}")


def descendants(launcher: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(launcher.pid).children(recursive=True)


def assert_gone(processes: list[psutil.Process]) -> None:
    assert processes
    _, alive = psutil.wait_procs(processes, timeout=GONE_WITHIN_S)
    assert [process.cmdline() for process in alive] == []


def fork_server_folder(processes: list[psutil.Process]) -> Path:
    (socket,) = {
        process.cmdline()[-1]
        for process in processes
        if "swarm.peer.processes.fork_server" in process.cmdline()
    }
    return Path(socket).parent


def results(runs: Path) -> tuple[dict[str, Any], Path]:
    (run,) = runs.iterdir()
    return json.loads((run / "summary.json").read_text()), run / "model.keras"


def test_a_run_ends_by_itself_with_a_summary_and_a_usable_model(tmp_path: Path) -> None:
    with launched("--once", "--rounds", "2", *SMALL, "--runs-dir", str(tmp_path)) as launcher:
        output = lines_until(launcher, "-m swarm.learning evaluate")
        code = launcher.wait(timeout=30)

    assert code == 0
    summary, model = results(tmp_path)
    assert (summary["dataset"], summary["model"], summary["rounds"]) == ("digits", "mlp", 2)
    assert [peer["name"] for peer in summary["peers"]] == ["peer-1", "peer-2", "peer-3"]
    assert [peer["round"] for peer in summary["peers"]] == [2, 2, 2]
    assert len({peer["head_digest"] for peer in summary["peers"]}) == 1
    assert any("round 2 is done" in line for line in output)
    assert "\x1b" not in "".join(output)
    evaluate = [sys.executable, "-m", "swarm.learning", "evaluate", str(model)]
    evaluated = subprocess.run(
        [*evaluate, "--dataset", "digits"],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    accuracy = float(evaluated.stdout.split()[1])
    assert accuracy == pytest.approx(summary["global_accuracy"], abs=1e-4)


def test_the_readmes_command_learns_on_a_machine_without_cifar10(tmp_path: Path) -> None:
    with socket.socket() as deaf:  # bound and not listening: a download is refused at once
        deaf.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        machine = fresh_machine(tmp_path / "home", proxy=nowhere)
        arguments = ("--no-docker", "--no-dashboard", "--runs-dir", str(tmp_path / "runs"))
        with launched("--once", "--rounds", "3", *arguments, environment=machine) as launcher:
            output = lines_until(launcher, "-m swarm.learning evaluate")
            code = launcher.wait(timeout=30)

    assert code == 0
    assert any("TRAINING ON GENERATED IMAGES INSTEAD" in line for line in output)
    summary, _ = results(tmp_path / "runs")
    assert (summary["dataset"], summary["model"], summary["rounds"]) == ("synthetic10", "cnn", 3)
    assert [peer["round"] for peer in summary["peers"]] == [3] * 6
    assert summary["global_accuracy"] > 0.3  # three times chance, on a machine of any speed


def test_an_interrupted_run_keeps_its_results_and_leaves_no_process(tmp_path: Path) -> None:
    with launched("--rounds", "5000", *SMALL, "--runs-dir", str(tmp_path)) as launcher:
        lines_until(launcher, "test accuracy of the model of round 1")
        processes = descendants(launcher)
        folder = fork_server_folder(processes)

        launcher.send_signal(signal.SIGINT)

        lines_until(launcher, "-m swarm.learning evaluate")
        code = launcher.wait(timeout=30)
        assert_gone(processes)

    assert code == 130
    assert not folder.exists()
    summary, model = results(tmp_path)
    assert summary["rounds"] >= 1
    assert model.stat().st_size > 0


def test_peers_end_by_themselves_when_the_launcher_is_killed(tmp_path: Path) -> None:
    with launched("--rounds", "5000", *SMALL, "--runs-dir", str(tmp_path)) as launcher:
        lines_until(launcher, "3 of 3")
        processes = descendants(launcher)
        folder = fork_server_folder(processes)

        launcher.kill()

        assert_gone(processes)
    assert not folder.exists()


def test_the_run_continues_without_a_killed_peer(tmp_path: Path) -> None:
    with launched("--rounds", "5000", *SMALL, "--runs-dir", str(tmp_path)) as launcher:
        lines_until(launcher, "round 1 is done")
        (second,) = (
            process
            for process in descendants(launcher)
            if "--name" in process.cmdline() and "peer-2" in process.cmdline()
        )
        second.kill()
        lines_until(launcher, "peer-2 has died (killed by signal 9)")
        for _ in range(3):  # the first may have been over before
            last = lines_until(launcher, " is done")[-1]
        launcher.send_signal(signal.SIGINT)
        lines_until(launcher, "-m swarm.learning evaluate")
        code = launcher.wait(timeout=30)

    assert code == 130
    summary, _ = results(tmp_path)
    done = re.search(r"round (\d+) is done", last)
    assert done is not None
    assert summary["rounds"] >= int(done[1])


def test_a_mistake_that_only_peers_can_find_ends_the_run_with_one_reason(tmp_path: Path) -> None:
    broken = tmp_path / "broken.keras"
    broken.write_bytes(b"no model at all")
    with launched(*SMALL, "--model", str(broken), "--runs-dir", str(tmp_path)) as launcher:
        output = lines_until(launcher, "the run has failed")
        code = launcher.wait(timeout=30)

    assert code == 2
    assert "cannot load model" in output[-1]


def test_a_model_of_no_known_name_is_refused_before_anything_starts(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "swarm.launch", "--model", "nonsense", "--runs-dir", str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ended.returncode == 2
    assert "model must be lenet, cnn, mlp" in ended.stderr


def test_a_taken_dashboard_port_is_reported_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "swarm.launch", "--port", str(port)]

        ended = subprocess.run(
            [*command, "--runs-dir", str(tmp_path)],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )

    assert ended.returncode == 2
    assert ended.stderr.startswith(f"error: port {port} for the dashboard is taken")
    assert ended.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
