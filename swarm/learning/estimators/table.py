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
from swarm.learning.estimators.table_source import Kind, TableSource
from swarm.learning.tables.cells import NUMBER_MAX
from swarm.learning.tables.csv_file import read_csv
from swarm.learning.tables.encoding import derive_columns, encode, feature_names
from swarm.learning.tables.reading import read_bytes
from swarm.learning.tables.sheet import Sheet
from swarm.learning.tables.target import (
    REFUSE,
    choose_target,
    labels_of,
    numbers_of,
    with_target,
)

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
    float64 from files, where float32 might make different numbers equal. NaN where a number is
    missing, see `fill`."""
    y: NDArray[Any]
    """Shape (n,): class numbers as int64, or float64."""
    classes: tuple[str, ...]
    """Names of the classes; empty for a regression."""
    columns: tuple[str, ...] = ()
    """Names of the features, where they have any."""

    def examples(
        self, indices: NDArray[np.int64], fill: NDArray[np.float64] | None = None
    ) -> NDArray[Any]:
        """The inputs at `indices`, as float32, or as float64 if `x` is float64.

        Args:
            indices: Places in the table.
            fill: What stands for missing numbers, see `fill`.
        """
        x = self.x[indices]
        if x.dtype == np.float64:
            return x if fill is None else np.where(np.isnan(x), fill, x)
        return np.asarray(x / UINT8_MAX if x.dtype == np.uint8 else x, np.float32)

    def fill(self, train: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """What stands for missing numbers: the mean of each feature over the training examples.

        Shape of one example; None if no number is missing. Other examples must not decide it:
        a score would then be too good.
        """
        if self.x.dtype != np.float64 or not np.isnan(self.x).any():
            return None
        x = self.x[train]
        present = ~np.isnan(x)
        sums: NDArray[np.float64] = np.where(present, x, 0.0).sum(axis=0)
        return np.asarray(sums / np.maximum(present.sum(axis=0), 1))

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
        if self.x.dtype != np.float64 or not (np.abs(self.x) > FLOAT32_MAX).any():
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
    if x.dtype == np.float64 and (most := np.abs(x).max()) > NUMBER_MAX:
        raise DataError(f"{called}: x_train must be within {NUMBER_MAX:g} of 0, got {most:g}")
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
    # Never by its ending or its first bytes: other peers send files that claim to be CSV.
    grid = read_csv(read_bytes(Path(data.name), called), called)
    return table_of(grid.sheet(), data.target, data.kind)


def table_of(sheet: Sheet, target: str | None, kind: Kind) -> Table:
    """Make examples from a sheet; no target may be missing.

    A table of numbers without gaps stays as it is. In others, each category and each gap becomes a
    feature, and NaN stands where a number is missing, see `Table.fill`.

    Args:
        sheet: The table.
        target: Name of the column to predict; None: see `choose_target`.
        kind: What is to be learnt.

    Raises:
        DataError: The target is unknown, missing or wrong, or there is nothing to predict from.
    """
    name, _ = choose_target(sheet, target)
    sheet, _ = with_target(sheet, name, REFUSE)
    features = sheet.without(name)
    if _is_mixed(features):
        columns = derive_columns(features).columns
        x, names = encode(features, columns, raw=True), feature_names(columns)
    else:
        x = np.stack([column.values for column in features.columns], axis=1)
        names = features.names
    if kind == "regression":
        return Table(sheet.label, kind, x, numbers_of(sheet, name), (), names)
    labels = labels_of(sheet, name, by_text=True)
    return Table(sheet.label, kind, x, labels.numbers, labels.names, names)


def unused_columns(features: Sheet) -> tuple[str, ...]:
    """A note for each column that `table_of` leaves out, and why."""
    return derive_columns(features).notes if _is_mixed(features) else ()


def _is_mixed(features: Sheet) -> bool:
    return any(column.kind == "text" or column.missing.any() for column in features.columns)
