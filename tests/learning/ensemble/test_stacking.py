"""Moments and the least-squares solver."""

import numpy as np
import pytest

from swarm.ensemble.records import Moments
from swarm.learning.ensemble.stacking import moments, solve_nnls, stacked_weights
from tests.learning.ensemble.members import ANIMALS, NUMBERS, version_of


@pytest.mark.parametrize("seed", range(20))
def test_the_solver_meets_the_conditions_of_the_optimum(seed: int) -> None:
    """Karush-Kuhn-Tucker: the gradient is 0 where a weight is free, not negative where it is 0."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(30, 8))
    gram, target = factors.T @ factors, factors.T @ rng.normal(size=30)

    weights = solve_nnls(gram, target)

    gradient = gram @ weights - target
    assert (weights >= 0).all()
    assert gradient[weights > 0] == pytest.approx(0, abs=1e-8)
    assert (gradient[weights == 0] >= -1e-8).all()


@pytest.mark.parametrize(
    "gram",
    [
        np.ones((5, 5)),  # five equal models
        np.zeros((5, 5)),
        -np.eye(5),  # a lie: no answers have such moments
        np.full((5, 5), 1e300),
    ],
)
def test_the_solver_ends_whatever_it_gets(gram: np.ndarray) -> None:
    weights = solve_nnls(gram, np.ones(5))

    assert (weights >= 0).all()


def test_moments_of_shards_give_the_weights_of_all_rows_together() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=300)
    stack = (truth + rng.normal(size=(3, 300)) * np.array([[0.1], [0.2], [0.4]]))[:, :, None]
    versions = [version_of(k) for k in range(3)]

    parts = [
        moments(NUMBERS, versions, stack[:, rows], truth[rows])
        for rows in np.array_split(np.arange(300), 3)
    ]
    whole = moments(NUMBERS, versions, stack, truth)

    assert whole is not None
    from_parts = stacked_weights([part for part in parts if part is not None], versions)
    assert from_parts == pytest.approx(stacked_weights([whole], versions))


def test_moments_of_other_models_do_not_count() -> None:
    stack = np.ones((1, 5, 1))
    of_one = moments(NUMBERS, [version_of(1)], stack, np.ones(5))

    assert of_one is not None
    assert stacked_weights([of_one], [version_of(0), version_of(1)]) is None
    assert stacked_weights([], [version_of(0)]) is None


def test_rows_that_a_model_could_not_answer_are_left_out() -> None:
    stack = np.array([[[1.0], [np.nan], [2.0]]])

    found = moments(NUMBERS, [version_of(0)], stack, np.array([1.0, 1.0, 1.0]))

    assert found is not None
    assert (found.gram, found.target, found.num_rows) == ((5.0,), (3.0,), 2)
    assert moments(NUMBERS, [version_of(0)], stack[:, 1:2], np.ones(1)) is None


def test_moments_of_classes_sum_over_outputs() -> None:
    stack = np.array([[[0.5, 0.5, 0]], [[0, 1, 0]]])

    found = moments(ANIMALS, [version_of(0), version_of(1)], stack, np.array([1.0]))

    assert found is not None
    assert found.gram == (0.5, 0.5, 0.5, 1.0)
    assert found.target == (0.5, 1.0)


@pytest.mark.parametrize("amount", [1e308, 1e154, -1e308])
def test_moments_whose_sums_are_not_finite_give_no_weights(amount: float) -> None:
    versions = [version_of(k) for k in range(2)]
    lies = Moments(tuple(versions), (amount,) * 4, (amount,) * 2, 10)

    weights = stacked_weights([lies, lies], versions)

    assert weights is None or np.isfinite(weights).all()
