"""Bayesian: tree-structured Parzen estimators (Optuna's), in memory.

Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization". Running trials count as bad
ones (`constant_liar`), so that workers do not try the same setting again. Optuna stores nothing:
after a takeover the new coordinator's strategy learns the ledger from the beginning.
"""

from typing import Any, cast

import optuna
from optuna.study import StudyDirection

from swarm.search.space import CATEGORICAL, INTEGER, Dimension
from swarm.search.strategies.strategy import Strategy, Suggestion, check_options, suggestion
from swarm.search.strategies.tpe import ColumnTPESampler
from swarm.search.study import StudySpec
from swarm.search.study_ledger import Asked, Entry, Recorded, StudyLedger
from swarm.search.trial import COMPLETE, FAILED, Trial, TrialId, TrialResult
from swarm.search.values import Value

LOOKAHEAD_MAX = 32
"""For each slot; a suggestion made long before earlier results is worth no more than a draw."""
_MODEL = "model"


class BayesianStrategy(Strategy):
    """Asks Optuna's sampler; its randomness depends on the seed and the trial's number only.

    Options: `startup_trials` (10) random trials come first; `candidates` (24) settings are
    compared for each suggestion.
    """

    lookahead_max = LOOKAHEAD_MAX
    is_slow = True

    def __init__(self, spec: StudySpec) -> None:
        check_options(spec, {"startup_trials": (1, 10_000), "candidates": (1, 1000)})
        self._spec = spec
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        direction = StudyDirection.MAXIMIZE if spec.maximizes else StudyDirection.MINIMIZE
        self._sampler = _sampler(spec)
        self._study = optuna.create_study(direction=direction, sampler=self._sampler)
        self._running: dict[TrialId, optuna.Trial] = {}
        self._suggested: tuple[Suggestion, optuna.Trial] | None = None

    def ask(self, history: StudyLedger) -> Suggestion | None:
        """Suggest the most promising of some candidates."""
        if self._suggested is None:
            self._sampler.seed_anew((self._spec.seed * 1_000_003 + len(history.trials)) % 2**32)
            trial = self._study.ask()
            self._suggested = self._suggest(trial), trial
        return self._suggested[0]

    def tell(self, entry: Entry) -> None:
        """Learn which trials run and what their results are."""
        match entry:
            case Asked(trial):
                self._running[trial.id] = self._taken(trial) or self._replayed(trial)
            case Recorded(result) if result.trial in self._running:
                self._finish(self._running.pop(result.trial), result)

    def _suggest(self, trial: optuna.Trial) -> Suggestion:
        models = [space.model for space in self._spec.models]
        model = str(trial.suggest_categorical(_MODEL, models)) if len(models) > 1 else models[0]
        values: dict[str, Value] = {}
        for dimension in self._spec.space(model).active(values):
            values[dimension.name] = _suggest_value(trial, f"{model}.{dimension.name}", dimension)
        return suggestion(self._spec, model, values)

    def _taken(self, trial: Trial) -> optuna.Trial | None:
        """Optuna's trial of the last suggestion, if this trial was made from it."""
        if self._suggested is None:
            return None
        suggested, own = self._suggested
        if (suggested.model, suggested.params) != (trial.model, trial.params):
            return None
        self._suggested = None
        return own

    def _replayed(self, trial: Trial) -> optuna.Trial:
        """Optuna's trial for one that another coordinator asked for."""
        fixed: dict[str, Any] = {f"{trial.model}.{name}": value for name, value in trial.params}
        if len(self._spec.models) > 1:
            fixed[_MODEL] = trial.model
        self._study.enqueue_trial(fixed)
        replayed = self._study.ask()
        self._suggest(replayed)
        return replayed

    def _finish(self, trial: optuna.Trial, result: TrialResult) -> None:
        if result.state == FAILED or result.value is None:
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        elif result.state == COMPLETE:
            self._study.tell(trial, result.value)
        else:
            trial.report(result.value, max([1, *(point.epoch for point in result.curve)]))
            self._study.tell(trial, state=optuna.trial.TrialState.PRUNED)


def _sampler(spec: StudySpec) -> ColumnTPESampler:
    return ColumnTPESampler(
        seed=0,
        n_startup_trials=int(spec.options.get("startup_trials", 10)),
        n_ei_candidates=int(spec.options.get("candidates", 24)),
    )


def _suggest_value(trial: optuna.Trial, name: str, dimension: Dimension) -> Value:
    if dimension.kind == CATEGORICAL:
        return cast("Value", trial.suggest_categorical(name, dimension.choices))
    low, high, step = dimension.low, dimension.high, dimension.step
    if dimension.kind == INTEGER:
        return int(trial.suggest_int(name, int(low), int(high), step=int(step), log=dimension.log))
    return float(trial.suggest_float(name, low, high, step=step or None, log=dimension.log))
