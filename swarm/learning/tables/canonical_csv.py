"""A sheet as CSV that every peer reads alike: UTF-8, commas, decimal points, empty if missing."""

import csv
import io
import math

from swarm.core.text import decode_text
from swarm.learning.tables.cells import iso_day
from swarm.learning.tables.csv_file import POINTS_ONLY
from swarm.learning.tables.sheet import Sheet, SheetColumn


def canonical_csv(sheet: Sheet) -> bytes:
    """Write a sheet."""
    out = io.StringIO(newline="")
    out.write(POINTS_ONLY)  # nothing is left to find out
    writer = csv.writer(out, lineterminator="\r\n")  # so that both are quoted in texts
    writer.writerow(sheet.names)
    writer.writerows(zip(*map(_cells, sheet.columns), strict=True))
    return out.getvalue().encode()


def is_unicode(data: bytes) -> bool:
    """Whether the bytes show their own encoding: UTF-8, or a byte order mark."""
    try:
        decode_text(data)
    except UnicodeDecodeError:
        return False
    return True


def _cells(column: SheetColumn) -> list[str]:
    if column.kind == "text":
        return ["" if text is None else text for text in column.values]
    shown = iso_day if column.kind == "date" else repr
    return ["" if math.isnan(value) else shown(value) for value in column.values.tolist()]
