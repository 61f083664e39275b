"""What to try next, one file per strategy, behind `ask(history)` and `tell(entry)`.

strategy   the protocol, and what all share
grid       every setting once, in order
random     independent draws, no discrete setting twice
bayesian   tree-structured Parzen estimators (Optuna's)
halving    asynchronous successive halving of random draws
guarded    somebody's strategy, whose errors are ours
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
"""Finds the class that `module:Class` names; whoever passes one lets foreign code run."""


def make_strategy(spec: StudySpec, load: Load | None = None) -> Strategy:
    """The strategy of a study, nothing told yet.

    Raises:
        ValueError: An option or the space does not go with the strategy, or the strategy is
            `module:Class` and there is no `load`.
    """
    if spec.strategy in BUILT_IN_STRATEGIES:
        # By name: Optuna takes a second to load, and only the Bayesian strategy needs it.
        module, name = _HOMES[spec.strategy]
        kind: Any = getattr(importlib.import_module(module), name)
    elif load is None:
        raise ValueError(
            f"strategy {spec.strategy!r} is code of somebody's: it needs leave to run, "
            "which --allow-code gives"
        )
    else:
        try:
            return GuardedStrategy(load(spec.strategy), spec)
        except StrategyError as error:
            raise ValueError(str(error)) from error
    strategy: Strategy = kind(spec)
    return strategy
