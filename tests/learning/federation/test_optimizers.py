from typing import Any

import numpy as np
import pytest

from swarm.core.session import SessionSpec
from swarm.learning.backend import keras
from swarm.learning.federation.optimizers import DEFAULT_RATES, SessionOptimizer
from tests.learning.federation.own_layers import OwnSchedule

pytestmark = [
    pytest.mark.slow,
    # Keras 3.15 converts TensorFlow's variables in a way that numpy 2 warns about.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't:DeprecationWarning"),
]


def _rates(optimizer: SessionOptimizer, steps: range, round_number: int = 1) -> list[float]:
    optimizer.start_round(round_number)
    rates = []
    for step in steps:
        optimizer.start_batch(step)
        rates.append(float(optimizer.keras.learning_rate))
    return rates


def _moved_by(optimizer: Any, gradient: list[float]) -> Any:
    """Where one step of an optimizer moves weights that begin at 0."""
    weights = keras.Variable(np.zeros(len(gradient)), dtype="float32")
    optimizer.apply([np.array(gradient, np.float32)], [weights])
    return keras.ops.convert_to_numpy(weights)


def test_the_rate_rises_in_the_first_batches_of_a_peer_and_decays_by_round() -> None:
    spec = SessionSpec(learning_rate=0.8, learning_rate_decay=0.5, warmup_steps=4)
    optimizer = SessionOptimizer(spec, None)

    assert _rates(optimizer, range(6)) == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8, 0.8])
    assert _rates(optimizer, range(6, 8), round_number=2) == pytest.approx([0.4, 0.4])


def test_a_slow_peer_goes_on_with_the_warm_up_in_its_next_round() -> None:
    optimizer = SessionOptimizer(SessionSpec(learning_rate=0.8, warmup_steps=4), None)

    assert _rates(optimizer, range(2)) == pytest.approx([0.2, 0.4])
    assert _rates(optimizer, range(2, 5), round_number=2) == pytest.approx([0.6, 0.8, 0.8])


def test_without_warm_up_the_default_rate_holds_from_the_first_batch() -> None:
    optimizer = SessionOptimizer(SessionSpec(warmup_steps=0), None)

    assert _rates(optimizer, range(2)) == pytest.approx([DEFAULT_RATES["sgd"]] * 2)


def test_a_long_gradient_is_shortened_and_keeps_its_direction() -> None:
    spec = SessionSpec(learning_rate=1, warmup_steps=0, clip_norm=0.5)

    long = _moved_by(SessionOptimizer(spec, None).keras, [30, -40])
    short = _moved_by(SessionOptimizer(spec, None).keras, [0.03, -0.04])

    np.testing.assert_allclose(long, [-0.3, 0.4], rtol=1e-5)
    np.testing.assert_allclose(short, [-0.03, 0.04], rtol=1e-5)


def test_a_models_own_optimizer_is_used_as_it_was_compiled() -> None:
    optimizer = SessionOptimizer(SessionSpec(clip_norm=0.5), keras.optimizers.SGD(1.0))

    assert _rates(optimizer, range(2)) == [1.0, 1.0]
    np.testing.assert_allclose(_moved_by(optimizer.keras, [30, -40]), [-30, 40])


def test_a_schedule_of_the_users_own_is_followed() -> None:
    optimizer = SessionOptimizer(SessionSpec(), keras.optimizers.SGD(OwnSchedule()))

    assert optimizer.text == "SGD(OwnSchedule)"
    assert _rates(optimizer, range(3)) == pytest.approx([0.4, 0.2, 0.1])
