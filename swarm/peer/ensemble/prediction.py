"""Prediction: what an asker gets: values, how sure they are, and which members answered."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.ids import Digest, PeerId
from swarm.ensemble.spec import EnsembleSpec

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
SHORT_ID = 6
"""Last characters of a peer's id that are shown."""
_ROWS_SHOWN = 5


@dataclass(frozen=True, slots=True, eq=False)
class AnsweringMember:
    """A member whose answer is in a prediction."""

    peer: PeerId
    version: Digest
    """The one version of its model that answered all rows of a question."""
    learner: str
    fitted_at_s: float
    """When that model was fitted: seconds since 1970, by the member's clock; 0 if not known."""
    num_rows: int
    """Rows that the model was fitted on; 0 if not known."""
    weight: float
    """Share of the combination, in [0, 1]."""
    answered_by: PeerId
    """Another peer than `peer` if that one answered with a copy of its model."""
    values: Floats | None = None
    """Its own answer: shape (n,) in the target's unit, or probabilities, shape (n, c). Only if
    details were asked for."""


@dataclass(frozen=True, slots=True)
class MissingMember:
    """A member whose answer is not in a prediction."""

    peer: PeerId
    reason: str
    """Why, in words."""


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """The combined answer to n rows, in their order."""

    values: NDArray[Any]
    """Shape (n,): numbers in the target's unit, or labels of classes as text."""
    spread: Floats
    """Shape (n,): standard deviation of the members' answers in the target's unit; for classes
    the share of the weights that is for another class."""
    lower: Floats | None
    """Shape (n,): lower ends of the intervals; None for classes, or if nothing is calibrated."""
    upper: Floats | None
    probabilities: Floats | None
    """Shape (n, c), in the order of `classes`; None for a regression."""
    sets: NDArray[np.bool_] | None
    """Shape (n, c): classes of each row's prediction set; None for a regression, or while nothing
    is calibrated."""
    classes: tuple[str, ...]
    coverage: float
    """Share of rows whose truth the intervals or sets are to contain."""
    rule: str
    """The combination that was used."""
    members: tuple[AnsweringMember, ...]
    missing: tuple[MissingMember, ...]
    notes: tuple[str, ...]
    """What falls short of the ensemble's rules, in words."""
    seconds: float
    """From the request to the answer."""

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        shown = [self.row_in_words(row) for row in range(min(len(self), _ROWS_SHOWN))]
        if len(self) > _ROWS_SHOWN:
            shown.append(f"... {len(self) - _ROWS_SHOWN} more")
        return f"<Prediction of {len(self)} rows: {'; '.join(shown)} | {self.origin_in_words()}>"

    def row_in_words(self, row: int) -> str:
        """One row's answer, as in `181,000 [158,000, 207,000]` or `malignant (97 %)`."""
        if self.probabilities is not None:
            chosen = float(self.probabilities[row].max())
            return f"{self.values[row]} ({100 * chosen:.0f} %)"
        text = number_in_words(self.values[row])
        if self.lower is None or self.upper is None:
            return text
        return f"{text} [{number_in_words(self.lower[row])}, {number_in_words(self.upper[row])}]"

    def origin_in_words(self) -> str:
        """Which members answered, and which did not, and why."""
        text = f"{len(self.members)} of {len(self.members) + len(self.missing)} members"
        if self.missing:
            reasons = (f"{one.peer[-SHORT_ID:]}: {one.reason}" for one in self.missing)
            text += f"; missing {', '.join(reasons)}"
        return text

    def set_of(self, row: int) -> tuple[str, ...]:
        """The classes of a row's prediction set; all of them while nothing is calibrated."""
        if self.sets is None:
            return self.classes
        return tuple(
            label for label, is_in in zip(self.classes, self.sets[row], strict=True) if is_in
        )

    def columns(self) -> dict[str, list[Any]]:
        """Columns of a table with one row for each row asked, by name."""
        table: dict[str, list[Any]] = {"prediction": self.values.tolist()}
        if self.lower is not None and self.upper is not None:
            table |= {"lower": self.lower.tolist(), "upper": self.upper.tolist()}
        if self.sets is not None:
            table["set"] = ["|".join(self.set_of(row)) for row in range(len(self))]
        table["spread"] = self.spread.tolist()
        if self.probabilities is not None:
            for place, label in enumerate(self.classes):
                table[f"p({label})"] = self.probabilities[:, place].tolist()
        for member in self.members:
            if member.values is not None:
                table |= self._own_columns(member)
        return table

    def to_frame(self) -> "pd.DataFrame":
        """A data frame with one row for each row asked."""
        import pandas  # noqa: PLC0415 - takes half a second; most callers do without

        return pandas.DataFrame(self.columns())

    def as_json(self) -> dict[str, Any]:
        """Everything, as plain JSON."""
        columns = self.columns()
        return {
            "rows": [
                dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
            ],
            "classes": list(self.classes),
            "coverage": self.coverage,
            "combination": self.rule,
            "members": [
                {
                    "peer": member.peer,
                    "version": member.version,
                    "learner": member.learner,
                    "fitted_at_s": member.fitted_at_s,
                    "num_rows": member.num_rows,
                    "weight": member.weight,
                    "answered_by": member.answered_by,
                }
                for member in self.members
            ],
            "missing": [{"peer": one.peer, "reason": one.reason} for one in self.missing],
            "notes": list(self.notes),
            "seconds": self.seconds,
        }

    def part(self, first: int, count: int, seconds: float) -> "Prediction":
        """The answer to some of the rows: one caller's part of a question of several."""
        rows = slice(first, first + count)

        def cut(array: Any) -> Any:
            return array[rows] if array is not None else None

        return replace(
            self,
            values=self.values[rows],
            spread=self.spread[rows],
            lower=cut(self.lower),
            upper=cut(self.upper),
            probabilities=cut(self.probabilities),
            sets=cut(self.sets),
            members=tuple(replace(member, values=cut(member.values)) for member in self.members),
            seconds=seconds,
        )

    def _own_columns(self, member: AnsweringMember) -> dict[str, list[Any]]:
        name = member.peer[-SHORT_ID:]
        values = member.values
        if values is None:
            return {}
        if values.ndim == 1:
            return {name: values.tolist()}
        return {
            f"{name} p({label})": values[:, place].tolist()
            for place, label in enumerate(self.classes)
        }


def join_parts(parts: Sequence[Prediction], seconds: float) -> Prediction:
    """Put the answers to successive rows together.

    A member that refitted between two questions is there once for each version that answered. A
    member's own values are kept only if it answered all rows.
    """
    if len(parts) == 1:
        return replace(parts[0], seconds=seconds)

    def join(name: str) -> Any:
        arrays = [getattr(part, name) for part in parts]
        return None if any(array is None for array in arrays) else np.concatenate(arrays)

    answered: dict[tuple[PeerId, Digest], list[AnsweringMember]] = {}
    for part in parts:
        for member in part.members:
            answered.setdefault((member.peer, member.version), []).append(member)
    missing = {one.peer: one for part in reversed(parts) for one in part.missing}
    return replace(
        parts[0],
        **{
            name: join(name)
            for name in ("values", "spread", "lower", "upper", "probabilities", "sets")
        },
        members=tuple(_join_member(members, len(parts)) for members in answered.values()),
        missing=tuple(missing[peer] for peer in sorted(missing)),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        seconds=seconds,
    )


def label_values(spec: EnsembleSpec, combined: Floats) -> NDArray[Any]:
    """The likeliest classes as text, shape (n,), "" without an answer; numbers stay."""
    if not spec.classes:
        return combined
    labels: NDArray[Any] = np.array(spec.classes, object)[combined.argmax(axis=1)]
    labels[np.isnan(combined).any(axis=1)] = ""
    return labels


def number_in_words(value: float) -> str:
    """A number as people read it: `181,000`, `0.0123`."""
    if not np.isfinite(value):
        return f"{value}"
    digits = 0 if abs(value) >= 1000 else 4
    return f"{value:,.0f}" if not digits else f"{value:.{digits}g}"


def _join_member(members: list[AnsweringMember], num_parts: int) -> AnsweringMember:
    values = [member.values for member in members if member.values is not None]
    whole = len(values) == num_parts
    weight = sum(member.weight for member in members) / len(members)
    return replace(members[0], weight=weight, values=np.concatenate(values) if whole else None)
