import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from swarm.core.errors import NoContributionsError, ShapeMismatchError
from swarm.learning.federation.aggregation import federated_average


def test_peers_count_in_proportion_to_their_examples() -> None:
    zeros, tens = np.zeros(3, np.float32), np.full(3, 10, np.float32)

    (averaged,) = federated_average([[zeros], [tens]], num_examples=[3, 1])

    assert averaged.dtype == np.float32
    np.testing.assert_array_equal(averaged, np.full(3, 2.5))


def test_averaging_no_contributions_is_an_error() -> None:
    with pytest.raises(NoContributionsError):
        federated_average([], num_examples=[])


def test_weights_of_different_models_are_refused() -> None:
    with pytest.raises(ShapeMismatchError, match="contribution 1"):
        federated_average([[np.zeros(3, np.float32)], [np.zeros(4, np.float32)]], [1, 1])


Peer = tuple[int, int]
"""Seed of a peer's weights, and its number of examples."""
peers = st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 100_000))
trees = st.recursive(peers, lambda children: st.lists(children, min_size=1, max_size=4))


@settings(deadline=None, derandomize=True, max_examples=200)
@given(tree=trees)
def test_tiered_aggregation_equals_flat_fedavg_for_every_tree(tree: object) -> None:
    leaves = _leaves(tree)
    layers = [_weights(seed) for seed, _ in leaves]

    tiered, num_examples = _combine(tree)
    flat = federated_average(layers, [n for _, n in leaves])

    assert num_examples == sum(n for _, n in leaves)
    for got, expected, *inputs in zip(tiered, flat, *layers, strict=True):
        scale = max(float(np.abs(array).max()) for array in inputs)
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6 * scale)


def _weights(seed: int) -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.integers(-3, 4)
    return [
        (scale * rng.standard_normal((3, 4))).astype(np.float32),
        rng.standard_normal(5).astype(np.float32),
    ]


def _leaves(tree: object) -> list[Peer]:
    if isinstance(tree, tuple):
        return [tree]
    assert isinstance(tree, list)
    return [leaf for child in tree for leaf in _leaves(child)]


def _combine(tree: object) -> tuple[list[NDArray[np.float32]], int]:
    """Combine as the swarm does: each cluster's aggregate goes up one tier as float32."""
    if isinstance(tree, tuple):
        return _weights(tree[0]), tree[1]
    assert isinstance(tree, list)
    children = [_combine(child) for child in tree]
    averaged = federated_average([w for w, _ in children], [n for _, n in children])
    return averaged, sum(n for _, n in children)
