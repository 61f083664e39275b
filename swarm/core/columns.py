"""Column: how each site turns one column of its table into numbers, the same way everywhere."""

import math
from dataclasses import dataclass

NUMBER, DATE, CATEGORY, TARGET = "number", "date", "category", "target"
KINDS = (NUMBER, DATE, CATEGORY, TARGET)
CATEGORIES_MAX = 64
"""Most categories of a column that have a feature of their own; the others share one."""
CATEGORY_LENGTH_MAX = 128
NAME_LENGTH_MAX = 256
FEATURES_MAX = 16_384
COLUMNS_BYTES_MAX = 64 * 1024
"""Bytes of all names and categories together: the session travels in one message of 128 KiB."""
NUMBER_BYTES = 96
"""Bound on what a column takes in a message beside its name and categories."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column. The peer that starts the session derives it from its training rows.

    A number becomes (value - mean) / scale. A missing one becomes the mean, which is 0.
    A date is a number: days since 1970-01-01. A category becomes one feature for each of
    `categories` and one for all others; exactly one of them is 1.
    The target of a regression is a number; that of a classification has only a name.
    """

    name: str
    kind: str = NUMBER
    """One of `KINDS`."""
    categories: tuple[str, ...] = ()
    """Sorted; of a `category` only."""
    mean: float = 0.0
    scale: float = 1.0
    """Standard deviation; 1 where all values are equal."""
    has_missing: bool = False
    """Whether one more feature is 1 where the value is missing."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {self.kind!r:.40}")
        if not 1 <= len(self.name) <= NAME_LENGTH_MAX:
            raise ValueError(
                f"a column's name must have 1 to {NAME_LENGTH_MAX} characters, "
                f"got {self.name!r:.80}"
            )
        if not (math.isfinite(self.mean) and 0 < self.scale < math.inf):
            raise ValueError(
                f"column {self.name!r:.80}: mean must be finite and scale positive, "
                f"got {self.mean} and {self.scale}"
            )
        self._check_categories()

    @property
    def width(self) -> int:
        """Number of features; 0 for the target."""
        if self.kind == TARGET:
            return 0
        values = len(self.categories) + 1 if self.kind == CATEGORY else 1
        return values + self.has_missing

    def _check_categories(self) -> None:
        if self.categories and self.kind != CATEGORY:
            raise ValueError(f"column {self.name!r:.80} is a {self.kind}: it has no categories")
        if len(self.categories) > CATEGORIES_MAX:
            raise ValueError(
                f"column {self.name!r:.80} must have at most {CATEGORIES_MAX} categories, "
                f"got {len(self.categories)}"
            )
        if list(self.categories) != sorted(set(self.categories)):
            raise ValueError(f"categories of column {self.name!r:.80} must be sorted and differ")
        for category in self.categories:
            if len(category) > CATEGORY_LENGTH_MAX:
                raise ValueError(
                    f"a category must have at most {CATEGORY_LENGTH_MAX} characters, "
                    f"got {category!r:.80}"
                )


def check_columns(columns: tuple[Column, ...], input_shape: tuple[int, ...]) -> None:
    """Check a session's columns against each other and against the shape of an example.

    Raises:
        ValueError: They are too many or too large, two have one name, there is no single target,
            or they do not give the session's number of features.
    """
    if not columns:
        return
    names = [column.name for column in columns]
    if len(set(names)) < len(names):
        raise ValueError("names of columns must differ")
    if [column.kind for column in columns].count(TARGET) != 1:
        raise ValueError("exactly one of the columns must be the target")
    if (size_bytes := columns_bytes(columns)) > COLUMNS_BYTES_MAX:
        raise ValueError(
            f"names and categories of columns must have at most {COLUMNS_BYTES_MAX} bytes "
            f"together, got {size_bytes}"
        )
    width = sum(column.width for column in columns)
    if (width,) != input_shape:
        raise ValueError(f"columns give {width} features, input_shape is {input_shape}")


def columns_bytes(columns: tuple[Column, ...]) -> int:
    """Bound on the bytes that columns take in a message."""
    return sum(
        NUMBER_BYTES
        + len(column.name.encode(errors="replace"))
        + sum(len(category.encode(errors="replace")) + 3 for category in column.categories)
        for column in columns
    )


def target_of(columns: tuple[Column, ...]) -> Column | None:
    """The column that is predicted; None if the session's data is no table."""
    return next((column for column in columns if column.kind == TARGET), None)
