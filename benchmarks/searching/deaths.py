"""What kills cost: results once each on six peers, and the time until another peer asks."""

import math
import statistics
import tempfile
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.progress import Progress
from rich.table import Table

from benchmarks.searching.processes import SearchProcess, SearchProcesses
from benchmarks.searching.studies import READY_WITHIN_S, document
from benchmarks.searching.work import STUDY

NUM_PEERS = 6
TRIALS = 500
KILLS_AT = (100, 200)
JOIN_AT = 150
OVER_WITHIN_S = 400.0
TAKEOVER_PEERS = 4
TAKEOVER_TARGET_S = 5.0
PORT = 7961


def measure_kills(progress: Progress) -> dict[str, Any]:
    """500 trials on six peers; two are killed, one joins."""
    task = progress.add_task("six peers, two killed, one joining", total=TRIALS)
    with tempfile.TemporaryDirectory() as folder, SearchProcesses(Path(folder), PORT) as swarm:
        study = swarm.write_study(document("kills", TRIALS, 1, **STUDY))
        proposer = swarm.start("run", str(study))
        workers = [swarm.start("worker") for _ in range(NUM_PEERS - 1)]

        def reach(number: int) -> None:
            def reached() -> bool:
                progress.update(task, completed=proposer.num_results)
                return proposer.num_results >= number or proposer.is_over

            swarm.wait(reached, f"{number} results", OVER_WITHIN_S)

        swarm.wait(lambda: all(w.num_results for w in workers), "all work", READY_WITHIN_S)
        reach(KILLS_AT[0])
        workers[0].kill()
        reach(JOIN_AT)
        swarm.start("worker")
        reach(KILLS_AT[1])
        workers[1].kill()
        reach(TRIALS)
        swarm.wait(lambda: proposer.is_over, "the study is over", OVER_WITHIN_S)
        survivors = [peer for peer in swarm.peers if peer.process.poll() is None]
        swarm.wait(lambda: all(p.is_over for p in survivors), "all know", READY_WITHIN_S)
        found = _count(swarm.peers, proposer)
    progress.remove_task(task)
    return found


def measure_takeovers(repeats: int, progress: Progress) -> list[float]:
    """Seconds from the death of a proposer until another one asks for a trial."""
    task = progress.add_task("proposers killed", total=repeats)
    found_s: list[float] = []
    with tempfile.TemporaryDirectory() as folder, SearchProcesses(Path(folder), PORT) as swarm:
        study = document("takeovers", 0, 1, time_budget_s=1e6, **STUDY)
        swarm.start("worker", slots=0)  # the bootstrap: it never proposes, and stays
        swarm.start("run", str(swarm.write_study(study)))
        for _ in range(TAKEOVER_PEERS - 1):
            swarm.start("worker")
        while len(found_s) < repeats:
            alive = [peer for peer in swarm.peers if peer.process.poll() is None]
            swarm.wait(lambda peers=alive: all(p.num_results for p in peers), "all work", 120)
            victim = max(alive, key=lambda peer: _newest(peer, "asks"))
            others = [peer for peer in alive if peer is not victim]
            died_s = datetime.now().astimezone().timestamp()
            victim.kill()
            swarm.wait(
                lambda peers=others, since=died_s: any(_newest(p, "asks") > since for p in peers),
                "another proposer asks",
                60,
            )
            found_s.append(max(_newest(peer, "asks") for peer in others) - died_s)
            progress.advance(task)
            swarm.start("worker", name=victim.name)
    progress.remove_task(task)
    return found_s


def kills_table(found: dict[str, Any]) -> Table:
    """The counts."""
    table = Table("500 trials, six peers, two killed, one joining", "")
    for what, number in found.items():
        table.add_row(what, str(number))
    return table


def takeovers_table(found_s: list[float]) -> Table:
    """Median, 95th percentile and worst."""
    table = Table("proposer killed: until another one asks", "seconds")
    ordered = sorted(found_s)
    p95 = ordered[max(0, math.ceil(0.95 * len(ordered)) - 1)]
    table.add_row("median", f"{statistics.median(ordered):.2f}")
    table.add_row(f"95th percentile (wanted {TAKEOVER_TARGET_S:g})", f"{p95:.2f}")
    table.add_row("worst", f"{ordered[-1]:.2f}")
    table.add_row("number", str(len(ordered)))
    return table


def _count(peers: list[SearchProcess], proposer: SearchProcess) -> dict[str, Any]:
    ledger = proposer.ledger
    if ledger is None:
        raise AssertionError("the proposer has no ledger")
    events = [event for peer in peers for event in peer.events()]
    starts = Counter(event["trial"] for event in events if event["event"] == "runs")
    lost = Counter(
        str(event["detail"]).split()[0]
        for event in events
        if event["event"] in ("expired", "orphaned")
    )
    again = {trial: number - 1 for trial, number in starts.items() if number > 1}
    numbers = Counter(ledger.trials[trial].number for trial in ledger.results)
    return {
        "results": len(ledger.results),
        "trials with more than one result": sum(count > 1 for count in numbers.values()),
        "trials begun again": sum(again.values()),
        "leases lost": lost.total(),
        "begun again without a lost lease": sum(
            max(0, number - lost[trial]) for trial, number in again.items()
        ),
        "peers whose ledger equals the proposer's": sum(
            peer.ledger is not None and peer.ledger.checksum == ledger.checksum for peer in peers
        ),
    }


def _newest(peer: SearchProcess, event: str) -> float:
    """When a peer last logged an event, in seconds of the wall clock; 0 if never."""
    times = [item["timestamp"] for item in peer.events() if item["event"] == event]
    return max((datetime.fromisoformat(text).timestamp() for text in times), default=0.0)
