"""Trials per second of each engine with two workers, interleaved in one run."""

import statistics
import time
from collections import defaultdict
from contextlib import ExitStack
from typing import Any

import optuna
from rich.progress import Progress
from rich.table import Table

from benchmarks.searching.engines import (
    NUM_WORKERS,
    WARM_UP,
    Engine,
    open_pool,
    optuna_engine,
    pool_engine,
)
from benchmarks.searching.rivals import open_dask, open_ray_tune
from benchmarks.searching.studies import READY_WITHIN_S, SearchSwarm, document, open_swarm
from tests.harness.search_work import STUDY

POOL = "multiprocessing pool (the bound)"
OPTUNA_RANDOM, OPTUNA_TPE = "Optuna random + pool", "Optuna TPE + pool"
DASK, RAY_TUNE = "dask.distributed", "Ray Tune, random, reused actors"
ONE_PEER, TWO_PEERS = "one peer, two slots", "two peers, one slot each"
TARGETS = {f"{ONE_PEER}, random": (POOL, 0.9), f"{ONE_PEER}, TPE": (OPTUNA_TPE, 1.0)}
TARGETS |= {f"{TWO_PEERS}, random": (POOL, 0.9), f"{TWO_PEERS}, TPE": (OPTUNA_TPE, 1.0)}


def measure(trials: int, repeats: int, progress: Progress) -> dict[str, Any]:
    """Measure median trials per second by engine; None for engines that are not installed."""
    with ExitStack() as stack:
        pool = stack.enter_context(open_pool())
        one = stack.enter_context(open_swarm(slots=NUM_WORKERS))
        two = stack.enter_context(open_swarm(slots=1))
        two.start_worker()
        engines: dict[str, Engine | None] = {
            POOL: pool_engine(pool),
            f"{ONE_PEER}, random": _study_engine(one, "random", 1),
            f"{TWO_PEERS}, random": _study_engine(two, "random", 2),
            OPTUNA_RANDOM: optuna_engine(
                pool, lambda seed: optuna.samplers.RandomSampler(seed=seed)
            ),
            OPTUNA_TPE: optuna_engine(
                pool, lambda seed: optuna.samplers.TPESampler(seed=seed, constant_liar=True)
            ),
            f"{ONE_PEER}, TPE": _study_engine(one, "bayesian", 1),
            f"{TWO_PEERS}, TPE": _study_engine(two, "bayesian", 2),
            DASK: stack.enter_context(open_dask()),
            RAY_TUNE: stack.enter_context(open_ray_tune()),
        }
        rates: dict[str, list[float]] = defaultdict(list)
        task = progress.add_task("trials per second", total=repeats * len(engines))
        for repeat in range(repeats):
            for name, engine in engines.items():
                progress.update(task, description=name)
                if engine is not None:
                    rates[name].append(engine(trials, repeat))
                progress.advance(task)
        progress.remove_task(task)
    return {name: rates[name] or None for name in engines}


def table(rates: dict[str, list[float] | None]) -> Table:
    """Show rates, and their ratios to the pool's and to the target's."""
    shown = Table("engine", "trials/s", "of the pool's", "target")
    pool = rates[POOL]
    for name, found in rates.items():
        if not found or not pool:
            shown.add_row(name, "not run: it is not installed here", "", "")
            continue
        ratio = statistics.median(a / b for a, b in zip(found, pool, strict=True))
        target = ""
        if name in TARGETS:
            other, least = TARGETS[name]
            against = rates[other] or []
            reached = statistics.median(a / b for a, b in zip(found, against, strict=True))
            target = f"{reached:.2f} of {other}, wanted {least}"
        shown.add_row(name, f"{statistics.median(found):.1f}", f"{ratio:.2f}", target)
    return shown


def _study_engine(swarm: SearchSwarm, strategy: str, peers: int) -> Engine:
    number = 0

    def run(trials: int, seed: int) -> float:
        nonlocal number
        number += 1
        name = f"{strategy} {number}"
        study = swarm.here.submit(
            document(name, trials + WARM_UP, seed, strategy=strategy, **STUDY)
        )
        # The pool's processes have run some trials too before they are timed.
        study.wait_results(WARM_UP, READY_WITHIN_S)
        while len({result.peer for result in study.ledger.results.values()}) < peers:
            study.wait_results(len(study.results) + 1, READY_WITHIN_S)
        before, started_s = len(study.results), time.perf_counter()
        study.wait_results(trials + WARM_UP, READY_WITHIN_S)
        taken_s = time.perf_counter() - started_s
        study.wait(READY_WITHIN_S)
        return (trials + WARM_UP - before) / taken_s

    return run
