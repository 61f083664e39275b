"""Where examples of federated sessions come from; needs neither Keras nor TensorFlow.

`resolve_dataset()` decides once, before peers start, which data set is used, and puts it on disk.
`load_dataset()` opens a data set. `describe()` gives shape and number of classes, for the
session's spec.

dataset       Dataset: labels in memory, pixels read when they are needed
cifar10       the official binary archive: from a folder, the cache, or its home page
cifar_binary  the binary file layout of CIFAR-10
synthetic10   generated; replaces cifar10 where that is unavailable, and says so
digits        8x8 grey digits that come with scikit-learn
npz           own: arrays from the peer's own .npz file
"""

from dataclasses import dataclass
from pathlib import Path

from swarm.core.errors import ConfigurationError, DataError
from swarm.learning.data_config import DataConfig
from swarm.learning.datasets import cifar10, cifar_binary, digits, npz, synthetic10
from swarm.learning.datasets.dataset import Dataset
from swarm.learning.progress import OnProgress

__all__ = [
    "DATASETS",
    "Dataset",
    "ResolvedDataset",
    "describe",
    "load_dataset",
    "resolve_dataset",
]

DATASETS = ("cifar10", "digits", "synthetic10", "own")


@dataclass(frozen=True, slots=True)
class ResolvedDataset:
    """The data set to train on. Peers that start with `name` have nothing left to decide."""

    name: str
    label: str
    """Its name wherever its numbers appear."""
    stand_in: bool
    """Whether it is generated data that replaces CIFAR-10."""
    reason: str = ""
    """Why it is not the data set that was asked for; empty if it is."""


def resolve_dataset(
    name: str, data_dir: str | None, cache_dir: str, progress: OnProgress
) -> ResolvedDataset:
    """Find, download or generate a built-in data set.

    Returns:
        The data set that was asked for, or `synthetic10` if that was cifar10 and is unavailable.

    Raises:
        ConfigurationError: There is no data set of that name.
        DataError: Files were found but are damaged.
    """
    _check_name(name)
    if name == "cifar10":
        try:
            cifar10.find_or_download(data_dir, cache_dir, progress)
        except cifar10.UnavailableError as error:
            synthetic10.find_or_generate(cache_dir, progress)
            return ResolvedDataset("synthetic10", synthetic10.LABEL, True, str(error))
    if name == "synthetic10":
        synthetic10.find_or_generate(cache_dir, progress)
        return ResolvedDataset(name, synthetic10.LABEL, True)
    return ResolvedDataset(name, name, False)


def load_dataset(config: DataConfig, progress: OnProgress) -> Dataset:
    """Open a data set; pixels stay on disk where possible.

    No data set is replaced by another one here. `resolve_dataset` decided before the session
    began, and all peers of a session must use the same data set.

    Raises:
        ConfigurationError: There is no data set of that name.
        DataError: It is unavailable, or its files are damaged or malformed.
    """
    if config.dataset == "own":
        if config.data_path is None:
            raise ConfigurationError("data set 'own' needs the path of an .npz file")
        return npz.load(Path(config.data_path))
    _check_name(config.dataset)
    if config.dataset == "cifar10":
        folder = cifar10.find_or_download(config.data_dir, config.cache_dir, progress)
        return cifar_binary.read(folder, "cifar10", stand_in=False)
    if config.dataset == "synthetic10":
        return synthetic10.load(config.cache_dir, progress)
    return digits.load()


def describe(name_or_npz_path: str) -> tuple[tuple[int, ...], int]:
    """Shape of one example, and number of classes: of a built-in data set or an `.npz` file.

    Raises:
        ConfigurationError: The argument is neither a name nor the path of an `.npz` file.
        DataError: The file is malformed.

    Example:
        >>> describe("digits")
        ((8, 8, 1), 10)
    """
    if name_or_npz_path.endswith(".npz"):
        return npz.describe(Path(name_or_npz_path))
    _check_name(name_or_npz_path)
    if name_or_npz_path == "own":
        raise DataError("the shape of 'own' data is known only from its .npz file")
    return ((8, 8, 1), 10) if name_or_npz_path == "digits" else ((32, 32, 3), 10)


def _check_name(name: str) -> None:
    if name not in DATASETS:
        raise ConfigurationError(f"data set must be one of {', '.join(DATASETS)}, got {name!r}")
