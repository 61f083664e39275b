"""Limits of tables, checked before memory is used up."""

from swarm.core.errors import DataError

BYTES_MAX = 1 << 30
UNPACKED_BYTES_MAX = 4 << 30
COLUMNS_MAX = 10_000
CELLS_MAX = 50_000_000
"""Rows x columns; a cell of text takes some 60 bytes of memory while it is read."""


def check_bytes(size_bytes: int, label: str) -> None:
    """Check the size of a file.

    Raises:
        DataError: It is too large.
    """
    if size_bytes > BYTES_MAX:
        raise DataError(
            f"{label} has {size_bytes >> 20:,} MiB, a table must have at most "
            f"{BYTES_MAX >> 20:,} MiB: use a part of its rows, or arrays in an .npz file"
        )


def check_unpacked(size_bytes: int, label: str) -> None:
    """Check the size of a packed file's content.

    Raises:
        DataError: It is too large.
    """
    if size_bytes > UNPACKED_BYTES_MAX:
        raise DataError(
            f"{label} unpacks to {size_bytes >> 20:,} MiB, a table must have at most "
            f"{UNPACKED_BYTES_MAX >> 20:,} MiB: save it as .csv or .parquet"
        )


def check_cells(num_rows: int, num_columns: int, label: str) -> None:
    """Check the numbers of rows and columns.

    Raises:
        DataError: There are too many.
    """
    if num_columns > COLUMNS_MAX:
        raise DataError(
            f"{label} has {num_columns:,} columns, a table must have at most {COLUMNS_MAX:,}"
        )
    if num_rows * num_columns > CELLS_MAX:
        raise DataError(
            f"{label} has more than {CELLS_MAX:,} values in {num_columns:,} columns: use a part "
            "of its rows, or arrays in an .npz file"
        )
