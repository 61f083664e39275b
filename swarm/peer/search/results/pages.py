"""write_pages(): the plots of `plots` as HTML files to zoom and hover over, by plotly."""

import importlib
from pathlib import Path
from typing import Any

from swarm.core.errors import ConfigurationError, StorageError
from swarm.peer.search.results.optuna_study import rebuild
from swarm.peer.search.results.plots import (
    CURVES_IN_COLOUR_MAX,
    PLOTLY,
    best_first,
    draw,
    draw_importance,
    drawable_models,
    require_complete,
)
from swarm.search.study_ledger import StudyLedger

_GREY = "#cccccc"
_DASHES = {"value": "solid", "validation_loss": "solid", "train_loss": "dot"}


def write_pages(ledger: StudyLedger, folder: Path) -> list[Path]:
    """Write every plot that the results allow as an HTML page; the pages need no network.

    Returns:
        The files: those of `plots.plot_all`, with `.html` for `.png`. They share the file
        `plotly.min.js` beside them.

    Raises:
        ConfigurationError: plotly is not installed, or no trial is complete.
        StorageError: The folder cannot be written.
    """
    require_complete(ledger)
    _require_plotly()
    name = ledger.spec.name
    options = {"target_name": ledger.spec.objective}
    history = draw(PLOTLY, "plot_optimization_history", rebuild(ledger), **options)
    figures = {"history": _titled(history, f"{name}: optimisation history")}
    if any(result.curve for result in ledger.results.values()):
        figures["curves"] = _curves(ledger)
    for model in drawable_models(ledger):
        study = rebuild(ledger, only=model)
        if importance := draw_importance(PLOTLY, study, **options):
            title = f"{name}: importance of {model}'s hyperparameters"
            figures[f"importance-{model}"] = _titled(importance, title)
        parallel = draw(PLOTLY, "plot_parallel_coordinate", study, **options)
        figures[f"parallel-{model}"] = _titled(parallel, f"{name}: {model}")
    return [_save(folder / f"{name}.html", figure) for name, figure in figures.items()]


def _require_plotly() -> None:
    try:
        importlib.import_module("plotly")
    except ImportError as error:
        raise ConfigurationError(
            "HTML plots need plotly: pip install 'swarm[html]'; PNG files do not"
        ) from error


def _titled(figure: Any, title: str) -> Any:
    return figure.update_layout(title=title)


def _curves(ledger: StudyLedger) -> Any:
    """Objective and losses by epoch; the best trials in colour, hyperparameters on hovering."""
    subplots = importlib.import_module("plotly.subplots")
    colours = importlib.import_module("plotly.colors").qualitative.Plotly
    figure = subplots.make_subplots(
        rows=1,
        cols=2,
        subplot_titles=(ledger.spec.objective, "loss: validation solid, training dotted"),
    )
    for place, result in reversed(list(enumerate(best_first(ledger)))):
        trial = ledger.trials[result.trial]
        is_best = place < CURVES_IN_COLOUR_MAX
        for name, dash in _DASHES.items():
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
    return _titled(figure, f"{ledger.spec.name}: curves")


def _save(path: Path, figure: Any) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.write_html(path, include_plotlyjs="directory")
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error}") from error
    return path
