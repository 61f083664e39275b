"""The study as an Optuna study: in memory for plots, in a storage for optuna-dashboard."""

import importlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from swarm.core.errors import ConfigurationError
from swarm.search.catalog import family
from swarm.search.space import CATEGORICAL, INTEGER, Dimension
from swarm.search.study import StudySpec
from swarm.search.study_ledger import StudyLedger
from swarm.search.trial import COMPLETE, PRUNED, Trial, TrialResult

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

EPOCH_ZERO = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)
"""All trials begin here, for the clocks of peers differ; only their durations are real."""
MODEL = "model"


def rebuild(ledger: StudyLedger, *, only: str | None = None) -> "Study":
    """An Optuna study in memory with every result.

    Args:
        ledger: The study.
        only: Only this model's complete trials. Otherwise, hyperparameters of a study of several
            models are named "model.hyperparameter", and the model is a categorical one.
    """
    spec = ledger.spec
    study: Study = _optuna().create_study(study_name=spec.name, direction=spec.direction)
    study.add_trials(_frozen(ledger, only))
    return study


def export(ledger: StudyLedger, storage_url: str, study_name: str) -> None:
    """Write the study to an Optuna storage, such as `sqlite:///study.db`.

    Raises:
        ConfigurationError: The storage cannot be opened, or has a study of that name.
    """
    optuna, spec = _optuna(), ledger.spec
    try:
        study = optuna.create_study(
            storage=storage_url, study_name=study_name, direction=spec.direction
        )
        study.set_user_attr("objective", spec.objective)
        study.set_user_attr("dataset", spec.dataset)
        study.set_user_attr("swarm_study", spec.id)
        study.add_trials(_frozen(ledger, None))
    except optuna.exceptions.DuplicatedStudyError as error:
        raise ConfigurationError(
            f"{storage_url} has a study {study_name!r} already; give another --study-name"
        ) from error
    except (_sqlalchemy_error(), ValueError, OSError, ImportError) as error:
        raise ConfigurationError(f"cannot write to storage {storage_url!r}: {error}") from error


def _optuna() -> Any:
    optuna = importlib.import_module("optuna")  # takes half a second, and few commands need it
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _sqlalchemy_error() -> type[Exception]:
    error: type[Exception] = importlib.import_module("sqlalchemy.exc").SQLAlchemyError
    return error


def _frozen(ledger: StudyLedger, only: str | None) -> list["FrozenTrial"]:
    pairs = [(ledger.trials[result.trial], result) for result in ledger.results.values()]
    pairs.sort(key=lambda pair: (pair[0].number, pair[0].id))
    return [
        _frozen_trial(ledger.spec, trial, result, place, only)
        for place, (trial, result) in enumerate(pairs)
        if only is None or (trial.model == only and result.state == COMPLETE)
    ]


def _frozen_trial(
    spec: StudySpec, trial: Trial, result: TrialResult, place: int, only: str | None
) -> "FrozenTrial":
    optuna = _optuna()
    states = optuna.trial.TrialState
    state = {COMPLETE: states.COMPLETE, PRUNED: states.PRUNED}.get(result.state, states.FAIL)
    prefix = f"{trial.model}." if only is None and len(spec.models) > 1 else ""
    values = trial.values
    distributions = {
        prefix + dimension.name: _distribution(dimension)
        for dimension in spec.space(trial.model).active(values)
        if dimension.name in values
    }
    params: dict[str, Any] = {name: values[name.removeprefix(prefix)] for name in distributions}
    if prefix:
        models = tuple(space.model for space in spec.models)
        distributions[MODEL] = optuna.distributions.CategoricalDistribution(models)
        params[MODEL] = trial.model
    frozen: FrozenTrial = optuna.trial.FrozenTrial(
        number=place,
        trial_id=place,
        state=state,
        value=result.value if result.state == COMPLETE else None,
        datetime_start=EPOCH_ZERO,
        datetime_complete=EPOCH_ZERO + timedelta(seconds=result.duration_s),
        params=params,
        distributions=distributions,
        user_attrs=_attributes(trial, result),
        system_attrs={},
        intermediate_values={point.epoch: point.value for point in result.curve},
    )
    return frozen


def _attributes(trial: Trial, result: TrialResult) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "trial": trial.id,
        "number": trial.number,
        "model": trial.model,
        "library": family(trial.model),
        "params": trial.values,
        "peer": result.peer,
    }
    if result.fold_values:
        attributes["fold_values"] = list(result.fold_values)
    if result.error:
        attributes["error"] = result.error
    return attributes


def _distribution(dimension: Dimension) -> Any:
    distributions = _optuna().distributions
    if dimension.kind == CATEGORICAL:
        return distributions.CategoricalDistribution(dimension.choices)
    if dimension.kind == INTEGER:
        return distributions.IntDistribution(
            int(dimension.low), int(dimension.high), log=dimension.log, step=int(dimension.step)
        )
    return distributions.FloatDistribution(
        dimension.low, dimension.high, log=dimension.log, step=dimension.step or None
    )
