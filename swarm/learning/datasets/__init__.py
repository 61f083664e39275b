"""Where examples of federated sessions come from; needs neither Keras nor TensorFlow.

`resolve_dataset()` decides once, before peers start, which data set is used, and puts it on disk.
`load_dataset()` opens a data set. `describe()` says what a session needs to know of it.

dataset       Dataset: labels in memory, pixels read when they are needed
description   DataDescription: what a session fixes about the data of all its peers
cifar10       the official binary archive: from a folder, the cache, or its home page
cifar_binary  the binary file layout of CIFAR-10
synthetic10   generated; replaces cifar10 where that is unavailable, and says so
digits        8x8 grey digits that come with scikit-learn
own           the peer's own data, read by the kind of file:
npz           arrays of an .npz file
table         tables of mixed columns, by the columns of the session
folders       one folder for each class, of pictures or texts
images        pictures of any size as arrays of one shape
hugging_face  Hugging Face data sets on disk
batches       a tf.data.Dataset or a PyTorch DataLoader, read once
pack          pack(): one .npz file from anything that can be read
raw           RawData: what a reader found
targets       which task targets make; labels of any type as class numbers
examples      images, tables, sequences, ids and texts as a session takes them
finite        check_finite(): no infinity and no NaN
"""

from collections.abc import Callable
from dataclasses import dataclass

from swarm.core.errors import ConfigurationError
from swarm.learning.data_config import DataConfig
from swarm.learning.datasets import cifar10, cifar_binary, digits, own, synthetic10
from swarm.learning.datasets.dataset import Dataset
from swarm.learning.datasets.description import DataDescription
from swarm.learning.progress import OnProgress

__all__ = [
    "DATASETS",
    "DataDescription",
    "Dataset",
    "ResolvedDataset",
    "check",
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


def load_dataset(
    config: DataConfig, progress: OnProgress, session: DataDescription | None = None
) -> Dataset:
    """Open a data set; pixels stay on disk where possible.

    No data set is replaced by another one here. `resolve_dataset` decided before the session
    began, and all peers of a session must use the same data set.

    Args:
        config: Which data set, and where it is.
        progress: Called with the progress of a download or of reading.
        session: What the session fixes; own data are read by it. None means no session.

    Raises:
        ConfigurationError: There is no data set of that name.
        DataError: It is unavailable, its files are damaged or malformed, or it does not fit the
            session.
    """
    dataset = _load(config, progress, session)
    if session is not None:
        dataset.description.check_fits(session, dataset.label)
    return dataset


def _load(config: DataConfig, progress: OnProgress, session: DataDescription | None) -> Dataset:
    if config.dataset == "own":
        if config.data_path is None:
            raise ConfigurationError("data set 'own' needs the path of a file or folder")
        return own.load(config, session, progress)
    _check_name(config.dataset)
    if config.dataset == "cifar10":
        folder = cifar10.find_or_download(config.data_dir, config.cache_dir, progress)
        return cifar_binary.read(folder, "cifar10", stand_in=False)
    if config.dataset == "synthetic10":
        return synthetic10.load(config.cache_dir, progress)
    return digits.load()


def describe(
    config: DataConfig,
    num_axes: int | None = None,
    say: Callable[[str], None] = lambda note: None,
) -> DataDescription:
    """Describe a data set as a session needs it, without reading more than that takes.

    Args:
        config: Which data set, and where it is.
        num_axes: Axes of one example that the session's model takes, if that is known; it decides
            whether arrays (n, height, width) are images or sequences.
        say: Called with what a user should know about own data.

    Raises:
        ConfigurationError: There is no data set of that name.
        DataError: The file is malformed.

    Example:
        >>> describe(DataConfig("digits")).input_shape
        (8, 8, 1)
    """
    if config.data_path is not None:
        return own.describe(config, num_axes, say)
    _check_name(config.dataset)
    return DataDescription((8, 8, 1) if config.dataset == "digits" else (32, 32, 3), 10)


def check(config: DataConfig, num_axes: int | None = None) -> None:
    """Check own data of a peer that joins, as far as that goes without knowing the session.

    Raises:
        DataError: The data breaks a rule; the message names it.
    """
    own.check(config, num_axes)


def _check_name(name: str) -> None:
    if name not in DATASETS:
        raise ConfigurationError(f"data set must be one of {', '.join(DATASETS)}, got {name!r}")
