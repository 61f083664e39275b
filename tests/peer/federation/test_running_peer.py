"""start_peer() as a notebook uses it: no trio in the user's code."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

import swarm
from swarm.core.errors import ConfigurationError, LearningError, SwarmError
from swarm.learning.backend import keras
from swarm.peer.federation.peer_settings import session_fields


def test_unknown_settings_are_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="unknown setting 'colour'; a session has "):
        swarm.start_peer(colour="red")


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("round", "rounds"),
        ("epochs", "local_epochs"),
        ("minpeers", "min_peers"),
        ("allow_modle", "allow_model"),
    ],
)
def test_a_misspelt_setting_gets_the_right_one(misspelt: str, meant: str) -> None:
    with pytest.raises(
        ConfigurationError, match=f"unknown setting '{misspelt}'; did you mean '{meant}'"
    ):
        swarm.start_peer(**{misspelt: 3})
    with pytest.raises(ConfigurationError, match=r"has no option 'slot'; did you mean 'slots'\?"):
        swarm.start_search(slot=2)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"rounds": 0}, "rounds must be at least 1, got 0"),
        ({"rounds": "3"}, "rounds must be int, got '3'"),
        ({"learning_rate": True}, "learning_rate must be float, got True"),
        ({"optimizer": "rmsprop"}, "optimizer must be one of auto, sgd, adam, got 'rmsprop'"),
    ],
)
def test_a_wrong_field_is_refused_by_start_peer_itself_and_leaves_nothing(
    fields: dict[str, object], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with pytest.raises(ConfigurationError, match=said):
        swarm.start_peer(np.zeros((9, 4), np.float32), np.zeros(9, int), **fields)  # type: ignore[arg-type]

    assert list(tmp_path.iterdir()) == []


def test_numbers_of_numpy_become_pythons() -> None:
    fields = session_fields({"rounds": np.int64(3), "learning_rate": 1, "input_shape": [4, 1]})

    assert fields == {"rounds": 3, "learning_rate": 1.0, "input_shape": (4, 1)}
    assert type(fields["rounds"]) is int
    assert type(fields["learning_rate"]) is float


def test_arrays_must_come_in_pairs() -> None:
    with pytest.raises(ConfigurationError, match="x and y must be given together"):
        swarm.start_peer(np.zeros((4, 8, 8, 1), np.float32))


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        ([[0, np.nan], [1, 1]], [0, 1], "the data: x_train must be finite .*: 1 of 4"),
        ([[1, 2], [3]], [0, 1], "x_train must hold rows of one length"),
        (np.zeros((5, 2)), [0, 1], "x_train has 5 examples but y_train has 2"),
        (np.zeros((5, 2)), [0] * 5, "all labels are equal"),
        (np.array([[{}], [{}]]), [0, 1], "must hold numbers or texts; value 0 is {} .dict."),
        (np.zeros((2, 2)), [0, {}], "y_train must hold numbers or texts; value 0 is 0"),
        ({"a": np.zeros((4, 2)), "b": np.zeros((4, 2))}, [0, 1] * 2, "several inputs .a, b."),
        ("nowhere.npz", None, "nowhere.npz does not exist"),
    ],
)
def test_wrong_data_are_refused_by_start_peer_itself(x: object, y: object, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        swarm.start_peer(x, y)


def test_completion_shows_the_public_names() -> None:
    assert dir(swarm) == sorted(swarm.__all__)


@pytest.mark.slow
@pytest.mark.network
def test_what_ends_a_peer_is_raised_by_properties_waits_and_the_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    y = np.arange(40) % 2
    first = swarm.start_peer(np.zeros((40, 4), np.float32), y, model="no_such_module:build",
                             allow_model=True, min_peers=1)  # fmt: skip

    with pytest.raises(SwarmError, match="no_such_module"):
        first.wait_finished(timeout_s=120)
    with pytest.raises(SwarmError, match="no_such_module"):
        assert first.finished
    with pytest.raises(SwarmError, match="no_such_module"), first:
        pass

    assert "ended: " in repr(first)
    assert "swarm-peer ended" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.filterwarnings("ignore:.*protobuf.*:UserWarning")  # TensorFlow's, on loading a model
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't:DeprecationWarning")  # Keras'
def test_two_peers_on_own_arrays_train_a_keras_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    digits = load_digits()
    x, y = (digits.images / 16).astype(np.float32)[..., None], digits.target

    with (
        swarm.start_peer(
            x[:800], y[:800], model=_doubling, allow_model=True, rounds=3, min_peers=2
        ) as first,
        swarm.start_peer(
            x[800:1600], y[800:1600], bootstrap=first.address, allow_model=True
        ) as second,
    ):
        assert second.wait_round(1, timeout_s=180) >= 1
        first.wait_finished(timeout_s=60)
        second.wait_finished(timeout_s=60)
        model = second.model()
        assert first.wait_round(9, timeout_s=60) == 3  # the session is over: no other will come
        shown = repr(first), first._repr_html_()

    assert first.round == second.round == first.accuracy_round == 3
    assert first.address in shown[0]
    assert f"round 3 of 3, accuracy {first.accuracy:.1%} (round 3), 2 peers" in shown[0]
    assert "<svg" in shown[1]
    assert list(tmp_path.iterdir()) == []
    predicted = np.argmax(model.predict(x[1600:], verbose=0), axis=1)
    assert np.mean(predicted == y[1600:]) > 0.6


def _few_digits(seed: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = load_digits(return_X_y=True)
    chosen = np.random.default_rng(seed).permutation(len(x))[:200]
    return (x[chosen] / 16).reshape(-1, 8, 8, 1).astype(np.float32), y[chosen]


@pytest.mark.slow
@pytest.mark.network
def test_a_session_that_is_over_is_not_passed_off_as_trained_on_other_data(
    tmp_path: Path,
) -> None:
    x, y = _few_digits(1)
    # Steps this small change no answer: round 1 stays the best, and the session stops early.
    fields = {"model": "mlp", "rounds": 50, "min_peers": 1, "learning_rate": 1e-9, "early_stop": 1}
    with swarm.start_peer(x, y, state=tmp_path, **fields) as first:
        first.wait_finished(timeout_s=180)
        assert first.round == 3
        best = first.model(best=True)
    assert best.count_params() == 4810

    with swarm.start_peer(x, y, state=tmp_path, **fields) as again:
        again.wait_finished(timeout_s=180)

    x, y = _few_digits(2)
    with (
        pytest.raises(ConfigurationError, match=r"stopped early at round 3.*other data"),
        swarm.start_peer(x, y, state=tmp_path, **fields) as other,
    ):
        other.wait_finished(timeout_s=180)


@pytest.mark.slow
@pytest.mark.network
def test_training_that_fails_three_times_ends_the_peer_with_the_reason(tmp_path: Path) -> None:
    x, y = _few_digits(1)

    with (
        pytest.raises(LearningError, match=r"failed 3 times.*inputs reach 255"),
        swarm.start_peer(
            255 * x, y, state=tmp_path, model="lenet", learning_rate=1e6, min_peers=1
        ) as peer,
    ):
        peer.wait_finished(timeout_s=180)


def _doubling(input_shape: tuple[int, ...], num_classes: int) -> Any:
    """A user's function; its model holds code, which others may run if they allow it."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Lambda(lambda v: v * 2.0),
            layers.Flatten(),
            layers.Dense(num_classes, "softmax"),
        ]
    )
