"""What to try next, one file per strategy, behind `ask(history)` and `tell(entry)`.

strategy   the protocol of strategies, and what all share
grid       every setting once, in order
random     independent draws, no discrete setting twice
bayesian   tree-structured Parzen estimators (Optuna's)
tpe        the sampler of bayesian, faster than Optuna's own
halving    asynchronous successive halving of random draws
guarded    wraps a user's strategy; its exceptions become StrategyError
"""

import importlib
from collections.abc import Callable
from typing import Any

from swarm.core.errors import StrategyError
from swarm.search.strategies.guarded import GuardedStrategy
from swarm.search.strategies.strategy import Strategy
from swarm.search.study import BUILT_IN_STRATEGIES, StudySpec

_HOMES = {
    "grid": ("swarm.search.strategies.grid", "GridStrategy"),
    "random": ("swarm.search.strategies.random", "RandomStrategy"),
    "bayesian": ("swarm.search.strategies.bayesian", "BayesianStrategy"),
    "halving": ("swarm.search.strategies.halving", "HalvingStrategy"),
}
Load = Callable[[str], Callable[[StudySpec], Strategy]]
"""Finds the class that `module:Class` names; to pass one is to allow a user's code to run."""


def make_strategy(spec: StudySpec, load: Load | None = None) -> Strategy:
    """Make the strategy of a study, before it learns any entry.

    Raises:
        ValueError: An option or the space does not suit the strategy, or the strategy is
            `module:Class` and there is no `load`.
    """
    if spec.strategy in BUILT_IN_STRATEGIES:
        # Imported by name: Optuna takes a second to load, and only `bayesian` needs it.
        module, name = _HOMES[spec.strategy]
        kind: Any = getattr(importlib.import_module(module), name)
    elif load is None:
        raise ValueError(
            f"strategy {spec.strategy!r} is a user's code: it runs only on peers that were "
            "started with --allow-code"
        )
    else:
        try:
            return GuardedStrategy(load(spec.strategy), spec)
        except StrategyError as error:
            raise ValueError(str(error)) from error
    strategy: Strategy = kind(spec)
    return strategy
