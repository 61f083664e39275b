"""check_finite(): no infinity and no NaN; the message says how many there are, and where."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import DataError

FLOAT32_MAX = float(np.finfo(np.float32).max)


def check_finite(called: str, name: str, array: NDArray[Any], limit: float = FLOAT32_MAX) -> None:
    """Check numbers of any type and shape.

    Args:
        called: The data's name in the message.
        name: The array's name.
        array: Shape (n, ...).
        limit: The greatest distance from 0.

    Raises:
        DataError: A value is NaN, infinite or beyond the limit.
    """
    if array.dtype.kind != "f":
        return
    wrong = ~np.isfinite(array)
    if float(np.finfo(array.dtype).max) > limit:
        wrong |= np.abs(array) > limit
    if not wrong.any():
        return
    first = tuple(int(axis) for axis in np.argwhere(wrong)[0])
    value, count = array[first], int(wrong.sum())
    raise DataError(
        f"{called}: {name} must be finite and within {limit:.1e} of 0: {count} of {array.size} "
        f"values are not, the first is {value} in example {first[0]}"
    )
