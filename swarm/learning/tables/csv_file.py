"""Reads a text file of values between delimiters; finds out encoding and delimiter itself.

The standard library's csv module splits the lines: it counts them, so that errors name the line,
and it reads a file in the same way on every machine of a study.
"""

import csv
import importlib
import io
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import DataError
from swarm.core.text import decode_text, marked_encoding
from swarm.learning.tables.grid import Grid
from swarm.learning.tables.limits import check_cells

DELIMITERS = {",": "','", ";": "';'", "\t": "tab", "|": "'|'"}
"""Characters between values, and how messages call them."""
SNIFFED_ROWS = 100
SNIFFED_CHARACTERS = 1 << 18
ENCODINGS = [
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257"),
    *("koi8_r", "mac_roman", "cp932", "gb18030"),
]
"""Encodings of files that are not Unicode; those of Windows first."""
_EAST_ASIAN = ("cp932", "gb18030")
WESTERN = "cp1252"
"""Preferred to others that fit as well: most such files come from Windows in western Europe."""
CHAOS_MAX = 0.5
"""Share of odd sequences of characters that an encoding may give; short names look odd."""
_POLISH_AS_WESTERN = re.compile(rb"[a-z][\xb3\xb9\xbf][a-z]")
POINTS_ONLY = "sep=,\n"
"""A first line that says: commas between values, so that none of them separates decimals."""
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class DecodedText:
    """The text of a file, and the encoding that it was in."""

    text: str
    encoding: str
    """For people; empty for UTF-8."""


def read_csv(data: bytes, label: str) -> Grid:
    """Split a file into cells.

    Args:
        data: The file's bytes.
        label: The file's name in messages.

    Raises:
        DataError: It is no text, is empty, or a line has more or fewer values than there are
            columns; the message names the line.
    """
    decoded = decode(data, label)
    text = decoded.text
    skipped = 0
    delimiter = None
    points_only = text.startswith(POINTS_ONLY)
    if first := _SEPARATOR_LINE.match(text):  # a line that Excel writes and reads
        delimiter, text, skipped = first[1], text[first.end() :], 1
    delimiter = delimiter or _delimiter(text)
    names, rows, lines = _split(text, delimiter, label, skipped)
    details = [f"{DELIMITERS.get(delimiter, repr(delimiter))} between values"]
    if decoded.encoding:
        details.append(decoded.encoding)
    columns = list(zip(*rows, strict=True)) if rows else [() for _ in names]
    return Grid(
        label,
        names,
        columns,
        lines,
        details=", ".join(details),
        commas_likely=None if points_only else delimiter == ";",
    )


def decode(data: bytes, label: str) -> DecodedText:
    """Decode text of any usual encoding: UTF-8, UTF-16, or a guess at an older one.

    Raises:
        DataError: It is empty or no text.
    """
    if not data.strip():
        raise DataError(f"{label} is empty")
    encoding = marked_encoding(data) or _utf16(data)
    try:
        text = data.decode(encoding) if encoding else decode_text(data)
        shown = "" if encoding in (None, "utf-8-sig") else str(encoding).upper()
    except UnicodeDecodeError:
        text, shown = _guess(data, label)
    if "\0" in text:
        raise DataError(f"{label} is no text: it holds zero bytes")
    return DecodedText(text, shown)


def _utf16(data: bytes) -> str | None:
    """UTF-16 without a mark: every other byte of Latin text is zero."""
    sample = data[:1024]
    zeros = [sample[0::2].count(0), sample[1::2].count(0)]
    if len(sample) < 4 or max(zeros) < len(sample) * 0.4:
        return None
    return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"


def _guess(data: bytes, label: str) -> tuple[str, str]:
    sample = data[:SNIFFED_CHARACTERS]
    from_bytes = importlib.import_module("charset_normalizer").from_bytes
    matches = list(from_bytes(sample, cp_isolation=ENCODINGS, threshold=CHAOS_MAX))
    # Any bytes are some Chinese or Japanese: that takes words of the language.
    matches.sort(
        key=lambda match: (
            match.encoding in _EAST_ASIAN and not match.percent_coherence,
            match.percent_chaos,
            WESTERN not in match.could_be_from_charset,
        )
    )
    names = [
        WESTERN if WESTERN in match.could_be_from_charset else str(match.encoding)
        for match in matches
    ]
    if "cp1250" in names and _POLISH_AS_WESTERN.search(sample):
        names.insert(0, "cp1250")
    for name in (*names, WESTERN):
        try:
            return data.decode(name), name
        except UnicodeDecodeError:
            continue
    raise DataError(f"cannot read {label}: it is neither UTF-8 nor text of another known encoding")


def _delimiter(text: str) -> str:
    """The delimiter by which all of the first lines have the same number of values."""
    sample = text[:SNIFFED_CHARACTERS]
    whole = len(sample) == len(text)
    best, best_score = ",", (False, 0.0, 0)
    for delimiter in DELIMITERS:
        widths = _widths(sample, delimiter, drop_last=not whole)
        if not widths or widths[0] < 2:
            continue
        same = sum(width == widths[0] for width in widths) / len(widths)
        score = (same == 1, same, widths[0])
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _widths(sample: str, delimiter: str, *, drop_last: bool) -> list[int]:
    widths = []
    try:
        for _, row in zip(range(SNIFFED_ROWS), _rows(sample, delimiter), strict=False):
            if any(cell.strip() for cell in row):
                widths.append(len(row))
    except csv.Error:  # a quote that the end of the sample leaves open, or damage found later
        pass
    return widths[:-1] if drop_last and len(widths) < SNIFFED_ROWS else widths


def _split(
    text: str, delimiter: str, label: str, skipped: int
) -> tuple[list[str], list[list[str]], NDArray[np.int64]]:
    reader = _rows(text, delimiter)
    rows: list[list[str]] = []
    lines: list[int] = []
    names: list[str] = []
    blank: int | None = None
    previous = 0
    try:
        for row in reader:
            line, previous = previous + 1 + skipped, reader.line_num
            cells = [cell.strip() for cell in row]
            if not any(cells) and len(cells) < 2:
                blank = blank or line
                continue
            if names and blank is not None:
                raise DataError(f"{label}, line {blank}: an empty line between examples")
            blank = None
            if not names:
                names = cells
                continue
            if len(cells) != len(names):
                raise DataError(
                    f"{label}, line {line}: {len(names)} values expected, got {len(cells)}"
                )
            rows.append(cells)
            lines.append(line)
            if len(rows) % 65_536 == 0:
                check_cells(len(rows), len(names), label)
    except csv.Error as error:
        line = previous + 1 + skipped
        raise DataError(f"cannot read {label} as CSV: line {line}: {error}") from error
    check_cells(len(rows), len(names), label)
    return names, rows, np.array(lines, np.int64)


def _rows(text: str, delimiter: str) -> Any:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
