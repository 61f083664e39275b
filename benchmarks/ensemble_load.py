"""`python -m benchmarks.ensemble_load`: latency and throughput of an ensemble, also under faults.

Starts members as processes, each with its part of one table, and asks from this process:

- one row after the other: time of an answer, beside the slowest member's own time for it;
- many requests a second from one asker, at random moments;
- the same while all members refit: no request may fail, no answer may mix versions;
- the same while two members are killed: no request may fail.
"""

import argparse
import csv
import json
import math
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import trio

from swarm.core.errors import SwarmError
from swarm.peer.ensemble.asking import Asking
from swarm.peer.ensemble.fit_orders import order_fit
from swarm.peer.ensemble.prediction import Prediction
from swarm.peer.ensemble.running_ensemble import Ensemble, join_ensemble
from swarm.watching.ensemble.questions import quantile_of
from tests.harness.reserved_ports import reserved_ports

READY_WITHIN_S = 600.0
AFTER_FAULT_S = 5.0
"""Seconds after a fault in which answers may be late."""
REFIT_WITHIN_S = 120.0
"""The load goes on until all members answer with a new model, for this time at most."""
TARGET = "price"


@dataclass(slots=True)
class Load:
    """What came of requests at a rate."""

    rate: float
    seconds: float = 0.0
    num_asked: int = 0
    failures: list[str] = field(default_factory=list)
    num_mixed: int = 0
    """Answers with two versions of one member's model."""
    num_questions: int = 0
    num_versions: int = 0
    """Versions that answered."""
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    first_p99_ms: float = math.nan
    """Of the requests in the first seconds after the fault."""
    later_p99_ms: float = math.nan
    """Of those after them."""


@dataclass(frozen=True, slots=True)
class Alone:
    """One row after the other."""

    num_asked: int
    p50_ms: float
    p99_ms: float
    slowest_member_p50_ms: float
    """Median of the slowest member's own time, from the question's arrival to its answer."""
    above_p50_ms: float
    """Median of the answer's time beyond the slowest member's."""


def main() -> None:
    """Print each part as it is measured; with --json one JSON object last."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="CSV file; a made-up table if missing")
    parser.add_argument("--target", default=TARGET, help="the column to predict")
    parser.add_argument("--members", type=int, default=6)
    parser.add_argument("--learner", default="gbr")
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="swarm-ensemble-load-") as folder:
        rows = _rows(arguments.data, arguments.target)
        parts = [rows[i :: arguments.members + 1] for i in range(arguments.members + 1)]
        found = _measure(arguments, parts, Path(folder))
    if arguments.json:
        print(json.dumps(found))


def _measure(
    arguments: argparse.Namespace, parts: list[list[dict[str, str]]], folder: Path
) -> dict[str, Any]:
    asked, own = parts[0], parts[1:]
    with (
        reserved_ports(len(own)) as ports,
        _members(arguments, own, ports, folder) as processes,
        join_ensemble(f"127.0.0.1:{ports[0]}", timeout_s=READY_WITHIN_S) as ensemble,
    ):
        _wait_ready(ensemble, len(own))
        for row in asked[:20]:  # connections, caches
            ensemble.predict(row)
        alone = ask_alone(ensemble, asked, 200)
        print(
            f"one row after the other: p50 {alone.p50_ms:.1f} ms, p99 {alone.p99_ms:.1f} ms; "
            f"slowest member itself {alone.slowest_member_p50_ms:.1f} ms, "
            f"{alone.above_p50_ms:.1f} ms beyond it",
            flush=True,
        )
        rate, seconds = arguments.rate, arguments.seconds
        steady = ask_at_rate(ensemble, asked, rate, seconds)
        _show("steady", steady)
        refit = ask_at_rate(ensemble, asked, rate, seconds, refit=True)
        _show("all refit", refit)
        victims = [processes[-1], processes[-2]]
        killed = ask_at_rate(ensemble, asked, rate, seconds + AFTER_FAULT_S, kill=victims)
        _show("two killed", killed)
    loads = {"steady": steady, "refit": refit, "killed": killed}
    return {"alone": asdict(alone)} | {name: asdict(load) for name, load in loads.items()}


def ask_alone(ensemble: Ensemble, rows: Sequence[dict[str, str]], count: int) -> Alone:
    """Ask about one row after the other."""
    driver = ensemble.asking.driver
    times_ms, own_ms, above_ms = [], [], []
    for number in range(count):
        began_s = time.perf_counter()
        answer = ensemble.predict(rows[number % len(rows)])
        took_ms = 1000 * (time.perf_counter() - began_s)
        slowest_ms = 1000 * max(driver.busy_s[member.peer] for member in answer.members)
        times_ms.append(took_ms)
        own_ms.append(slowest_ms)
        above_ms.append(took_ms - slowest_ms)
    times_ms.sort()
    return Alone(
        count,
        quantile_of(times_ms, 0.5),
        quantile_of(times_ms, 0.99),
        statistics.median(own_ms),
        statistics.median(above_ms),
    )


def ask_at_rate(
    ensemble: Ensemble,
    rows: Sequence[dict[str, str]],
    rate: float,
    seconds: float,
    *,
    refit: bool = False,
    kill: Sequence["subprocess.Popen[str]"] = (),
) -> Load:
    """Ask at random moments, at this rate, whatever the answers take."""
    asking = ensemble.asking
    load, times = Load(rate, seconds), list[tuple[float, float]]()
    versions: set[str] = set()
    before = asking.log.num_asked
    champions: set[str] = set()
    if refit:
        champions = {one.champion.version for one in ensemble.members if one.champion}

    async def one(row: dict[str, str], since_s: float) -> None:
        began_s = trio.current_time()
        try:
            answer = await asking.predict(row)
        except SwarmError as error:
            load.failures.append(str(error))
            return
        times.append((began_s - since_s, trio.current_time() - began_s))
        load.num_mixed += _is_mixed(answer)
        versions.update(member.version for member in answer.members)

    async def run() -> None:
        drawn = np.random.default_rng(0)
        async with trio.open_nursery() as nursery:
            since_s = trio.current_time()
            if refit:
                nursery.start_soon(order_fit, asking, READY_WITHIN_S)
            nursery.start_soon(_kill_soon, kill)
            next_s = since_s
            while trio.current_time() - since_s < seconds or _is_refitting(
                asking, champions, since_s
            ):
                nursery.start_soon(one, rows[load.num_asked % len(rows)], since_s)
                load.num_asked += 1
                next_s += drawn.exponential(1 / rate)  # late ones are made up for
                await trio.sleep_until(next_s)
            nursery.cancel_scope.deadline = trio.current_time() + AFTER_FAULT_S
            load.seconds = trio.current_time() - since_s

    ensemble.call(run)
    load.num_questions = asking.log.num_asked - before
    load.num_versions = len(versions)
    unanswered = load.num_asked - len(times) - len(load.failures)
    load.failures += ["not answered when the load ended"] * unanswered
    _summarise(load, times, has_fault=bool(kill))
    return load


def _is_refitting(asking: Asking, champions: set[str], since_s: float) -> bool:
    """Whether the load is to go on because one of these models still answers."""
    models = {card.champion.version for card in asking.cards() if card.champion}
    return bool(models & champions) and trio.current_time() - since_s < REFIT_WITHIN_S


async def _kill_soon(processes: Sequence["subprocess.Popen[str]"]) -> None:
    """Kill at the beginning of the measured seconds; a killed process says nothing."""
    await trio.lowlevel.checkpoint()
    for process in processes:
        process.send_signal(signal.SIGKILL)


def _is_mixed(answer: Prediction) -> bool:
    peers = [member.peer for member in answer.members]
    return len(set(peers)) < len(peers)


def _summarise(load: Load, times: list[tuple[float, float]], *, has_fault: bool) -> None:
    def p99_ms(some: list[float]) -> float:
        return 1000 * quantile_of(sorted(some), 0.99) if some else math.nan

    every = sorted(took_s for _, took_s in times)
    if every:
        load.p50_ms = 1000 * quantile_of(every, 0.5)
        load.p99_ms = p99_ms(every)
    if has_fault:
        load.first_p99_ms = p99_ms([took_s for at_s, took_s in times if at_s < AFTER_FAULT_S])
        load.later_p99_ms = p99_ms([took_s for at_s, took_s in times if at_s >= AFTER_FAULT_S])


def _show(name: str, load: Load) -> None:
    line = (
        f"{name}: {load.num_asked} requests in {load.seconds:.1f} s "
        f"({load.num_asked / load.seconds:.0f} a second) in {load.num_questions} questions; "
        f"{len(load.failures)} failed, {load.num_mixed} mixed; p50 {load.p50_ms:.0f} ms, "
        f"p99 {load.p99_ms:.0f} ms; {load.num_versions} versions answered"
    )
    if not math.isnan(load.first_p99_ms):
        line += (
            f"; p99 in the first {AFTER_FAULT_S:g} s {load.first_p99_ms:.0f} ms, "
            f"then {load.later_p99_ms:.0f} ms"
        )
    print(line, flush=True)
    for reason in sorted(set(load.failures))[:3]:
        print(f"  failed: {reason}", flush=True)


@contextmanager
def _members(
    arguments: argparse.Namespace,
    parts: list[list[dict[str, str]]],
    ports: Sequence[int],
    folder: Path,
) -> Iterator[list["subprocess.Popen[str]"]]:
    processes: list[subprocess.Popen[str]] = []
    try:
        for number, (part, port) in enumerate(zip(parts, ports, strict=True)):
            data = folder / f"rows{number}.csv"
            _write(data, part)
            command = [sys.executable, "-m", "swarm.ensemble", "serve", "--data", str(data)]
            command += ["--target", arguments.target, "--learner", arguments.learner]
            command += ["--state", str(folder / f"state{number}"), "127.0.0.1", str(port)]
            command += [f"127.0.0.1:{ports[0]}"] if number else []
            log = (folder / f"log{number}.txt").open("w")
            with log:
                processes.append(
                    subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, text=True)
                )
            _wait_text(folder / f"log{number}.txt", "Others join", processes[-1])
        yield processes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def _wait_text(path: Path, text: str, process: "subprocess.Popen[str]") -> None:
    deadline_s = time.monotonic() + READY_WITHIN_S
    while text not in path.read_text():
        if process.poll() is not None or time.monotonic() > deadline_s:
            sys.exit(f"no member came up: {path.read_text()}")
        wait_a_while(0.2)


def wait_a_while(seconds: float) -> None:
    """Wait; members work meanwhile."""
    trio.run(trio.sleep, seconds)


def _wait_ready(ensemble: Ensemble, num_members: int) -> None:
    """Wait until each member has scored each model, and none fits."""
    deadline_s = time.monotonic() + READY_WITHIN_S
    while True:
        matrix, members = ensemble.matrix(), ensemble.members
        serving = sum(one.state == "serving" for one in members)
        if serving == num_members and len(matrix.cells) == num_members**2:
            return
        if time.monotonic() > deadline_s:
            sys.exit(f"after {READY_WITHIN_S:g} s {serving} members serve:\n{matrix}")
        wait_a_while(0.5)


def _rows(path: Path | None, target: str) -> list[dict[str, str]]:
    if path is None:
        return _made_up(np.random.default_rng(0), 1400, target)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    order = np.random.default_rng(0).permutation(len(rows))
    return [rows[place] for place in order]


def _made_up(drawn: np.random.Generator, num_rows: int, target: str) -> list[dict[str, str]]:
    """A table of 12 numbers and 4 categories."""
    rows = []
    for _ in range(num_rows):
        numbers = drawn.normal(size=12)
        words = drawn.choice(list("abcde"), 4)
        price = numbers.sum() + 2 * (words[0] == "a") + drawn.normal(0, 0.5)
        row = {f"n{i}": f"{value:.4f}" for i, value in enumerate(numbers)}
        rows.append(
            row | {f"c{i}": word for i, word in enumerate(words)} | {target: f"{price:.4f}"}
        )
    return rows


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
