"""ColumnTPESampler suggests what Optuna's own sampler suggests."""

import math
import random

import optuna
import pytest
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import TrialState

from swarm.search.strategies.tpe import ColumnTPESampler

optuna.logging.set_verbosity(optuna.logging.WARNING)

NUM_TRIALS = 120
AT_ONCE = 6
Suggested = dict[str, object]


def suggest(trial: optuna.Trial) -> tuple[Suggested, float]:
    """Draw from a conditional space with every kind of dimension; also return a score."""
    model = trial.suggest_categorical("model", ["near", "far"])
    rate = trial.suggest_float(f"{model}.rate", 1e-3, 1e3, log=True)
    depth = trial.suggest_int("depth", 1, 9)
    score = depth - abs(math.log(rate)) + (model == "near")
    if depth > 4:
        score += trial.suggest_float("share", 0, 1, step=0.1)
    return dict(trial.params), score


def end(study: optuna.Study, trial: optuna.Trial, score: float, fate: float) -> None:
    """End a trial: failed, pruned with or without a report, or complete."""
    if fate < 0.1:
        study.tell(trial, state=TrialState.FAIL)
    elif fate < 0.15:
        study.tell(trial, state=TrialState.PRUNED)
    elif fate < 0.4:
        trial.report(math.nan if fate < 0.18 else score, step=1 + int(100 * fate) % 5)
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, round(score, 1))  # some are equal


def play(sampler: BaseSampler, direction: str, seed: int) -> list[Suggested]:
    """All suggestions, while some trials run and end in any order."""
    chance = random.Random(seed)  # noqa: S311 (reproducible)
    study = optuna.create_study(direction=direction, sampler=sampler)
    running: list[tuple[optuna.Trial, float]] = []
    every: list[Suggested] = []
    for _ in range(NUM_TRIALS):
        trial = study.ask()
        suggested, score = suggest(trial)
        every.append(suggested)
        running.append((trial, score))
        if len(running) == AT_ONCE:
            end(study, *running.pop(chance.randrange(AT_ONCE)), chance.random())
    return every


def own(seed: int) -> BaseSampler:
    return ColumnTPESampler(seed, n_startup_trials=2, n_ei_candidates=24)


def optunas(seed: int) -> BaseSampler:
    return TPESampler(seed=seed, n_startup_trials=2, n_ei_candidates=24, constant_liar=True)


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize("seed", range(3))
def test_suggestions_are_those_of_optunas_sampler(direction: str, seed: int) -> None:
    expected, found = (play(sampler(seed), direction, seed) for sampler in (optunas, own))

    assert found == expected


def test_optuna_still_has_the_method_that_is_overridden() -> None:
    # If Optuna renamed the method, no other test would fail: suggestions would only be slow.
    assert "_sample" in vars(TPESampler)


def test_the_comparison_notices_another_seed() -> None:
    assert play(own(1), "minimize", 0) != play(own(2), "minimize", 0)
