"""read_sheet(): the project's one reader of tables, whatever they come in."""

import importlib
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from swarm.core.errors import DataError
from swarm.learning.tables.csv_file import read_csv
from swarm.learning.tables.limits import check_bytes, check_cells
from swarm.learning.tables.sheet import Sheet

TEXT_ENDINGS = (".csv", ".tsv", ".tab", ".txt")
ENDINGS = (*TEXT_ENDINGS, ".parquet", ".pq", ".xlsx", ".xlsm")
"""Endings of files that hold tables; an `.npz` file may hold one too."""
_OLD_EXCEL = (".xls", ".xlsb", ".ods", ".numbers")


def is_table_file(path: Path) -> bool:
    """Whether the file's ending is that of a table."""
    return path.suffix.lower() in (*ENDINGS, *_OLD_EXCEL)


def read_sheet(source: Any, label: str = "") -> Sheet:
    """Read a table.

    Args:
        source: A path; or a pandas DataFrame, or a dict of arrays of one length by column name.
        label: Its name in messages; the file's name if empty.

    Raises:
        DataError: It cannot be read or breaks a rule; the message names line and column.
    """
    if isinstance(source, str | Path):
        return _read_file(Path(source), label or Path(source).name)
    from swarm.learning.tables import frames  # noqa: PLC0415 - pandas takes half a second

    if isinstance(source, Mapping):
        return frames.from_arrays(source, label or "the table")
    return frames.from_frame(source, label or "the data frame")


def read_bytes(path: Path, label: str) -> bytes:
    """Read a whole file.

    Raises:
        DataError: It is missing, unreadable or too large.
    """
    try:
        check_bytes(path.stat().st_size, label)
        return path.read_bytes()
    except (OSError, ValueError) as error:  # a ValueError comes from an impossible path
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot read {label}: {reason}") from error


def _read_file(path: Path, label: str) -> Sheet:
    ending = path.suffix.lower()
    if ending in _OLD_EXCEL:
        raise DataError(f"{label} is of a kind that is not read: save it as .xlsx or .csv")
    data = read_bytes(path, label)
    if ending == ".npz":
        return _guarded(_read_npz, path, label)
    if ending in (".parquet", ".pq") or data[:4] == b"PAR1":
        return _guarded(_frames().read_parquet, path, label)
    if ending in (".xlsx", ".xlsm"):
        return _guarded(_frames().read_excel, path, label)
    return read_csv(data, label).sheet()


def _guarded(read: Callable[[Path, str], Sheet], path: Path, label: str) -> Sheet:
    try:
        return read(path, label)
    except DataError:
        raise
    except Exception as error:  # libraries raise anything for damaged files
        detail = str(error).strip().partition("\n")[0] or type(error).__name__
        raise DataError(f"cannot read {label}: it is damaged or no such file: {detail}") from error


def _frames() -> Any:
    return importlib.import_module("swarm.learning.tables.frames")


def _read_npz(path: Path, label: str) -> Sheet:
    with path.open("rb") as opened, np.lib.npyio.NpzFile(opened, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    if not zipfile.is_zipfile(path):
        raise DataError(f"{label} is no .npz file")
    lengths = {name: array.shape for name, array in arrays.items()}
    if any(len(shape) != 1 for shape in lengths.values()) or len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} {shape}" for name, shape in list(lengths.items())[:10])
        raise DataError(
            f"{label} must hold x_train and y_train, or one array of shape (n,) for each column "
            f"of a table, got {shown}"
        )
    check_cells(len(next(iter(arrays.values()), ())), len(arrays), label)
    return _frames().from_arrays(arrays, label)  # type: ignore[no-any-return]
