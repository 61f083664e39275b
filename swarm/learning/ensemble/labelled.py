"""LabelledRows: a member's own rows with their targets, and the file that holds them.

New rows come last, so a model that was fitted on n rows was fitted on the first n.
The file: `SWL1`, the size of the rows' payload (u64), the payload, then one float64 a row.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from swarm.core.columns import target_of
from swarm.core.errors import DataError, StorageError
from swarm.ensemble.messages import ROWS_MAX
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.datasets import npz
from swarm.learning.datasets.targets import texts
from swarm.learning.ensemble.answers import Floats, to_scale
from swarm.learning.ensemble.payloads import decode_rows, encode_decoded
from swarm.learning.ensemble.row_tables import Rows, as_examples, as_frame, frame_of
from swarm.learning.tables.limits import check_bytes
from swarm.learning.tables.reading import read_bytes, read_sheet
from swarm.learning.tables.sheet import Sheet
from swarm.learning.tables.target import DROP, labels_by, numbers_of, with_target

ADDED = "added.json"
"""Beside the rows: which files were added later; see `new_rows`."""
_MAGIC = b"SWL1"
_SIZE = struct.Struct("<Q")


@dataclass(frozen=True, slots=True, eq=False)
class LabelledRows:
    """n rows of a member, with targets."""

    x: Rows
    y: Floats
    """Shape (n,): targets on the scale of the spec's transform, or indices of its classes."""

    def __len__(self) -> int:
        return len(self.y)

    def only(self, places: NDArray[Any]) -> "LabelledRows":
        """The rows at these places."""
        return LabelledRows(rows_at(self.x, places), self.y[places])


def rows_at(x: Rows, places: NDArray[Any]) -> Rows:
    """Rows at these places: indices, or one boolean for each row."""
    return x.iloc[places] if isinstance(x, pd.DataFrame) else x[places]


def read_labelled(source: Any, spec: EnsembleSpec) -> LabelledRows:
    """Read rows with targets, by the spec.

    Rows without a target are left out. Columns that are not there count as missing in all rows.

    Args:
        source: A table (path, sheet, DataFrame or dict of arrays), or for arrays the path of an
            `.npz` file or a pair (x, y).
        spec: The ensemble.

    Raises:
        DataError: Rows do not fit the spec; the message says what to do.
    """
    if spec.columns:
        return _from_table(source, spec)
    x, y = source if isinstance(source, tuple) else _arrays(Path(source))
    return LabelledRows(as_examples(x, spec), _array_targets(np.asarray(y), spec))


def write_labelled(path: Path, rows: LabelledRows, spec: EnsembleSpec) -> None:
    """Write the file, whole.

    Raises:
        DataError: There are too many rows, or the file would be too large to be read again.
        StorageError: The disk refused it.
    """
    payload = encode_decoded(rows.x, spec)
    data = _MAGIC + _SIZE.pack(len(payload)) + payload + rows.y.astype("<f8").tobytes()
    check_bytes(len(data), f"a member's file of {len(rows):,} labelled rows")
    temporary = path.with_name(path.name + ".new")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error


def load_labelled(path: Path, spec: EnsembleSpec) -> LabelledRows:
    """Read a file of `write_labelled`.

    Raises:
        DataError: It is missing or damaged.
    """
    data = read_bytes(path, str(path))
    start = len(_MAGIC) + _SIZE.size
    if data[: len(_MAGIC)] != _MAGIC or len(data) < start:
        raise DataError(f"{path} is no file of labelled rows")
    end = start + _SIZE.unpack(data[len(_MAGIC) : start])[0]
    x = decode_rows(data[start:end], spec)
    if len(data) - end != 8 * len(x):
        raise DataError(f"{path} is damaged: it must have one target for each of {len(x)} rows")
    y = np.frombuffer(data[end:], "<f8").astype(np.float64)
    if not np.isfinite(y).all() or (
        spec.classes and not ((y >= 0) & (y < len(spec.classes)) & (y == np.floor(y))).all()
    ):
        raise DataError(f"{path} is damaged: a target is none of the spec's")
    return LabelledRows(x, y)


def append_labelled(path: Path, added: LabelledRows, spec: EnsembleSpec) -> None:
    """Append rows to a file, or make it.

    Raises:
        DataError: There would be too many rows.
        StorageError: The disk refused it.
    """
    if not path.exists():
        write_labelled(path, added, spec)
        return
    held = load_labelled(path, spec)
    if len(held) + len(added) > ROWS_MAX:
        raise DataError(
            f"a member holds at most {ROWS_MAX:,} rows: it has {len(held):,}, {len(added):,} more "
            "came"
        )
    y = np.concatenate([held.y, added.y])
    if isinstance(held.x, pd.DataFrame):
        frames: Any = [held.x, added.x]
        columns = {
            name: np.concatenate([frame[name].to_numpy() for frame in frames])
            for name in held.x.columns
        }
        x: Rows = frame_of(columns)
    else:
        x = np.concatenate([held.x, np.asarray(added.x)])
    write_labelled(path, LabelledRows(x, y), spec)


def _from_table(source: Any, spec: EnsembleSpec) -> LabelledRows:
    target = target_of(spec.columns)
    assert target is not None  # noqa: S101 - EnsembleSpec checks it
    sheet = source if isinstance(source, Sheet) else read_sheet(source)
    sheet, _ = with_target(sheet, sheet.column(target.name).name, DROP)
    if spec.classes:
        y = labels_by(sheet, target.name, spec.classes).astype(np.float64)
    else:
        y = _scaled(numbers_of(sheet, target.name), spec)
    return LabelledRows(as_frame(sheet, spec, may_lack=True), y)


def _arrays(path: Path) -> tuple[Any, Any]:
    raw = npz.read(path)
    return raw.train.x, raw.train.y


def _array_targets(y: NDArray[Any], spec: EnsembleSpec) -> Floats:
    y = y.reshape(len(y)) if y.ndim == 2 and y.shape[1] == 1 else y
    if y.ndim != 1 or y.dtype.kind not in "biufUSO":
        raise DataError(f"targets must have shape (n,), got {y.dtype} of shape {y.shape}")
    if not spec.classes:
        return _scaled(y.astype(np.float64), spec)
    places = {label: place for place, label in enumerate(spec.classes)}
    labels = [str(label) for label in texts(y)]
    unknown = sorted(set(labels) - set(places))
    if unknown:
        raise DataError(
            f"the ensemble does not know the class {unknown[0]!r:.60}; its classes are "
            f"{', '.join(spec.classes[:20])}"
        )
    return np.array([places[label] for label in labels], np.float64)


def _scaled(values: Floats, spec: EnsembleSpec) -> Floats:
    scaled = to_scale(spec, values)
    if not np.isfinite(scaled).all():
        row = int((~np.isfinite(scaled)).argmax())
        rule = "greater than -1, for log1p" if spec.transform == "log1p" else "a finite number"
        raise DataError(f"the target of row {row + 1} must be {rule}, got {values[row]}")
    return scaled
