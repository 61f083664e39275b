"""What a cluster's contributions become."""

import numpy as np
import pytest

from swarm.core.errors import NoContributionsError
from swarm.learning.federation.aggregation import combine
from swarm.learning.federation.weights_files import Weights


def test_the_aggregate_has_the_keys_and_shapes_of_the_base() -> None:
    base = _weights(0)

    combined = combine(base, [(_weights(k), 10) for k in (1, 2, 3)])

    assert [(k, v.shape, v.dtype) for k, v in combined.items()] == [
        (k, v.shape, v.dtype) for k, v in base.items()
    ]


def test_equal_inputs_give_equal_bytes() -> None:
    base, inputs = _weights(0), [(_weights(k), k) for k in (1, 2, 3)]

    first, second = combine(base, inputs), combine(base, inputs)

    assert all(first[key].tobytes() == second[key].tobytes() for key in base)


def test_contributions_that_agree_are_kept() -> None:
    same = _weights(1)

    combined = combine(_weights(0), [(same, n) for n in (1, 5, 9)])

    for key, array in same.items():
        np.testing.assert_allclose(combined[key], array, rtol=1e-6)


def test_inputs_are_not_changed() -> None:
    contribution = (_weights(1), 3)

    combine(_weights(0), [contribution, (_weights(2), 1)])

    for key, array in _weights(1).items():
        np.testing.assert_array_equal(contribution[0][key], array)


def test_nothing_to_combine_is_an_error() -> None:
    with pytest.raises(NoContributionsError):
        combine(_weights(0), [])


def _weights(seed: int) -> Weights:
    rng = np.random.default_rng(seed)
    return {
        "000/a": rng.standard_normal((2, 3)).astype(np.float32),
        "001/b": rng.standard_normal(4).astype(np.float32),
    }
