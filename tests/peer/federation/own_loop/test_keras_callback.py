"""swarm.Swarm beside the callbacks of a real `fit`."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import swarm
from swarm.core.errors import ConfigurationError
from swarm.learning.backend import keras
from swarm.peer.federation.own_loop.engine import Period
from swarm.peer.federation.own_loop.joining import Joining
from swarm.peer.federation.own_loop.keras_callback import Swarm
from swarm.peer.federation.own_loop.layers import Array
from swarm.peer.federation.own_loop.loop_peer import LoopStatistics
from tests.peer.federation.own_loop.loops import Loop, started

pytestmark = pytest.mark.slow
SHAPES = ((2, 1), (1,))
X = np.ones((8, 2), np.float32)


def linear(**compiled: Any) -> Any:
    """y = k x1 + k x2 + b, with k = b = 0; `fit` changes nothing."""
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="zeros")]
    )
    model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=False, **compiled)
    return model


def values(model: Any) -> set[float]:
    return {float(v) for w in model.get_weights() for v in np.ravel(w)}


class RecordingEngine:
    """Notes what a callback hands in."""

    round = 0

    def __init__(self) -> None:
        self.num_examples: list[int] = []
        self.arrays: list[Sequence[Array]] = []
        self.measured: list[tuple[float, int]] = []

    def exchange(self, arrays: Sequence[Array], period: Period) -> list[NDArray[np.float32]]:
        self.num_examples.append(period.num_examples)
        self.arrays.append(arrays)
        return [a + 1 for a in arrays]

    def measure(self, evaluation: Any) -> None:
        self.measured.append((evaluation.accuracy, evaluation.num_examples))

    def note_progress(self, progress: object) -> None:
        """Ignore it."""

    def statistics(self) -> LoopStatistics:
        return LoopStatistics(0, 1, None)

    def stop(self) -> None:
        """Nothing runs."""

    known = ()


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> RecordingEngine:
    """The engine that every callback gets."""
    recording = RecordingEngine()
    monkeypatch.setattr(Joining, "join", lambda _self, _layers, arrays, _call: (recording, arrays))
    return recording


def test_examples_are_counted_with_the_last_smaller_batch(engine: RecordingEngine) -> None:
    linear().fit(X, X[:, 0], batch_size=3, epochs=2, verbose=0, callbacks=[Swarm()])

    assert engine.num_examples == [8, 8]


def test_validation_is_not_counted_as_training(engine: RecordingEngine) -> None:
    model = linear(metrics=[keras.metrics.R2Score()])
    y = np.arange(8, dtype=np.float32)[:, None]

    model.fit(X, y, epochs=2, verbose=0, validation_data=(X[:5], y[:5]), callbacks=[Swarm()])

    assert engine.num_examples == [8, 8]
    assert [number for _, number in engine.measured] == [5, 5]


def test_every_n_batches_counts_across_epochs_and_ends_with_what_is_left(
    engine: RecordingEngine,
) -> None:
    linear().fit(X, X[:, 0], batch_size=3, epochs=3, verbose=0, callbacks=[Swarm(every=2)])

    assert engine.num_examples == [6, 2 + 3, 3 + 2, 6, 2]


def test_several_steps_in_one_call_are_counted(engine: RecordingEngine) -> None:
    model = linear(steps_per_execution=2)

    model.fit(X, X[:, 0], batch_size=2, epochs=1, verbose=0, callbacks=[Swarm(every=2)])

    assert engine.num_examples == [4, 4]


@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")
def test_a_generator_of_unknown_length_is_counted(engine: RecordingEngine) -> None:
    def batches() -> Iterator[tuple[Any, Any]]:
        for size in (3, 5, 1):
            yield X[:size], X[:size, 0]

    linear().fit(batches(), shuffle=False, verbose=0, callbacks=[Swarm()])

    assert engine.num_examples == [9]


def test_a_train_step_of_the_users_needs_the_batch_size(engine: RecordingEngine) -> None:
    class Own(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(1)

        def call(self, x: Any) -> Any:
            return self.dense(x)

        def train_step(self, data: Any) -> Any:
            return {"loss": 0.0 * keras.ops.sum(self(data[0]))}

    model = Own()
    model.compile("sgd", "mse", run_eagerly=True)

    with pytest.raises(ConfigurationError, match=r"as in swarm\.Swarm\(batch_size=32\)"):
        model.fit(X, X[:, 0], batch_size=4, verbose=0, callbacks=[Swarm()])
    model.fit(X, X[:, 0], batch_size=4, verbose=0, callbacks=[Swarm(batch_size=4)])

    assert engine.num_examples == [8]


def test_half_precision_travels_as_float32_and_integers_stay(engine: RecordingEngine) -> None:
    class Counting(keras.layers.Layer):  # type: ignore[misc]
        def build(self, _shape: Any) -> None:
            self.calls = self.add_weight(
                shape=(), dtype="int32", initializer="ones", trainable=False
            )
            self.scale = self.add_weight(shape=(2,), dtype="float16", initializer="ones")

        def call(self, x: Any) -> Any:
            return x * keras.ops.cast(self.scale, x.dtype)

    model = keras.Sequential([keras.Input((2,)), Counting()])
    model.compile(keras.optimizers.SGD(0.0), "mse")

    model.fit(X, X, verbose=0, callbacks=[Swarm()])

    assert [(a.dtype, a.tolist()) for a in engine.arrays[0]] == [(np.float32, [1.0, 1.0])]
    calls, scale = sorted(model.get_weights(), key=np.ndim)
    assert calls == 1
    assert (scale.dtype, scale.tolist()) == (np.float16, [2.0, 2.0])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"every": 0}, "every must be at least 1, got 0"),
        ({"batch_size": -1}, "batch_size must be at least 1, got -1"),
        ({"address": "10.0.0.5"}, r"bootstrap address '10\.0\.0\.5'"),
    ],
)
def test_settings_that_break_a_rule_are_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Swarm(**options)


@pytest.mark.parametrize("batch_size", [3, 8])
def test_a_model_that_its_first_batch_builds_joins_then(
    engine: RecordingEngine, batch_size: int
) -> None:
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.0), "mse")

    model.fit(X, X[:, 0], batch_size=batch_size, verbose=0, callbacks=[Swarm()])

    assert engine.num_examples == [8]
    assert [a.shape for a in engine.arrays[0]] == [(2, 1), (1,)]


@pytest.mark.network
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras saving
def test_later_callbacks_see_the_averaged_weights_and_the_swarms_logs(tmp_path: Path) -> None:
    """The partner moves the average by 0.5 an epoch; the loss is least at k = 1, in epoch 2."""
    with started(0.0, min_peers=2, shapes=SHAPES) as partner:
        thread = threading.Thread(target=_begin_and_train, args=(partner, 1.0, 5))
        thread.start()
        model = linear()
        checkpoint = keras.callbacks.ModelCheckpoint(
            tmp_path / "{epoch}.weights.h5", save_weights_only=True
        )
        early = keras.callbacks.EarlyStopping("val_loss", restore_best_weights=True, patience=1)
        ours = Swarm(partner.engine.address, ip="127.0.0.1")

        history = model.fit(
            X,
            np.full(8, 3.0),
            batch_size=3,
            epochs=9,
            verbose=0,
            validation_data=(X, np.full(8, 3.0)),
            callbacks=[ours, checkpoint, early],
        ).history
        thread.join()

    assert history["swarm_round"] == [1, 2, 3]
    assert history["swarm_peers"] == [2, 2, 2]
    assert "swarm_accuracy" not in history
    assert history["val_loss"] == pytest.approx([2.25, 0.0, 2.25])
    assert values(model) == {1.0}
    for epoch in (1, 2, 3):
        model.load_weights(tmp_path / f"{epoch}.weights.h5")
        assert values(model) == {epoch / 2}
    assert not ours.address
    assert not [t for t in threading.enumerate() if t.name == "swarm-peer"]


@pytest.mark.network
def test_ctrl_c_leaves_the_swarm_and_the_next_fit_takes_its_current_model() -> None:
    def interrupt(epoch: int, _logs: object) -> None:
        if epoch == 1:
            raise KeyboardInterrupt

    model = linear()
    begun: list[set[float]] = []
    look = keras.callbacks.LambdaCallback(on_train_begin=lambda _logs: begun.append(values(model)))
    with started(4.0, min_peers=2, shapes=SHAPES) as partner:
        ours = swarm.Swarm(partner.engine.address, ip="127.0.0.1")
        thread = threading.Thread(target=_begin_and_train, args=(partner, 0.0, 1))
        thread.start()

        with pytest.raises(KeyboardInterrupt):
            model.fit(
                X,
                X[:, 0],
                epochs=3,
                verbose=0,
                callbacks=[ours, look, keras.callbacks.LambdaCallback(on_epoch_begin=interrupt)],
            )
        thread.join()
        _train(partner, 2.0, 1)  # it would wait for ever if the other had not left
        model.fit(X, X[:, 0], epochs=1, verbose=0, callbacks=[ours, look])

    assert begun == [{4.0}, {6.0}]


def _train(partner: Loop, change: float, num_exchanges: int) -> None:
    for _ in range(num_exchanges):
        partner.learn(change)
        partner.exchange(8)


def _begin_and_train(partner: Loop, change: float, num_exchanges: int) -> None:
    partner.begin()
    _train(partner, change, num_exchanges)
