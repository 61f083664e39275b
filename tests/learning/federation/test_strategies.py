"""One contract, run by every strategy."""

import numpy as np
import pytest

from swarm.core.errors import ConfigurationError, NoContributionsError
from swarm.learning.federation.strategies import (
    STRATEGIES,
    Contribution,
    Strategy,
    create_strategy,
)
from swarm.learning.federation.weights_files import Weights


@pytest.fixture(params=sorted(STRATEGIES))
def strategy(request: pytest.FixtureRequest) -> Strategy:
    return create_strategy(request.param)


class TestContract:
    def test_the_aggregate_has_the_keys_and_shapes_of_the_base(self, strategy: Strategy) -> None:
        base = _weights(0)

        combined = strategy.combine(base, [Contribution(_weights(k), 10) for k in (1, 2, 3)])

        assert [(k, v.shape, v.dtype) for k, v in combined.items()] == [
            (k, v.shape, v.dtype) for k, v in base.items()
        ]

    def test_equal_inputs_give_equal_bytes(self, strategy: Strategy) -> None:
        base, inputs = _weights(0), [Contribution(_weights(k), k) for k in (1, 2, 3)]

        first, second = strategy.combine(base, inputs), strategy.combine(base, inputs)

        assert all(first[key].tobytes() == second[key].tobytes() for key in base)

    def test_contributions_that_agree_are_kept(self, strategy: Strategy) -> None:
        same = _weights(1)

        combined = strategy.combine(_weights(0), [Contribution(same, n) for n in (1, 5, 9)])

        for key, array in same.items():
            np.testing.assert_allclose(combined[key], array, rtol=1e-6)

    def test_inputs_are_not_changed(self, strategy: Strategy) -> None:
        contribution = Contribution(_weights(1), 3)

        strategy.combine(_weights(0), [contribution, Contribution(_weights(2), 1)])

        for key, array in _weights(1).items():
            np.testing.assert_array_equal(contribution.weights[key], array)

    def test_combining_no_contributions_is_an_error(self, strategy: Strategy) -> None:
        with pytest.raises(NoContributionsError):
            strategy.combine(_weights(0), [])


def test_an_unknown_strategy_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="fedfoo"):
        create_strategy("fedfoo")


def _weights(seed: int) -> Weights:
    rng = np.random.default_rng(seed)
    return {
        "000/a": rng.standard_normal((2, 3)).astype(np.float32),
        "001/b": rng.standard_normal(4).astype(np.float32),
    }
