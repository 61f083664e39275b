"""Data for trials, by name or from a file; read once and kept by the process that runs trials."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import ConfigurationError, DataError
from swarm.learning.datasets import load_dataset, npz
from swarm.learning.datasets.dataset import Dataset
from swarm.learning.jobs import DataConfig
from swarm.learning.trials import csv_table
from swarm.learning.trials.records import Kind, TrialData

_TOYS = {
    "iris": "classification",
    "wine": "classification",
    "digits": "classification",
    "breast_cancer": "classification",
    "diabetes": "regression",
}
"""What comes with scikit-learn."""
_IMAGES = ("cifar10", "synthetic10")
DATA_NAMES = (*_TOYS, *_IMAGES)

DIGITS_MAX = np.float32(16)
UINT8_MAX = np.float32(255)


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Examples and what is to be predicted of them, in memory."""

    label: str
    """What to call it wherever its numbers appear."""
    kind: Kind
    x: NDArray[Any]
    """Shape (n, *shape of one example); float32, or uint8 that stands for 0..1 in 256 steps."""
    y: NDArray[Any]
    """Shape (n,): class numbers as int64, or float64."""
    classes: tuple[str, ...]
    """Names of the classes; empty for a regression."""

    def examples(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """The inputs of the examples at `indices`, as float32."""
        x = self.x[indices]
        return np.asarray(x / UINT8_MAX if x.dtype == np.uint8 else x, np.float32)

    def only(self, indices: NDArray[np.int64]) -> "Table":
        """The table of the examples at `indices`."""
        return replace(self, x=self.x[indices], y=self.y[indices])


def check_data(data: TrialData) -> None:
    """Require a known name, or a file, and a kind of problem that fits it.

    Raises:
        ConfigurationError: The name or kind is wrong.
    """
    if not data.file_format and data.name not in DATA_NAMES:
        raise ConfigurationError(
            f"data must be one of {', '.join(DATA_NAMES)}, or a CSV or .npz file, "
            f"got {data.name!r}"
        )
    if data.target is not None and data.file_format != "csv":
        raise ConfigurationError(f"a target column is for CSV files, data is {data.name!r}")
    kind = _TOYS.get(data.name, "classification")
    if data.kind != kind and data.file_format != "csv":
        raise ConfigurationError(f"data {data.name!r} is for {kind}, the trial's is {data.kind}")


def load_table(data: TrialData) -> Table:
    """Read the examples a trial names; nothing stands in for anything.

    Raises:
        ConfigurationError: There is no such data.
        DataError: It cannot be had, or a file is malformed; the message names the place.
    """
    check_data(data)
    if data.file_format == "csv":
        return _from_csv(data)
    if data.file_format == "npz":
        return _from_dataset(npz.load(Path(data.name)))
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
    """The training split: what is tuned on test examples says nothing about others."""
    split = dataset.train
    x = split.x.take(np.arange(len(split.y)))
    # A class that only the test split has would be too rare for any fold.
    present = np.unique(split.y)
    y = np.searchsorted(present, split.y).astype(np.int64)
    return Table(dataset.label, "classification", x, y, tuple(map(str, present)))


def _from_csv(data: TrialData) -> Table:
    path = Path(data.name)
    x, target = csv_table.read(path, data.target)
    if data.kind == "regression":
        return Table(path.name, "regression", x, csv_table.numbers(path, target), ())
    names, y = np.unique(np.array(target.values), return_inverse=True)
    if len(names) < 2:
        raise DataError(f"{path}: column {target.name!r} must have at least 2 classes, got 1")
    return Table(path.name, "classification", x, y.astype(np.int64), tuple(map(str, names)))
