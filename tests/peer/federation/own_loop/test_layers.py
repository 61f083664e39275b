"""Layers: weights are matched by their place, and differences are named."""

import numpy as np
import pytest

from swarm.core.errors import LearningError, ShapeMismatchError
from swarm.peer.federation.own_loop.layers import Layers

MINE = Layers(["dense_7/kernel", "dense_7/bias"], [(2, 3), (3,)])


def test_names_that_a_framework_numbered_do_not_matter() -> None:
    layers = Layers(MINE.names, MINE.shapes)

    layers.adopt_keys({"000/dense/kernel": np.zeros((2, 3)), "001/dense/bias": np.ones(3)})

    arrays = layers.arrays({"000/dense/kernel": np.zeros((2, 3)), "001/dense/bias": np.ones(3)})
    assert [a.shape for a in arrays] == [(2, 3), (3,)]
    assert list(layers.weights(arrays)) == ["000/dense/kernel", "001/dense/bias"]


@pytest.mark.parametrize("name", ["norm/moving_variance", "1.running_var"])
def test_a_variance_below_0_does_not_reach_the_model(name: str) -> None:
    layers = Layers(["mean", name], [(2,), (2,)])
    below = np.array([-0.5, 0.5], np.float32)

    mean, variance = layers.arrays(layers.weights([below, below]))

    assert (mean.tolist(), variance.tolist()) == ([-0.5, 0.5], [0.0, 0.5])
    assert variance.dtype == np.float32


def test_weights_keep_their_place_beyond_a_thousand() -> None:
    names = [f"w{i}" for i in range(1002)]
    layers = Layers(names, [(1,)] * len(names))
    weights = layers.weights([np.full(1, i, np.float32) for i in range(len(names))])

    layers.adopt_keys(dict(sorted(weights.items())))

    assert [int(a[0]) for a in layers.arrays(weights)] == list(range(1002))


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        (
            {"000/a": (2, 4), "001/b": (3,)},
            r"dense_7/kernel has shape \(2, 3\) here, and \(2, 4\)",
        ),
        ({"000/a": (2, 3)}, r"has 2 weights, and the swarm's has 1; .* is dense_7/bias"),
        ({"000/a": (2, 3), "001/b": (3,), "002/c": (9,)}, r"the first that only one has is 002/c"),
    ],
)
def test_the_first_layer_that_differs_is_named(
    theirs: dict[str, tuple[int, ...]], said: str
) -> None:
    with pytest.raises(ShapeMismatchError, match=said):
        MINE.adopt_keys({key: np.zeros(shape, np.float32) for key, shape in theirs.items()})


def test_a_model_without_weights_is_refused() -> None:
    with pytest.raises(LearningError, match="build it first"):
        Layers([], [])
