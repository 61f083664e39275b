"""plot_all(): PNG files of a study's history, curves, importance and parallel coordinates."""

import importlib
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from swarm.core.errors import ConfigurationError, StorageError
from swarm.peer.search.results.optuna_study import rebuild
from swarm.peer.search.study_text import first_error
from swarm.search.study import StudySpec
from swarm.search.study_ledger import StudyLedger
from swarm.search.trial import COMPLETE, TrialResult

MATPLOTLIB, PLOTLY = "optuna.visualization.matplotlib", "optuna.visualization"
DPI = 130
CURVES_IN_COLOUR_MAX = 10
"""Number of best trials whose curves have a colour; the others are grey."""
COMPLETE_FOR_IMPORTANCE_MIN = 4


def plot_all(ledger: StudyLedger, folder: Path) -> list[Path]:
    """Write every plot that the results allow.

    Returns:
        The files: `history.png`, `curves.png` if a model was trained in epochs, and for each model
        with searched hyperparameters `importance-MODEL.png` and `parallel-MODEL.png`.

    Raises:
        ConfigurationError: matplotlib is not installed, or no trial is complete.
        StorageError: The folder cannot be written.
    """
    require_complete(ledger)
    require_matplotlib()
    name = ledger.spec.name
    options = {"target_name": ledger.spec.objective}
    axes = draw(MATPLOTLIB, "plot_optimization_history", rebuild(ledger), **options)
    axes.set_title(f"{name}: optimisation history")
    written = [save_figure(folder / "history.png", axes)]
    if any(result.curve for result in ledger.results.values()):
        written.append(save_figure(folder / "curves.png", _curves(ledger)))
    for model in drawable_models(ledger):
        study = rebuild(ledger, only=model)
        axes = draw_importance(MATPLOTLIB, study, **options)
        if axes is not None:
            axes.set_title(f"{name}: importance of {model}'s hyperparameters", loc="left")
            written.append(save_figure(folder / f"importance-{model}.png", axes))
        axes = draw(MATPLOTLIB, "plot_parallel_coordinate", study, **options)
        axes.set_title(f"{name}: {model}")
        written.append(save_figure(folder / f"parallel-{model}.png", axes))
    return written


def require_complete(ledger: StudyLedger) -> None:
    """Require that there is something to plot.

    Raises:
        ConfigurationError: No trial is complete.
    """
    results = ledger.results.values()
    if not any(result.state == COMPLETE for result in results):
        raise ConfigurationError(
            f"study {ledger.spec.name!r} has no complete trial to plot yet{first_error(results)}"
        )


def require_matplotlib() -> None:
    """Prepare matplotlib for machines without a display.

    Raises:
        ConfigurationError: It is not installed.
    """
    try:
        matplotlib = importlib.import_module("matplotlib")
    except ImportError as error:
        raise ConfigurationError("plots need matplotlib: pip install 'swarm[plots]'") from error
    matplotlib.use("agg")


def drawable_models(ledger: StudyLedger) -> list[str]:
    """Models that have enough complete trials for plots of their own."""
    complete = [r for r in ledger.results.values() if r.state == COMPLETE]
    counts = Counter(ledger.trials[result.trial].model for result in complete)
    return [
        space.model
        for space in ledger.spec.models
        if counts[space.model] >= COMPLETE_FOR_IMPORTANCE_MIN and space.dimensions
    ]


def draw(library: str, name: str, *arguments: Any, **options: Any) -> Any:
    """Draw one of the plots of an Optuna package, `MATPLOTLIB` or `PLOTLY`."""
    drawing: Callable[..., Any] = getattr(importlib.import_module(library), name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls some of its plots experimental
        return drawing(*arguments, **options)


def draw_importance(library: str, study: Any, **options: Any) -> Any | None:
    """Draw the importance of hyperparameters; None if it cannot be computed."""
    if len({trial.value for trial in study.trials}) < 2:
        return None  # no hyperparameter matters for a value that is always the same
    evaluator = importlib.import_module("optuna.importance").FanovaImportanceEvaluator(seed=0)
    try:
        return draw(library, "plot_param_importances", study, evaluator=evaluator, **options)
    except ValueError:  # all hyperparameters are conditional: none is in every trial
        return None


def best_first(ledger: StudyLedger) -> list[TrialResult]:
    """Results with a curve, the best complete ones first."""
    with_curve = [result for result in ledger.results.values() if result.curve]
    return sorted(with_curve, key=lambda result: _rank(ledger.spec, result))


def _curves(ledger: StudyLedger) -> Any:
    """Objective and losses by epoch; the best trials in colour, with their hyperparameters."""
    pyplot = importlib.import_module("matplotlib.pyplot")
    pyplot.style.use("default")  # Optuna's plots have changed it
    _, (left, right) = pyplot.subplots(1, 2, figsize=(13, 5.5))
    losses_seen: list[float] = []
    for place, result in reversed(list(enumerate(best_first(ledger)))):
        trial = ledger.trials[result.trial]
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
    objective = ledger.spec.objective
    left.set(xlabel="epoch", ylabel=objective, title=f"{ledger.spec.name}: {objective}")
    if losses_seen and min(losses_seen) > 0:
        right.set_yscale("log")  # otherwise one diverging trial flattens all others
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


def save_figure(path: Path, axes: Any) -> Path:
    """Write a PNG file, and release the figure.

    Raises:
        StorageError: The file cannot be written.
    """
    figure = axes.figure
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=DPI, bbox_inches="tight")
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error}") from error
    finally:
        importlib.import_module("matplotlib.pyplot").close(figure)
    return path
