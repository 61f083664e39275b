"""Predictions as the command `predict` shows and writes them."""

import csv
import io
from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from swarm.core.columns import target_of
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble.answers import Floats, to_scale
from swarm.peer.ensemble.overview import VERSION_LENGTH, time_in_words
from swarm.peer.ensemble.prediction import SHORT_ID, Prediction, number_in_words

ROWS_SHOWN = 20


def show_prediction(prediction: Prediction, console: Console) -> None:
    """Print the first rows, the members that answered, and those that did not."""
    console.print(_rows_table(prediction))
    if len(prediction) > ROWS_SHOWN:
        left = len(prediction) - ROWS_SHOWN
        console.print(f"... and {left:,} more rows; --output FILE writes them all")
    show_origin(prediction, console)


def show_origin(prediction: Prediction, console: Console) -> None:
    """Print the members that answered, those that did not, and what falls short."""
    console.print(_members_table(prediction))
    for one in prediction.missing:
        console.print(Text(f"missing: {one.peer[-SHORT_ID:]}, {one.reason}", style="yellow"))
    for note in prediction.notes:
        console.print(Text(f"note: {note}", style="yellow"))


def csv_text(prediction: Prediction) -> str:
    """All rows as CSV; numbers with all their digits."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    columns = prediction.columns()
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return written.getvalue()


def score_in_words(spec: EnsembleSpec, prediction: Prediction, truth: Floats) -> str:
    """How well the rows were answered whose target was given; a line, empty if there are none."""
    known = ~np.isnan(truth)
    count = int(known.sum())
    if not count:
        return ""
    word = "row" if count == 1 else "rows"
    start = f"on the {count:,} {word} whose {_target_name(spec)} was given: "
    if prediction.probabilities is not None:
        places = truth[known].astype(np.intp)
        right = prediction.probabilities[known].argmax(axis=1) == places
        text = f"{100 * right.mean():.1f} % right"
        if prediction.sets is not None:
            inside = prediction.sets[known][np.arange(count), places]
            text += f", {100 * inside.mean():.0f} % inside the sets"
        return f"{start}{text}\n"
    values = prediction.values[known].astype(np.float64)
    errors = to_scale(spec, values) - to_scale(spec, truth[known])
    text = f"{spec.metric} {float(np.sqrt(np.mean(errors**2))):.4f}"
    if prediction.lower is not None and prediction.upper is not None:
        inside = (prediction.lower[known] <= truth[known]) & (
            truth[known] <= prediction.upper[known]
        )
        text += f", {100 * inside.mean():.0f} % inside the intervals"
    return f"{start}{text}\n"


def _rows_table(prediction: Prediction) -> Table:
    percent = f"{100 * prediction.coverage:g} %"
    table = Table(
        title=f"{len(prediction):,} {'row' if len(prediction) == 1 else 'rows'} in "
        f"{prediction.seconds * 1000:.0f} ms, by {prediction.rule}"
    )
    table.add_column("row", justify="right")
    table.add_column("prediction", justify="right")
    if prediction.probabilities is not None:
        table.add_column("probability", justify="right")
        if prediction.sets is not None:
            table.add_column(f"{percent} set")
    elif prediction.lower is not None:
        table.add_column(f"{percent} interval", justify="right")
    table.add_column("spread", justify="right")
    for row in range(min(len(prediction), ROWS_SHOWN)):
        table.add_row(str(row + 1), *map(Text, _cells(prediction, row)))
    return table


def _cells(prediction: Prediction, row: int) -> Sequence[str]:
    spread = number_in_words(float(prediction.spread[row]))
    if prediction.probabilities is not None:
        chosen = float(prediction.probabilities[row].max())
        cells = [str(prediction.values[row]), f"{100 * chosen:.1f} %"]
        if prediction.sets is not None:
            cells.append(", ".join(prediction.set_of(row)))
        return [*cells, spread]
    cells = [number_in_words(float(prediction.values[row]))]
    if prediction.lower is not None and prediction.upper is not None:
        ends = (prediction.lower[row], prediction.upper[row])
        cells.append(" to ".join(number_in_words(float(end)) for end in ends))
    return [*cells, spread]


def _members_table(prediction: Prediction) -> Table:
    table = Table(title=prediction.origin_in_words().partition(";")[0] + " answered")
    for heading in ("member", "version", "learner", "trained (UTC)"):
        table.add_column(heading, no_wrap=True)
    for heading in ("rows", "weight"):
        table.add_column(heading, justify="right", no_wrap=True)
    own = len(prediction) == 1 and any(one.values is not None for one in prediction.members)
    if own:
        table.add_column("own answer", justify="right", no_wrap=True)
    for one in prediction.members:
        copied = one.answered_by != one.peer
        copy = f" (copy at {one.answered_by[-SHORT_ID:]})" if copied else ""
        cells = [
            one.peer[-SHORT_ID:] + copy,
            one.version[:VERSION_LENGTH],
            one.learner,
            time_in_words(one.fitted_at_s) if one.fitted_at_s else "",
            f"{one.num_rows:,}" if one.num_rows else "",
            f"{one.weight:.2f}",
        ]
        if own:
            cells.append(_own_answer(prediction, one.values))
        table.add_row(*map(Text, cells))
    return table


def _target_name(spec: EnsembleSpec) -> str:
    target = target_of(spec.columns)
    return target.name if target is not None else "target"


def _own_answer(prediction: Prediction, values: object) -> str:
    array = np.asarray(values)
    if array.ndim == 1:
        return number_in_words(float(array[0]))
    return f"{prediction.classes[int(array[0].argmax())]} ({100 * float(array[0].max()):.0f} %)"
