"""Other schedulers, where they are installed: dask.distributed and Ray Tune.

Neither is a dependency of this project; docs/search.md says how to install them beside it.
"""

import importlib
import importlib.util
import logging
import os
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.searching.engines import NUM_WORKERS, WARM_UP, Engine
from tests.harness.search_work import C_HIGH, C_LOW, draw, prepare, score

RAY_TRIALS_SHARE = 5
"""Ray Tune is slow enough that a part of the trials shows its rate."""


@contextmanager
def open_dask() -> Iterator[Engine | None]:
    """Open dask.distributed with two worker processes; None where it is not installed."""
    if importlib.util.find_spec("distributed") is None:
        yield None
        return
    prepare()
    distributed: Any = importlib.import_module("distributed")
    for name in ("distributed", "distributed.nanny", "distributed.scheduler", "distributed.core"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with (
        distributed.LocalCluster(
            n_workers=NUM_WORKERS,
            threads_per_worker=1,
            dashboard_address=None,
            silence_logs=logging.ERROR,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.gather(client.map(score, [{"C": 1.0}] * WARM_UP, pure=False))

        def run(trials: int, seed: int) -> float:
            chance = random.Random(seed)  # noqa: S311 (reproducible)
            settings = [{"C": draw(chance)} for _ in range(trials)]
            started_s = time.perf_counter()
            client.gather(client.map(score, settings, pure=False))
            return trials / (time.perf_counter() - started_s)

        yield run


@contextmanager
def open_ray_tune() -> Iterator[Engine | None]:
    """Open Ray Tune's random search with two reused actors; None where it is not installed."""
    if importlib.util.find_spec("ray") is None:
        yield None
        return
    prepare()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # the new one ignores `verbose`
    ray: Any = importlib.import_module("ray")
    tune: Any = importlib.import_module("ray.tune")

    class Scored(tune.Trainable):  # type: ignore[misc, name-defined]
        """One trial; `reuse_actors` resets it to the settings of the next trial."""

        def setup(self, config: dict[str, float]) -> None:
            self._settings = config

        def step(self) -> dict[str, float | bool]:
            return {"accuracy": score(self._settings), "done": True}

        def reset_config(self, new_config: dict[str, float]) -> bool:
            self._settings = new_config
            return True

    with tempfile.TemporaryDirectory(prefix="swarm-benchmark-ray-") as folder:
        ray.init(
            num_cpus=NUM_WORKERS,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
        try:

            def run(trials: int, seed: int) -> float:
                trials = max(WARM_UP, trials // RAY_TRIALS_SHARE)
                tuner = tune.Tuner(
                    Scored,
                    param_space={"C": tune.loguniform(C_LOW, C_HIGH)},
                    tune_config=tune.TuneConfig(
                        num_samples=trials,
                        max_concurrent_trials=NUM_WORKERS,
                        reuse_actors=True,
                        search_alg=tune.search.BasicVariantGenerator(
                            max_concurrent=NUM_WORKERS, random_state=seed
                        ),
                    ),
                    run_config=tune.RunConfig(
                        storage_path=folder,
                        verbose=0,
                        checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                    ),
                )
                started_s = time.perf_counter()
                results = tuner.fit()
                taken_s = time.perf_counter() - started_s
                if results.num_errors:
                    raise AssertionError(f"Ray Tune: {results.errors[0]}")
                return trials / taken_s

            run(WARM_UP, 0)
            yield run
        finally:
            ray.shutdown()
