"""HTML files of a study, to zoom and hover over: what `plots` draws, drawn by plotly."""

import importlib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from swarm.core.errors import ConfigurationError, StorageError
from swarm.peer.search.results.optuna_study import rebuild
from swarm.peer.search.results.plots import (
    CURVES_IN_COLOUR_MAX,
    best_first,
    drawable_models,
    require_complete,
)
from swarm.search.study import StudySpec
from swarm.search.trial import Trial, TrialId, TrialResult

_GREY = "#cccccc"


def write_pages(
    spec: StudySpec,
    trials: Mapping[TrialId, Trial],
    results: Sequence[TrialResult],
    folder: Path,
) -> list[Path]:
    """Write every plot that the results allow as a page; they work without a network.

    Returns:
        The files: those of `plots.plot_all`, with `.html` for `.png`. They share `plotly.min.js`,
        which lies beside them.

    Raises:
        ConfigurationError: plotly is not installed, or no trial is complete.
        StorageError: The folder cannot be written.
    """
    require_complete(spec, results)
    _require_plotly()
    study = rebuild(spec, trials, results)
    history = _draw("plot_optimization_history", study, target_name=spec.objective)
    figures = {"history": _titled(history, f"{spec.name}: optimisation history")}
    if any(result.curve for result in results):
        figures["curves"] = _curves(spec, trials, results)
    for model, of_model in drawable_models(spec, trials, results):
        study = rebuild(spec, trials, of_model, only=model)
        if importance := _importance(study, spec.objective):
            figures[f"importance-{model}"] = _titled(
                importance, f"{spec.name}: importance of {model}'s hyperparameters"
            )
        parallel = _draw("plot_parallel_coordinate", study, target_name=spec.objective)
        figures[f"parallel-{model}"] = _titled(parallel, f"{spec.name}: {model}")
    return [_save(folder / f"{name}.html", figure) for name, figure in figures.items()]


def _require_plotly() -> None:
    try:
        importlib.import_module("plotly")
    except ImportError as error:
        raise ConfigurationError(
            "HTML plots need plotly: pip install 'swarm[html]'; PNG files do not"
        ) from error


def _draw(name: str, *arguments: Any, **options: Any) -> Any:
    drawing = getattr(importlib.import_module("optuna.visualization"), name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls some of its plots experimental
        return drawing(*arguments, **options)


def _titled(figure: Any, title: str) -> Any:
    return figure.update_layout(title=title)


def _importance(study: Any, objective: str) -> Any | None:
    if len({trial.value for trial in study.trials}) < 2:
        return None  # nothing matters for a value that is always the same
    evaluator = importlib.import_module("optuna.importance").FanovaImportanceEvaluator(seed=0)
    try:
        return _draw("plot_param_importances", study, evaluator=evaluator, target_name=objective)
    except ValueError:  # no hyperparameter is in every trial: all of them are conditional
        return None


def _curves(spec: StudySpec, trials: Mapping[TrialId, Trial], results: Any) -> Any:
    """Objective and losses by epoch; the best trials in colour, hyperparameters on hovering."""
    subplots = importlib.import_module("plotly.subplots")
    colours = importlib.import_module("plotly.colors").qualitative.Plotly
    figure = subplots.make_subplots(
        rows=1, cols=2, subplot_titles=(spec.objective, "loss: validation solid, training dotted")
    )
    for place, result in reversed(list(enumerate(best_first(spec, results)))):
        trial = trials[result.trial]
        is_best = place < CURVES_IN_COLOUR_MAX
        for name, dash in (
            ("value", "solid"),
            ("validation_loss", "solid"),
            ("train_loss", "dot"),
        ):
            line = {"dash": dash, "color": colours[place % len(colours)] if is_best else _GREY}
            numbers = [getattr(point, name) for point in result.curve]
            if None not in numbers:
                figure.add_scatter(
                    x=[point.epoch for point in result.curve],
                    y=numbers,
                    name=f"{trial.number}: {trial.model}",
                    legendgroup=trial.id,
                    showlegend=is_best and name == "value",
                    hovertext=", ".join(f"{key}={value}" for key, value in trial.params),
                    line=line,
                    row=1,
                    col=1 if name == "value" else 2,
                )
    figure.update_xaxes(title="epoch")
    return _titled(figure, f"{spec.name}: curves")


def _save(path: Path, figure: Any) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.write_html(path, include_plotlyjs="directory")
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error}") from error
    return path
