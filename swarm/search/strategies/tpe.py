"""ColumnTPESampler: Optuna's TPE, which need not go through all trials for each suggestion.

Optuna sorts all finished trials and reads their parameters anew whenever it is asked, which takes
longer than the estimators themselves once there are some hundreds. Here both are kept.
"""

import math
from bisect import insort
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.samplers._tpe.sampler import default_gamma
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

_CAPACITY = 64

Column = NDArray[np.float64]
Rank = tuple[int, float, float]
"""Complete trials by value; then pruned ones, by how far they came, and by value."""


class ColumnTPESampler(TPESampler):
    """Suggests what `TPESampler` does, bit for bit, for one study.

    The study must be told everything through `Study.tell`, have one objective and no constraints,
    and never give a parameter another distribution. Overrides `_sample`, which is not public: a
    test compares the two, and what an Optuna without `_sample` would lose is speed.
    """

    def __init__(self, seed: int, n_startup_trials: int, n_ei_candidates: int) -> None:
        super().__init__(
            seed=seed,
            n_startup_trials=n_startup_trials,
            n_ei_candidates=n_ei_candidates,
            constant_liar=True,
        )
        self._ranked: list[tuple[Rank, int]] = []
        """Finished trials with their numbers, the best first."""
        self._finished = np.zeros(_CAPACITY, bool)
        """By number: whether the trial is among them."""
        self._columns: dict[str, Column] = {}
        """Values by parameter and number, in Optuna's internal form; NaN where there is none."""

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Note what came of a trial."""
        super().after_trial(study, trial, state, values)
        if state == TrialState.FAIL:
            return
        insort(self._ranked, (_rank(study, trial, state, values), trial.number))
        self._make_room(trial.number)
        self._finished[trial.number] = True
        for name, value in trial.params.items():
            column = self._columns.get(name)
            if column is None:
                column = self._columns[name] = np.full(len(self._finished), np.nan)
            column[trial.number] = trial.distributions[name].to_internal_repr(value)

    def _sample(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        below, above = self._split(search_space)
        good = {name: self._column(name)[below] for name in search_space}
        bad = {name: self._column(name)[above] for name in search_space}
        self._add_running(bad, above, study, trial, search_space)
        good_estimator = self._estimator(good, search_space)
        bad_estimator = self._estimator(bad, search_space)
        candidates = good_estimator.sample(self._rng.rng, self._n_ei_candidates)
        scores = self._compute_acquisition_func(candidates, good_estimator, bad_estimator)
        best = self._compare(candidates, scores)
        return {name: space.to_external_repr(best[name]) for name, space in search_space.items()}

    def _split(self, names: Mapping[str, object]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Numbers of the good finished trials and of the others, where all parameters are."""
        num_good = min(default_gamma(len(self._ranked)), len(self._ranked))
        good = np.zeros_like(self._finished)
        good[[number for _, number in self._ranked[:num_good]]] = True
        has_all = self._finished.copy()
        for name in names:
            has_all &= ~np.isnan(self._column(name))
        return np.flatnonzero(has_all & good), np.flatnonzero(has_all & ~good)

    def _add_running(
        self,
        bad: dict[str, Column],
        numbers: NDArray[np.intp],
        study: Study,
        asked: FrozenTrial,
        search_space: dict[str, BaseDistribution],
    ) -> None:
        """Put what is under way among the bad ones, in the order of numbers: estimators forget."""
        trials = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        params_by_number = {t.number: self._get_params(t, study) for t in trials}
        params_by_number.pop(asked.number, None)
        running = [
            (number, params)
            for number, params in params_by_number.items()
            if search_space.keys() <= params.keys()
        ]
        places = np.searchsorted(numbers, [number for number, _ in running])
        for name, distribution in search_space.items():
            lies = [distribution.to_internal_repr(params[name]) for _, params in running]
            bad[name] = np.insert(bad[name], places, lies)

    def _estimator(
        self, values: dict[str, Column], search_space: dict[str, BaseDistribution]
    ) -> Any:
        return self._parzen_estimator_cls(values, search_space, self._parzen_estimator_parameters)

    def _column(self, name: str) -> Column:
        column = self._columns.get(name)
        return column if column is not None else np.full(len(self._finished), np.nan)

    def _make_room(self, number: int) -> None:
        while number >= len(self._finished):
            self._finished = np.concatenate([self._finished, np.zeros_like(self._finished)])
            for name, column in self._columns.items():
                self._columns[name] = np.concatenate([column, np.full_like(column, np.nan)])


def _rank(
    study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
) -> Rank:
    sign = -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0
    if state == TrialState.COMPLETE and values:
        return 0, sign * values[0], 0.0
    if not trial.intermediate_values:
        return 1, 1.0, 0.0
    step, value = max(trial.intermediate_values.items())
    return 1, float(-step), math.inf if math.isnan(value) else sign * value
