"""Table: examples in memory, from a named data set or a file."""

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import ConfigurationError, DataError
from swarm.learning.data_config import DataConfig
from swarm.learning.datasets import load_dataset, npz
from swarm.learning.datasets.dataset import Dataset
from swarm.learning.tables import csv_table
from swarm.learning.tables.table_source import Kind, TableSource

_TOYS = {
    "iris": "classification",
    "wine": "classification",
    "digits": "classification",
    "breast_cancer": "classification",
    "diabetes": "regression",
}
"""Data sets that come with scikit-learn."""
_IMAGES = ("cifar10", "synthetic10")
DATA_NAMES = (*_TOYS, *_IMAGES)

DIGITS_MAX = np.float32(16)
UINT8_MAX = np.float32(255)
FLOAT32_MAX = float(np.finfo(np.float32).max)
_BLOB_NAME = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Examples and their targets, in memory."""

    label: str
    """Its name wherever its numbers appear."""
    kind: Kind
    x: NDArray[Any]
    """Shape (n, *shape of one example). float32; or uint8, which means 0..1 in 256 steps; or
    float64 from files, where float32 might make different numbers equal."""
    y: NDArray[Any]
    """Shape (n,): class numbers as int64, or float64."""
    classes: tuple[str, ...]
    """Names of the classes; empty for a regression."""
    columns: tuple[str, ...] = ()
    """Names of the features, where they have any."""

    def examples(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """The inputs at `indices`, as float32, or as float64 if `x` is float64."""
        x = self.x[indices]
        if x.dtype == np.float64:
            return x
        return np.asarray(x / UINT8_MAX if x.dtype == np.uint8 else x, np.float32)

    def sample(self, num_examples: int | None, seed: int) -> "Table":
        """A table of at most `num_examples`, with the same shares of classes; None means all."""
        if num_examples is None or num_examples >= len(self.y):
            return self
        # Sorted by class and in random order within each; equal steps then give equal shares.
        tie_breaks = np.random.default_rng(seed % 2**64).random(len(self.y))
        order = np.lexsort((tie_breaks, self.y))
        places = np.linspace(0, len(order) - 1, num_examples).round().astype(np.int64)
        return self.only(np.sort(order[places]))

    @property
    def beyond_float32(self) -> str:
        """A value beyond the range of float32, as in "column 'a' has 1e+39"; empty if none."""
        if self.x.dtype != np.float64 or np.abs(self.x).max() <= FLOAT32_MAX:
            return ""
        place = tuple(np.argwhere(np.abs(self.x) > FLOAT32_MAX)[0])
        column = repr(self.columns[place[1]]) if self.columns else place[1] + 1
        return f"column {column} has {self.x[place]:g}"

    def only(self, indices: NDArray[np.int64]) -> "Table":
        """The table of the examples at `indices`."""
        return replace(self, x=self.x[indices], y=self.y[indices])


def called_data(data: TableSource) -> str:
    """The name of the data in error messages; the path of a blob would mean nothing to a user."""
    is_blob = data.file_format and _BLOB_NAME.fullmatch(Path(data.name).name)
    return "the study's data" if is_blob else data.name


def check_source(data: TableSource) -> None:
    """Check that the source is a known name or a file, and fits the kind of problem.

    Raises:
        ConfigurationError: The name, the target or the kind is wrong.
    """
    if not data.file_format and data.name not in DATA_NAMES:
        raise ConfigurationError(
            f"data must be one of {', '.join(DATA_NAMES)}, or a CSV or .npz file, "
            f"got {data.name!r}"
        )
    if data.target is not None and data.file_format != "csv":
        raise ConfigurationError(
            f"a target column is for CSV files, data is {called_data(data)!r}"
        )
    kind = _TOYS.get(data.name, "classification")
    if data.kind != kind and data.file_format != "csv":
        what = "an .npz file" if data.file_format else f"data {data.name!r}"
        raise ConfigurationError(f"{what} is for {kind}, the objective for {data.kind}")


def load_table(data: TableSource) -> Table:
    """Read the examples of a source; no data set is replaced by another one.

    Raises:
        ConfigurationError: See `check_source`.
        DataError: The data is unavailable, or a file is malformed; the message names the place.
    """
    check_source(data)
    if data.file_format == "csv":
        return _from_csv(data)
    if data.file_format == "npz":
        return _from_npz(data)
    if data.name in _IMAGES:
        config = DataConfig(data.name, data_dir=data.data_dir, cache_dir=data.cache_dir)
        return _from_dataset(load_dataset(config, lambda progress: None))
    return _from_scikit(data.name)


def _from_scikit(name: str) -> Table:
    loader: Callable[[], Any] = getattr(
        importlib.import_module("sklearn.datasets"), f"load_{name}"
    )
    bunch = loader()
    x = bunch.data.astype(np.float32)
    if name == "digits":
        x = x.reshape(-1, 8, 8, 1) / DIGITS_MAX
    if _TOYS[name] == "regression":
        return Table(name, "regression", x, bunch.target.astype(np.float64), ())
    classes = tuple(str(label) for label in bunch.target_names)
    return Table(name, "classification", x, bunch.target.astype(np.int64), classes)


def _from_dataset(dataset: Dataset) -> Table:
    """Use the training split only: scores on examples used for tuning would be too good."""
    split = dataset.train
    x = np.asarray(split.x.take(np.arange(len(split.y))))
    return _classification(dataset.label, x, split.y)


def _from_npz(data: TableSource) -> Table:
    """Use all of x_train and y_train; x_test and y_test, if given, are for a final test only."""
    called = called_data(data)
    x, y = npz.load_training(Path(data.name), called)
    if x.dtype == np.float64 and (most := np.abs(x).max()) > csv_table.FEATURE_MAX:
        raise DataError(
            f"{called}: x_train must be within {csv_table.FEATURE_MAX:g} of 0, got {most:g}"
        )
    table = _classification(called, x, y)
    if len(table.classes) < 2:
        raise DataError(f"{called}: y_train must have at least 2 classes, got 1")
    return table


def _classification(label: str, x: NDArray[Any], labels: NDArray[np.int64]) -> Table:
    # A class that occurs only in the test split would be too rare for any fold.
    present = np.unique(labels)
    y = np.searchsorted(present, labels).astype(np.int64)
    return Table(label, "classification", x, y, tuple(map(str, present)))


def _from_csv(data: TableSource) -> Table:
    called = called_data(data)
    features, target = csv_table.read(Path(data.name), data.target, called)
    x, columns = features.values, features.names
    if data.kind == "regression":
        return Table(called, "regression", x, csv_table.numbers(target, called), (), columns)
    names, y = np.unique(np.array(target.values), return_inverse=True)
    if len(names) < 2:
        raise DataError(f"{called}: column {target.name!r} must have at least 2 classes, got 1")
    classes = tuple(map(str, names))
    return Table(called, "classification", x, y.astype(np.int64), classes, columns)
