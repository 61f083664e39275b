"""Stale updates and branches, with numbers that can be checked by hand."""

import numpy as np
import pytest

from swarm.learning.errors import ForeignWeightsError
from swarm.learning.federation.gates import require_fit
from swarm.learning.federation.stale_updates import merge, rebase
from swarm.learning.federation.weights_files import Weights


def weights(*values: float) -> Weights:
    return {"000/w": np.array(values, np.float32)}


def test_a_stale_update_moves_the_base_of_this_round() -> None:
    rebased = rebase(weights(3, 5), trained_from=weights(1, 1), base=weights(10, 20))

    assert rebased["000/w"].tolist() == [12, 24]
    assert rebased["000/w"].dtype == np.float32


def test_a_branch_adds_its_share_of_the_difference_to_the_base() -> None:
    merged = merge(weights(10), combined=weights(12), branch=weights(4), share=1 / 3)

    assert merged["000/w"].tolist() == [10]


def test_an_update_that_overflows_does_not_pass_the_gate() -> None:
    rebased = rebase(weights(3e38), trained_from=weights(-3e38), base=weights(0))

    with pytest.raises(ForeignWeightsError, match="finite"):
        require_fit(weights(0), rebased)
