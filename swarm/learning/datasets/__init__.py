"""Where examples come from; needs neither Keras nor TensorFlow.

resolve_dataset   decide once, before peers start, what is trained on, and have it on disk
load_dataset      open it
describe          its shape and classes, for who writes the session's spec

cifar10      the official binary archive: from a folder, the cache, or its home page
synthetic10  generated; stands in for cifar10 where that cannot be had, and says so
digits       8x8 grey digits that come with scikit-learn
own          arrays from the peer's own .npz file
"""

from dataclasses import dataclass
from pathlib import Path

from swarm.core.errors import ConfigurationError, DataError
from swarm.learning.data_config import DataConfig
from swarm.learning.datasets import cifar10, digits, npz, synthetic10
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
    """What will be trained on. Peers that start with `name` need no decision of their own."""

    name: str
    label: str
    """What to call it wherever its numbers appear."""
    stand_in: bool
    reason: str = ""
    """Why it is not what was asked for; empty if it is."""


def resolve_dataset(
    name: str, data_dir: str | None, cache_dir: str, progress: OnProgress
) -> ResolvedDataset:
    """Have a built-in data set on disk: found, downloaded or generated.

    Returns:
        The data set asked for, or `synthetic10` if that was cifar10 and cannot be had.

    Raises:
        ConfigurationError: There is no data set of that name.
        DataError: Files that were found are damaged.
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
    """Open a data set; pixels stay on disk where they can.

    Nothing stands in for anything here: what is trained on was decided, by `resolve_dataset`,
    before the session began, and two peers of a session must not differ in it.

    Raises:
        ConfigurationError: There is no data set of that name.
        DataError: It cannot be had, or its files are damaged or malformed.
    """
    if config.dataset == "own":
        if config.data_path is None:
            raise ConfigurationError("data set 'own' needs the path of an .npz file")
        return npz.load(Path(config.data_path))
    _check_name(config.dataset)
    if config.dataset == "cifar10":
        return cifar10.load(cifar10.find_or_download(config.data_dir, config.cache_dir, progress))
    if config.dataset == "synthetic10":
        return synthetic10.load(config.cache_dir, progress)
    return digits.load()


def describe(name_or_npz_path: str) -> tuple[tuple[int, ...], int]:
    """Shape of one example, and number of classes, of a built-in data set or an `.npz` file.

    Raises:
        ConfigurationError: Neither a name nor the path of an `.npz` file.
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
