"""digits: 1,797 grey digits of 8x8 pixels, from a file that comes with scikit-learn."""

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from swarm.core.errors import DataError
from swarm.learning.datasets.dataset import ArrayExamples, Dataset, Split, split_at_random
from swarm.learning.datasets.description import DataDescription

TEST_SHARE = 0.2
SPLIT_SEED = 0
GREY_MAX = 16


def load() -> Dataset:
    """Read the digits, with pixels as floats in [0, 1] and always the same split.

    Raises:
        DataError: scikit-learn is not installed, or its data is missing.
    """
    table = np.loadtxt(_file(), delimiter=",", dtype=np.float32)
    x = (table[:, :-1] / GREY_MAX).reshape(-1, 8, 8, 1)
    y = table[:, -1].astype(np.int64)
    train, test = split_at_random(len(y), TEST_SHARE, SPLIT_SEED)
    return Dataset(
        label="digits",
        stand_in=False,
        description=DataDescription((8, 8, 1), 10),
        train=Split(ArrayExamples(x[train]), y[train]),
        test=Split(ArrayExamples(x[test]), y[test]),
    )


def _file() -> gzip.GzipFile:
    # Importing scikit-learn for one CSV file would take a second in every worker.
    package = find_spec("sklearn")
    if package is None or package.origin is None:
        raise DataError("data set 'digits' comes with scikit-learn, which is not installed")
    path = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
    try:
        return gzip.open(path)
    except OSError as error:
        raise DataError(f"scikit-learn is installed without its digits: {error}") from error
