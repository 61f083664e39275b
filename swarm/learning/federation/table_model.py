"""TableModel: an exported model that predicts from rows as people have them.

Beside `model.keras`, an export writes `model.columns.json`: how the session encoded its tables.
With it, a table of any kind goes in, and classes by name or numbers in the target's own unit come
out. The `.keras` file alone takes encoded rows, and predicts a standardised target.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.columns import Column, target_of
from swarm.core.errors import ConfigurationError, DataError
from swarm.core.session import SessionSpec
from swarm.core.text import decode_text
from swarm.learning.datasets.description import DataDescription
from swarm.learning.federation.evaluation import BATCH, padded_array
from swarm.learning.federation.session_model import SessionModel
from swarm.learning.tables.encoding import encode
from swarm.learning.tables.reading import read_sheet

FIELDS = ("task", "num_classes", "classes", "columns")


@dataclass(frozen=True, slots=True, eq=False)
class TablePredictions:
    """What a model predicts for n rows."""

    target: str
    """Name of the column that is predicted."""
    values: NDArray[Any]
    """Shape (n,): numbers in the unit of the target, or classes as text."""
    probabilities: NDArray[np.float64] | None
    """Shape (n, C), in the order of `classes`; None for a regression."""
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """How the table was read, where that might surprise, such as dates."""


def columns_path(model: Path) -> Path:
    """Where the columns of an exported model are."""
    return model.with_suffix(".columns.json")


def write_columns(spec: SessionSpec, model: Path) -> None:
    """Write how the session encodes tables beside an exported model; nothing for other data."""
    if not spec.columns:
        columns_path(model).unlink(missing_ok=True)  # of an earlier model of this name
        return
    plain = {name: getattr(spec, name) for name in FIELDS}
    plain["columns"] = [dataclasses.asdict(column) for column in spec.columns]
    text = json.dumps(plain, indent=1, ensure_ascii=False) + "\n"
    columns_path(model).write_text(text, encoding="utf-8")


def read_columns(model: Path) -> DataDescription | None:
    """How the session of an exported model encoded tables; None if its data was no table.

    Raises:
        ConfigurationError: The file is damaged.
    """
    path = columns_path(model)
    if not path.exists():
        return None
    try:
        plain = json.loads(decode_text(path.read_bytes()))
        columns = tuple(
            Column(**{**one, "categories": tuple(one["categories"])}) for one in plain["columns"]
        )
        width = sum(column.width for column in columns)
        return DataDescription(
            (width,), plain["num_classes"], plain["task"], tuple(plain["classes"]), columns=columns
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{path} is damaged: {error}") from error


class TableModel:
    """A model and how its session encoded tables."""

    def __init__(self, path: str | Path, *, allow_code: bool = False) -> None:
        """Load an exported model.

        Args:
            path: The `.keras` file; its columns are beside it.
            allow_code: Whether code in the model may run here.

        Raises:
            ConfigurationError: There is no such model, or it has no columns.
        """
        path = Path(path)
        if path.suffix != ".keras" or not path.is_file():
            raise ConfigurationError(f"the model must be an existing .keras file, got {path}")
        session = read_columns(path)
        if session is None:
            raise ConfigurationError(
                f"{columns_path(path)} is missing: it is written beside a model that was trained "
                "on tables, and says how they are encoded"
            )
        self._session = session
        self._model = SessionModel(
            SessionSpec(model=str(path), **session.spec_fields), str(path), allow_code=allow_code
        )

    def predict(self, source: Any) -> TablePredictions:
        """Predict for each row of a table; the target's column may be there or not.

        Args:
            source: A path, a pandas DataFrame, or a dict of columns.

        Raises:
            DataError: The table breaks a rule, or lacks columns of the session.
        """
        sheet = read_sheet(source)
        target = target_of(self._session.columns)
        if target is None:
            raise DataError("the columns of the model name no target")
        x = encode(sheet, self._session.columns).astype(np.float32)
        rows = self._model.rows or BATCH
        full = padded_array(x, -(-len(x) // rows) * rows)
        predicted = self._model.keras.predict(full, batch_size=rows, verbose=0)
        outputs = np.asarray(predicted, np.float64)[: len(x)]
        if self._session.task == "regression":
            values = outputs[:, 0] * target.scale + target.mean
            return TablePredictions(target.name, values, None, (), sheet.notes)
        classes = self._session.classes or tuple(map(str, range(self._session.num_classes)))
        probabilities = self._model.objective.outputs.probabilities(outputs)
        labels = np.array(classes, object)[probabilities.argmax(axis=1)]
        return TablePredictions(target.name, labels, probabilities, classes, sheet.notes)
