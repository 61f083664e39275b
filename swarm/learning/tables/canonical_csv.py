"""A sheet as CSV that every peer reads alike: UTF-8, commas, decimal points, empty if missing."""

import csv
import io

from swarm.core.text import decode_text
from swarm.learning.tables.csv_file import POINTS_ONLY
from swarm.learning.tables.sheet import Sheet, SheetColumn


def canonical_csv(sheet: Sheet) -> bytes:
    """Write a sheet; dates become days since 1970-01-01."""
    out = io.StringIO(newline="")
    out.write(POINTS_ONLY)  # nothing is left to find out
    writer = csv.writer(out, lineterminator="\r\n")  # so that both are quoted in texts
    writer.writerow(sheet.names)
    writer.writerows(zip(*map(_cells, sheet.columns), strict=True))
    return out.getvalue().encode()


def is_unicode(data: bytes) -> bool:
    """Whether text says by itself how it is encoded, so that nobody has to guess."""
    try:
        decode_text(data)
    except UnicodeDecodeError:
        return False
    return True


def _cells(column: SheetColumn) -> list[str]:
    if column.kind == "text":
        return ["" if text is None else text for text in column.values]
    missing = column.missing.tolist()
    values = column.values.tolist()
    return ["" if gap else repr(value) for gap, value in zip(missing, values, strict=True)]
