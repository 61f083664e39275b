"""pack(): one `.npz` file from anything that can be read."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import DataError
from swarm.learning.data_config import DataConfig
from swarm.learning.datasets import npz, own
from swarm.learning.datasets.batches import is_batches, read_batches
from swarm.learning.datasets.dataset import Inputs
from swarm.learning.datasets.examples import check_numbers, is_text, named
from swarm.learning.datasets.finite import check_finite
from swarm.learning.datasets.raw import RawData, RawSplit
from swarm.learning.progress import OnProgress, Progress
from swarm.learning.tables.reading import is_table_file

CALLED = "the data"
NUMBERS = (int, float, np.number, np.bool_)


def _ignore(progress: Progress) -> None:
    """The default, for callers without a display."""


def pack(  # noqa: PLR0913 - one keyword for each thing that may be given
    data: Any,
    path: str | Path,
    y: Any = None,
    *,
    x_test: Any = None,
    y_test: Any = None,
    progress: OnProgress = _ignore,
    say: Callable[[str], None] = print,
) -> Path:
    """Write examples and targets as an `.npz` file, which every peer reads.

    Args:
        data: A file or folder; arrays, or a dict of arrays for several inputs; a
            `tf.data.Dataset` or a PyTorch `DataLoader`.
        path: The file to write.
        y: Targets, if `data` has none.
        x_test: Examples to measure a model on, of any kind that `data` may be.
        y_test: Their targets.
        progress: Called while data sets are read.
        say: Called with what a user should know, such as files that are left out.

    Raises:
        DataError: The data cannot be read, an array breaks a rule, or the file cannot be
            written.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> pack(np.eye(4), folder / "mine.npz", ["a", "b", "a", "b"]).name
        'mine.npz'
    """
    target = Path(path)
    raw = _raw(data, y, x_test, y_test, progress)
    for note in raw.notes:
        say(note)
    arrays = _arrays(raw)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        npz.write(target, arrays)
    except OSError as error:
        raise DataError(f"cannot write {target}: {error.strerror or error}") from error
    return target


def _raw(data: Any, y: Any, x_test: Any, y_test: Any, progress: OnProgress) -> RawData:
    if isinstance(data, str | Path):
        if is_table_file(Path(data)):
            raise DataError(
                f"{data} is a table, which every peer reads as it is: give it to --data; an .npz "
                "file would lose what its columns are"
            )
        return own.read(DataConfig("own", data_path=str(data)), progress)
    train = _split("train", data, y, progress)
    test = _split("test", x_test, y_test, progress) if x_test is not None else None
    if test is None and y_test is not None:
        raise DataError("y_test needs x_test")
    return RawData(CALLED, train, test)


def _split(name: str, x: Any, y: Any, progress: OnProgress) -> RawSplit:
    if is_batches(x):
        kind = "the tf.data.Dataset" if hasattr(x, "element_spec") else "the DataLoader"
        if y is not None:
            raise DataError(f"{kind} gives its targets itself: leave out y_{name}")
        return read_batches(x, kind, progress)
    if y is None:
        raise DataError(f"x and y must be given together: y_{name} is missing")
    targets = _array(f"y_{name}", y)
    inputs: Inputs
    if isinstance(x, Mapping):
        inputs = {str(key): _array(f"x_{name}[{key!r}]", value) for key, value in x.items()}
    else:
        inputs = _array(f"x_{name}", x)
    for input_name, array in named(inputs).items():
        whole = f"x_{name}" + (f"[{input_name!r}]" if input_name else "")
        if array.shape[:1] != targets.shape[:1]:
            raise DataError(
                f"{whole} has {len(array)} examples but y_{name} has {len(targets)}"
                if array.ndim and targets.ndim
                else f"{whole} and y_{name} must have an axis of examples"
            )
        if not is_text(array):
            check_numbers(CALLED, whole, array)
            check_finite(CALLED, whole, array)
    return RawSplit(inputs, targets)


def _array(name: str, value: Any) -> NDArray[Any]:
    """Anything like an array, as an array of numbers or texts."""
    if isinstance(value, list | tuple) and value and all(isinstance(cell, str) for cell in value):
        return np.array(value, object)  # else each text takes the bytes of the longest
    try:
        array = np.asarray(value)
    except ValueError as error:  # numpy's sentence is about its own insides
        raise DataError(f"{name} must hold rows of one length: pad shorter ones") from error
    if array.dtype != object:
        return array
    if array.size and all(isinstance(cell, NUMBERS) for cell in array.ravel()):
        return np.array(array.tolist())
    for place, cell in enumerate(array.ravel()):
        if not isinstance(cell, str):
            raise DataError(
                f"{name} must hold numbers or texts; value {place} is {cell!r:.40} "
                f"({type(cell).__name__})"
            )
    return array


def _arrays(raw: RawData) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    for split, part in raw.splits.items():
        if isinstance(part.x, dict):
            arrays |= {f"x_{split}_{name}": array for name, array in part.x.items()}
        else:
            arrays[f"x_{split}"] = part.x
        arrays[f"y_{split}"] = own.labels(raw, part)
    return arrays
