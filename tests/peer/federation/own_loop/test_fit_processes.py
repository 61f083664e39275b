"""Three scripts on different classes, each with one more line; then one is killed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[3] / "harness" / "fit_process.py"
ALONE_MAX = 0.45
"""No script can do better alone: it has three or four classes of ten."""

LINES_MAX = 50_000
"""A script prints a hundred lines a second; the test waits for less than a minute each time."""


class Script:
    """A running script."""

    def __init__(self, address: str, classes: str) -> None:
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "OMP_NUM_THREADS": "1"}
        self.num_lines = 0
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), address, classes],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=SCRIPT.parents[2],
        )

    def line(self) -> str:
        self.num_lines += 1
        assert self.num_lines <= LINES_MAX, "what the test waits for does not happen"
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the script ended with {self.process.wait()}"
        return line

    def next_epoch(self) -> dict[str, Any]:
        epoch: dict[str, Any] = json.loads(self.line())
        return epoch

    def address(self) -> str:
        return self.line().split('"')[1]


@contextmanager
def script(address: str, classes: str) -> Iterator[Script]:
    running = Script(address, classes)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.communicate()


@pytest.mark.slow
@pytest.mark.network
def test_scripts_on_different_classes_learn_all_of_them_and_outlive_a_killed_one() -> None:
    with (
        script("", "0123") as first,
        script(address := first.address(), "456") as second,
        script(address, "789") as third,
    ):
        epoch = first.next_epoch()
        while not (epoch["swarm_peers"] == 3 and epoch["val_accuracy"] > ALONE_MAX + 0.1):
            epoch = first.next_epoch()

        first.process.kill()  # also the one that started the swarm
        second_epoch = second.next_epoch()
        while (
            second_epoch["swarm_peers"] != 2 or second_epoch["swarm_round"] < epoch["swarm_round"]
        ):
            second_epoch = second.next_epoch()

        second.process.send_signal(signal.SIGINT)
        while "interrupted" not in second.next_epoch():
            pass
        after = second.next_epoch()
        assert after["swarm_round"] >= second_epoch["swarm_round"]
        assert second.process.wait() == 0
        while third.next_epoch()["swarm_peers"] != 1:
            pass
