"""Engines that people use instead: each executes trials and returns trials per second."""

import multiprocessing
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.pool import AsyncResult, Pool

import optuna

from tests.harness.search_work import C_HIGH, C_LOW, draw, prepare, score

NUM_WORKERS = 2
QUEUED_PER_WORKER = 2
WARM_UP = 20
Engine = Callable[[int, int], float]
"""(trials, seed) -> trials per second."""


@contextmanager
def open_pool() -> Iterator[Pool]:
    """Open a pool of two processes that have run a few trials."""
    prepare()
    with multiprocessing.get_context("spawn").Pool(NUM_WORKERS) as pool:
        pool.map(score, [{"C": 1.0}] * WARM_UP)
        yield pool


def pool_engine(pool: Pool) -> Engine:
    """Run only the trials, which is the upper bound."""

    def run(trials: int, seed: int) -> float:
        chance = random.Random(seed)  # noqa: S311 (reproducible)
        settings = [{"C": draw(chance)} for _ in range(trials)]
        started_s = time.perf_counter()
        for _ in pool.imap_unordered(score, settings):
            pass
        return trials / (time.perf_counter() - started_s)

    return run


def optuna_engine(pool: Pool, sampler: Callable[[int], optuna.samplers.BaseSampler]) -> Engine:
    """Run trials in the pool, with Optuna's ask and tell in this process, in memory."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def run(trials: int, seed: int) -> float:
        study = optuna.create_study(direction="maximize", sampler=sampler(seed))
        waiting: list[tuple[optuna.Trial, AsyncResult[float]]] = []
        num_asked = num_told = 0
        started_s = time.perf_counter()
        while num_told < trials:
            while num_asked < trials and len(waiting) < NUM_WORKERS * QUEUED_PER_WORKER:
                trial = study.ask()
                value = trial.suggest_float("C", C_LOW, C_HIGH, log=True)
                waiting.append((trial, pool.apply_async(score, ({"C": value},))))
                num_asked += 1
            done = [item for item in waiting if item[1].ready()]
            for trial, result in done:
                study.tell(trial, result.get())
                num_told += 1
            waiting = [item for item in waiting if item not in done]
            if not done:
                waiting[0][1].wait(0.002)
        return trials / (time.perf_counter() - started_s)

    return run
