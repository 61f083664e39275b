"""Rows and answers as bytes: what travels inside questions and answers, validated in full.

Rows of a table, little-endian: `SWT1`, the number of rows (u32), then each column in the spec's
order without the target. A number or date is one float64 a row, NaN where it is missing. A
category is the number of its texts (u32), each text as length (u32) and UTF-8, then one place
(i32) a row, -1 where it is missing.
Rows of arrays: `SWA1`, the number of rows, then float32 numbers. Answers: `SWP1`, rows, outputs,
then float64 numbers. numpy and pandas only: askers use it.
"""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from swarm.core.columns import CATEGORY
from swarm.core.errors import DataError
from swarm.ensemble.messages import ROWS_MAX
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble.row_tables import (
    CodedTable,
    CodedTexts,
    Rows,
    as_examples,
    as_frame,
    features_of,
    frame_of,
)
from swarm.learning.tables.cells import NUMBER_MAX

TEXT_BYTES_MAX = 4096
"""Most bytes of one text of a category."""
BYTES_MAX = 1 << 30
"""Most bytes of all rows of one payload."""
_TABLE, _ARRAY, _ANSWERS = b"SWT1", b"SWA1", b"SWP1"
_COUNT = struct.Struct("<I")


def encode_rows(rows: Any, spec: EnsembleSpec) -> bytes:
    """Encode rows to predict for.

    Args:
        rows: A sheet, a DataFrame or a dict of arrays by column name, if the spec has columns;
            else an array of shape (n, *input_shape). Columns that the spec does not name are
            ignored.
        spec: The ensemble.

    Raises:
        DataError: Rows do not fit the spec; the message names columns and what to do.
    """
    if not spec.columns:
        return _encode_array(as_examples(rows, spec))
    return encode_decoded(as_frame(rows, spec), spec)


def encode_decoded(rows: Rows, spec: EnsembleSpec) -> bytes:
    """Encode rows that are of a member's form already, and are not read again."""
    if not isinstance(rows, pd.DataFrame):
        return _encode_array(rows)
    return encode_cells([rows[column.name].to_numpy() for column in features_of(spec)], spec)


def decode_rows(data: bytes, spec: EnsembleSpec) -> Rows:
    """Decode and check rows; see `encode_rows`.

    Returns:
        See `Rows`.

    Raises:
        DataError: Anything is wrong with the bytes.
    """
    decoded = decode_coded(data, spec)
    if not isinstance(decoded, CodedTable):
        return decoded
    cells = decoded.cells()
    return frame_of({column.name: cells[column.name] for column in features_of(spec)})


def decode_coded(data: bytes, spec: EnsembleSpec) -> CodedTable | NDArray[np.float32]:
    """Decode and check rows without pandas, which takes milliseconds for many columns.

    Raises:
        DataError: Anything is wrong with the bytes.
    """
    reader = _Reader(data)
    if not spec.columns:
        return _decode_array(reader, spec)
    num_rows = reader.start(_TABLE)
    numbers: dict[str, NDArray[np.float64]] = {}
    texts: dict[str, CodedTexts] = {}
    for column in features_of(spec):
        if column.kind == CATEGORY:
            texts[column.name] = _decode_texts(reader, num_rows, column.name)
        else:
            numbers[column.name] = reader.numbers(num_rows, "<f8")
    reader.finish()
    table = CodedTable.of(numbers, texts, num_rows)
    wrong = np.abs(table.numbers) > NUMBER_MAX  # NaN is not
    if wrong.any():
        row, place = np.argwhere(wrong)[0]
        raise DataError(
            f"column {table.number_names[place]!r} must be within {NUMBER_MAX:g} of 0, got "
            f"{table.numbers[row, place]}"
        )
    return table


def encode_answers(answers: NDArray[np.float64]) -> bytes:
    """Encode answers of shape (n, outputs)."""
    num_rows, num_outputs = answers.shape
    header = _ANSWERS + _COUNT.pack(num_rows) + _COUNT.pack(num_outputs)
    return header + np.ascontiguousarray(answers, "<f8").tobytes()


def decode_answers(data: bytes, num_rows: int, num_outputs: int) -> NDArray[np.float64]:
    """Decode answers; numbers may be NaN or infinite, which is for the asker to judge.

    Returns:
        Shape (num_rows, num_outputs), float64.

    Raises:
        DataError: The bytes are no answers of this shape.
    """
    reader = _Reader(data)
    found_rows = reader.start(_ANSWERS)
    found_outputs = reader.count()
    if (found_rows, found_outputs) != (num_rows, num_outputs):
        raise DataError(
            f"answers must have shape ({num_rows}, {num_outputs}), "
            f"got ({found_rows}, {found_outputs})"
        )
    values = reader.numbers(num_rows * num_outputs, "<f8")
    reader.finish()
    return values.astype(np.float64).reshape(num_rows, num_outputs)


def encode_cells(cells: Sequence[NDArray[Any]], spec: EnsembleSpec) -> bytes:
    """Encode the cells of a table, which are checked already; one row is quick.

    Args:
        cells: One array of shape (n,) for each column without the target, in the spec's order:
            float64, or objects (str or None) for a category.
        spec: The ensemble.
    """
    parts = [_TABLE, _COUNT.pack(_checked_rows(len(cells[0])))]
    for column, values in zip(features_of(spec), cells, strict=True):
        if column.kind != CATEGORY:
            parts.append(np.ascontiguousarray(values, "<f8").tobytes())
            continue
        texts: dict[Any, int] = {}
        places = [
            texts.setdefault(cell, len(texts)) if isinstance(cell, str) else -1 for cell in values
        ]
        parts.append(_COUNT.pack(len(texts)))
        for text in texts:
            encoded = _cut(text)
            parts += [_COUNT.pack(len(encoded)), encoded]
        parts.append(np.array(places, "<i4").tobytes())
    return b"".join(parts)


def _cut(text: str) -> bytes:
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= TEXT_BYTES_MAX:
        return encoded
    return encoded[:TEXT_BYTES_MAX].decode("utf-8", "ignore").encode()


def _encode_array(array: NDArray[np.float32]) -> bytes:
    header = _ARRAY + _COUNT.pack(_checked_rows(len(array)))
    return header + array.astype("<f4", copy=False).tobytes()


def _checked_rows(num_rows: int) -> int:
    if not 1 <= num_rows <= ROWS_MAX:
        raise DataError(f"a question must have 1 to {ROWS_MAX:,} rows, got {num_rows:,}")
    return num_rows


def _decode_array(reader: "_Reader", spec: EnsembleSpec) -> NDArray[np.float32]:
    num_rows = reader.start(_ARRAY)
    size = int(np.prod(spec.input_shape, dtype=object))
    array = reader.numbers(num_rows * size, "<f4").astype(np.float32)
    reader.finish()
    if not np.isfinite(array).all():
        raise DataError("rows must be finite numbers")
    return array.reshape(num_rows, *spec.input_shape)


def _decode_texts(reader: "_Reader", num_rows: int, name: str) -> CodedTexts:
    num_texts = reader.count()
    if num_texts > num_rows:
        raise DataError(f"column {name!r} has {num_texts} texts for {num_rows} rows")
    known = tuple(reader.text(name) for _ in range(num_texts))
    places = reader.numbers(num_rows, "<i4")
    if places.min() < -1 or places.max() >= num_texts:
        raise DataError(f"column {name!r} names texts that are not there")
    return CodedTexts(known, places)


class _Reader:
    """Reads bytes from their beginning; anything that is not there is an error."""

    def __init__(self, data: bytes) -> None:
        if len(data) > BYTES_MAX:
            raise DataError(f"rows must have at most {BYTES_MAX} bytes, got {len(data)}")
        self._data = memoryview(data)
        self._place = 0

    def start(self, magic: bytes) -> int:
        """Read the kind, which must be `magic`, and the number of rows."""
        if bytes(self._take(len(magic))) != magic:
            raise DataError(f"bytes must begin with {magic.decode()}")
        num_rows = self.count()
        if not 1 <= num_rows <= ROWS_MAX:
            raise DataError(f"the number of rows must be in [1, {ROWS_MAX}], got {num_rows}")
        return num_rows

    def count(self) -> int:
        """Read an unsigned number."""
        return int(_COUNT.unpack(self._take(_COUNT.size))[0])

    def text(self, name: str) -> str:
        """Read one text of a column."""
        size = self.count()
        if size > TEXT_BYTES_MAX:
            raise DataError(f"a text of column {name!r} has {size} bytes, above {TEXT_BYTES_MAX}")
        try:
            return str(self._take(size), "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"a text of column {name!r} is not UTF-8") from error

    def numbers(self, count: int, dtype: str) -> NDArray[Any]:
        """Read numbers; the array is a view of the bytes."""
        return np.frombuffer(self._take(count * np.dtype(dtype).itemsize), dtype)

    def finish(self) -> None:
        """Check that nothing is left."""
        if self._place != len(self._data):
            raise DataError(f"{len(self._data) - self._place} bytes too many")

    def _take(self, size: int) -> memoryview:
        end = self._place + size
        if end > len(self._data):
            raise DataError(f"{end - len(self._data)} bytes are missing")
        part = self._data[self._place : end]
        self._place = end
        return part
