"""Random numbers of a learner, all from the session's seed, so that runs can be repeated."""

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """Purpose of a generator; no two purposes share random numbers."""

    TRAIN_SPLIT = 1
    TEST_SPLIT = 2
    CAP = 3
    TRAINING = 4
    ORDER = 5


def generator(seed: int, purpose: Purpose, *places: int) -> np.random.Generator:
    """Generator for one purpose at one place of a session, such as a partition and a round."""
    return np.random.default_rng((seed % 2**64, purpose, *places))
