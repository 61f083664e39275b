"""start_peer() as a notebook uses it: no trio in the user's code."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

import swarm
from swarm.core.errors import ConfigurationError


def test_unknown_settings_are_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="unknown setting 'epochs'"):
        swarm.start_peer(epochs=3)


def test_arrays_must_come_in_pairs() -> None:
    with pytest.raises(ConfigurationError, match="x and y must be given together"):
        swarm.start_peer(np.zeros((4, 8, 8, 1), np.float32))


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.filterwarnings("ignore:.*protobuf.*:UserWarning")  # TensorFlow's, on loading a model
def test_two_peers_on_own_arrays_train_a_keras_model() -> None:
    digits = load_digits()
    x, y = (digits.images / 16).astype(np.float32)[..., None], digits.target

    with (
        swarm.start_peer(x[:800], y[:800], model="mlp", rounds=3, min_peers=2) as first,
        swarm.start_peer(x[800:1600], y[800:1600], bootstrap=first.address) as second,
    ):
        assert second.wait_round(1, timeout_s=180) >= 1
        first.wait_finished(timeout_s=60)
        second.wait_finished(timeout_s=60)
        model = second.model()
        with pytest.raises(TimeoutError, match=r"not within 0\.1 s"):
            first.wait_round(9, timeout_s=0.1)

    assert first.round == second.round == 3
    predicted = np.argmax(model.predict(x[1600:], verbose=0), axis=1)
    assert np.mean(predicted == y[1600:]) > 0.6
