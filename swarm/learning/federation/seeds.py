"""Every random choice of a learner, from the session's seed, so that runs repeat."""

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What a generator is for; no two purposes share random numbers."""

    TRAIN_SPLIT = 1
    TEST_SPLIT = 2
    CAP = 3
    TRAINING = 4


def generator(seed: int, purpose: Purpose, *places: int) -> np.random.Generator:
    """Generator for one purpose at one place (a partition, a round) of one session."""
    return np.random.default_rng((seed % 2**64, purpose, *places))
