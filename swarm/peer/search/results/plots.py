"""PNG files of a study: optimisation history, curves, importance, parallel coordinates."""

import importlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from swarm.core.errors import ConfigurationError, StorageError
from swarm.peer.search.closing_report import first_error
from swarm.peer.search.results.optuna_study import rebuild
from swarm.search.study import StudySpec
from swarm.search.trial import COMPLETE, Trial, TrialId, TrialResult

DPI = 130
CURVES_IN_COLOUR_MAX = 10
"""Best trials whose curves stand out; the others are grey."""
COMPLETE_FOR_IMPORTANCE_MIN = 4


def plot_all(
    spec: StudySpec,
    trials: Mapping[TrialId, Trial],
    results: Sequence[TrialResult],
    folder: Path,
) -> list[Path]:
    """Write every plot that the results allow.

    Returns:
        The files: `history.png`, `curves.png` if a model was trained in epochs, and for each model
        with searched hyperparameters `importance-MODEL.png` and `parallel-MODEL.png`.

    Raises:
        ConfigurationError: matplotlib is not installed, or no trial is complete.
        StorageError: The folder cannot be written.
    """
    require_complete(spec, results)
    _matplotlib()
    written = [_save(folder / "history.png", _history(spec, trials, results))]
    if any(result.curve for result in results):
        written.append(_save(folder / "curves.png", _curves(spec, trials, results)))
    for model, of_model in drawable_models(spec, trials, results):
        for name, draw in (("importance", _importance), ("parallel", _parallel)):
            axes = draw(spec, trials, of_model, model)
            if axes is not None:
                written.append(_save(folder / f"{name}-{model}.png", axes))
    return written


def require_complete(spec: StudySpec, results: Sequence[TrialResult]) -> None:
    """Require that there is something to plot.

    Raises:
        ConfigurationError: No trial is complete.
    """
    if not any(result.state == COMPLETE for result in results):
        raise ConfigurationError(
            f"study {spec.name!r} has no complete trial to plot yet{first_error(results)}"
        )


def drawable_models(
    spec: StudySpec, trials: Mapping[TrialId, Trial], results: Sequence[TrialResult]
) -> Iterator[tuple[str, list[TrialResult]]]:
    """Models with enough complete trials for plots of their own, and these trials' results."""
    for space in spec.models:
        of_model = [
            result
            for result in results
            if trials[result.trial].model == space.model and result.state == COMPLETE
        ]
        if len(of_model) >= COMPLETE_FOR_IMPORTANCE_MIN and space.dimensions:
            yield space.model, of_model


def best_first(spec: StudySpec, results: Iterable[TrialResult]) -> list[TrialResult]:
    """Results with a curve, the best complete ones first."""
    with_curve = [result for result in results if result.curve]
    return sorted(with_curve, key=lambda result: _rank(spec, result))


def _matplotlib() -> Any:
    try:
        matplotlib = importlib.import_module("matplotlib")
    except ImportError as error:
        raise ConfigurationError("plots need matplotlib: pip install 'swarm[plots]'") from error
    matplotlib.use("agg")  # files only, on machines without a display
    return matplotlib


def _draw(name: str, *arguments: Any, **options: Any) -> Any:
    """One of Optuna's plots; it calls them experimental, and its style is its own affair."""
    drawing: Callable[..., Any] = getattr(
        importlib.import_module("optuna.visualization.matplotlib"), name
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return drawing(*arguments, **options)


def _history(spec: StudySpec, trials: Mapping[TrialId, Trial], results: Any) -> Any:
    axes = _draw(
        "plot_optimization_history", rebuild(spec, trials, results), target_name=spec.objective
    )
    axes.set_title(f"{spec.name}: optimisation history")
    return axes


def _importance(
    spec: StudySpec, trials: Mapping[TrialId, Trial], results: Any, model: str
) -> Any | None:
    study = rebuild(spec, trials, results, only=model)
    if len({trial.value for trial in study.trials}) < 2:
        return None  # nothing matters for a value that is always the same
    evaluator = importlib.import_module("optuna.importance").FanovaImportanceEvaluator(seed=0)
    try:
        axes = _draw(
            "plot_param_importances", study, evaluator=evaluator, target_name=spec.objective
        )
    except ValueError:  # no hyperparameter is in every trial: all of them are conditional
        return None
    axes.set_title(f"{spec.name}: importance of {model}'s hyperparameters", loc="left")
    return axes


def _parallel(spec: StudySpec, trials: Mapping[TrialId, Trial], results: Any, model: str) -> Any:
    study = rebuild(spec, trials, results, only=model)
    axes = _draw("plot_parallel_coordinate", study, target_name=spec.objective)
    axes.set_title(f"{spec.name}: {model}")
    return axes


def _curves(spec: StudySpec, trials: Mapping[TrialId, Trial], results: Any) -> Any:
    """Objective and losses by epoch; the best trials in colour, with their hyperparameters."""
    pyplot = importlib.import_module("matplotlib.pyplot")
    pyplot.style.use("default")  # Optuna's plots leave theirs behind
    _, (left, right) = pyplot.subplots(1, 2, figsize=(13, 5.5))
    losses_seen: list[float] = []
    for place, result in reversed(list(enumerate(best_first(spec, results)))):
        trial = trials[result.trial]
        best = place < CURVES_IN_COLOUR_MAX
        style = {"color": f"C{place}" if best else "0.8", "linewidth": 1.6 if best else 0.8}
        epochs = [point.epoch for point in result.curve]
        label = f"{trial.number}: {trial.model}" if best else None
        left.plot(epochs, [point.value for point in result.curve], label=label, **style)
        for name, dashes in (("validation_loss", "-"), ("train_loss", ":")):
            losses = [getattr(point, name) for point in result.curve]
            if None not in losses:
                right.plot(epochs, losses, dashes, **style)
                losses_seen += losses
    left.set(xlabel="epoch", ylabel=spec.objective, title=f"{spec.name}: {spec.objective}")
    if losses_seen and min(losses_seen) > 0:
        right.set_yscale("log")  # one trial that diverged would flatten all others
    right.set(xlabel="epoch", ylabel="loss", title="loss: validation solid, training dotted")
    handles, labels = left.get_legend_handles_labels()
    left.legend(handles[::-1], labels[::-1], title="best trials", fontsize="small")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
    return left


def _rank(spec: StudySpec, result: TrialResult) -> tuple[bool, float]:
    """Sorts the best complete ones first, then by the last value that was seen."""
    value = result.curve[-1].value if result.value is None else result.value
    return result.state != COMPLETE, -value if spec.maximizes else value


def _save(path: Path, axes: Any) -> Path:
    figure = axes.figure
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=DPI, bbox_inches="tight")
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error}") from error
    finally:
        importlib.import_module("matplotlib.pyplot").close(figure)
    return path
