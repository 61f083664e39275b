"""Members and their cross-validation matrix, as the commands `status` and `matrix` show them."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from swarm.core.ids import PeerId
from swarm.ensemble.spec import EnsembleSpec
from swarm.peer.ensemble.prediction import SHORT_ID
from swarm.watching.ensemble.matrix import MatrixCell
from swarm.watching.ensemble.members import MemberRow, metric_of

VERSION_LENGTH = 8
"""First characters of a version that are shown."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """The cross-validation matrix of the models that answer now."""

    metric: str
    peers: tuple[PeerId, ...]
    """Scorers and owners, in the order of rows and columns."""
    cells: tuple[MatrixCell, ...]

    def cell(self, scorer: PeerId, owner: PeerId) -> MatrixCell | None:
        """How one member scored another one's model; None if it did not, so far."""
        places = {(cell.scorer, cell.owner): cell for cell in self.cells}
        return places.get((scorer, owner))

    def as_json(self) -> dict[str, Any]:
        """The matrix as plain JSON."""
        return {
            "metric": self.metric,
            "peers": list(self.peers),
            "cells": [asdict(cell) for cell in self.cells],
        }

    def __repr__(self) -> str:
        lines = [" " * SHORT_ID + "".join(f"{p[-SHORT_ID:]:>10}" for p in self.peers)]
        for scorer in self.peers:
            shown = (_score_in_words(self.cell(scorer, owner)) for owner in self.peers)
            lines.append(scorer[-SHORT_ID:] + "".join(f"{one:>10}" for one in shown))
        return "\n".join([f"{self.metric}: scorers in rows, models in columns", *lines])


def _score_in_words(cell: MatrixCell | None) -> str:
    if cell is None:
        return "-"
    return f"{cell.metric:.4f}" if cell.metric is not None else "refused"


def members_table(spec: EnsembleSpec, members: Sequence[MemberRow]) -> Table:
    """A table for a terminal."""
    word = "member" if len(members) == 1 else "members"
    title = f"{spec.name}: {len(members)} {word}"
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("member", "state", "version", "learner", "trained (UTC)"):
        table.add_column(heading, no_wrap=True)
    for heading in ("rows", "skill"):
        table.add_column(heading, justify="right", no_wrap=True)
    drifts = any(one.drift.threshold for one in members)
    if drifts:
        table.add_column("drift", justify="right", no_wrap=True)
    for one in members:
        model = one.champion
        row = [
            one.peer[-SHORT_ID:],
            _state_in_words(one),
            model.version[:VERSION_LENGTH] if model else "",
            model.learner if model else "",
            time_in_words(model.fitted_at_s)[: len("2026-12-01 16:30")] if model else "",
            f"{model.num_rows if model else one.num_rows:,}",
            f"{one.skill:.3f}" if one.skill is not None else "",
        ]
        if drifts:
            drift = one.drift
            row.append(f"{drift.value:g}/{drift.threshold:g}" if drift.threshold else "")
        table.add_row(*map(Text, row))  # a name from another peer is no markup
    return table


def remarks(spec: EnsembleSpec, members: Sequence[MemberRow]) -> Iterator[str]:
    """What the table has no room for: challengers, drifts, what members wait for; as lines."""
    for one in members:
        said = [one.detail, _challenge_in_words(spec, one)]
        if one.is_drifting:
            said.append(f"its rows drift: {one.drift.detail}")
        yield from (f"{one.peer[-SHORT_ID:]}: {text}" for text in said if text)


def _challenge_in_words(spec: EnsembleSpec, one: MemberRow) -> str:
    challenger, compared = one.challenger, one.comparison
    if challenger is None:
        return ""
    text = (
        f"challenger {challenger.version[:VERSION_LENGTH]}, of {challenger.num_rows:,} rows, "
        "answers in the shadow"
    )
    if compared is None or not compared.challenger_validation:
        return text
    ours = metric_of(spec, compared.challenger_validation)
    theirs = metric_of(spec, compared.champion_validation)
    text += f"; {spec.metric} {ours:.4f}, the champion's is {theirs:.4f}"
    if not compared.num_recent:
        return text
    ours = metric_of(spec, compared.challenger_recent)
    theirs = metric_of(spec, compared.champion_recent)
    return f"{text}; on {compared.num_recent:,} later rows {ours:.4f} and {theirs:.4f}"


def matrix_table(spec: EnsembleSpec, matrix: Matrix) -> Table:
    """A table for a terminal; own scores, out of fold, are dim."""
    table = Table(
        title=f"{spec.name}: {matrix.metric}, lower is better",
        caption="scorers in rows, models in columns; dim: own rows, out of fold",
    )
    table.add_column("scored by", no_wrap=True)
    for owner in matrix.peers:
        table.add_column(owner[-SHORT_ID:], justify="right", no_wrap=True)
    for scorer in matrix.peers:
        row = [Text(scorer[-SHORT_ID:])]
        for owner in matrix.peers:
            shown = _score_in_words(matrix.cell(scorer, owner))
            row.append(Text(shown, style="dim" if scorer == owner else ""))
        table.add_row(*row)
    return table


def time_in_words(unix_s: float) -> str:
    """A time in UTC, as in `2026-12-01 16:30:00`; a question mark for no time at all."""
    try:
        return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):  # another peer's clock says anything
        return "?"


def _state_in_words(one: MemberRow) -> str:
    if not one.is_present:
        return "lost"
    state = f"fitting {100 * one.progress:.0f} %" if one.state == "fitting" else one.state
    return f"{state}, no weight" if one.is_distrusted else state
