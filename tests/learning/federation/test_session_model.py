from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swarm.core.blobs import BlobRef
from swarm.core.columns import TARGET, Column
from swarm.core.ids import Digest
from swarm.core.session import SessionSpec
from swarm.learning.backend import keras
from swarm.learning.federation.evaluation import evaluate
from swarm.learning.federation.session_model import SessionModel
from swarm.learning.federation.shards import Shard

pytestmark = [
    pytest.mark.slow,
    # Keras 3.15 converts TensorFlow's variables in a way that numpy 2 warns about.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't:DeprecationWarning"),
]

L, S = keras.layers, keras.optimizers.schedules
X = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)


def _model(folder: Path, *layers: Any, own: Any = None, **fields: Any) -> SessionModel:
    keras.utils.set_random_seed(1)
    made = keras.Sequential([keras.Input((4,)), *layers, L.Dense(2, name="top")])
    if own is not None:
        made.compile(own, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    made.save(folder / "own.keras")
    spec = SessionSpec(
        model="file",
        model_file=BlobRef(Digest("0" * 64), 1),
        dataset="own",
        input_shape=(4,),
        **{"num_classes": 2, **fields},
    )
    return SessionModel(spec, str(folder / "own.keras"), allow_code=False)


def _rate(model: SessionModel) -> float:
    return float(model.keras.optimizer.learning_rate)


def test_a_model_s_own_optimizer_is_used_and_named(tmp_path: Path) -> None:
    model = _model(tmp_path, own=keras.optimizers.RMSprop(0.003))

    model.optimizer.start_round(1)

    assert isinstance(model.keras.optimizer, keras.optimizers.RMSprop)
    assert _rate(model) == pytest.approx(0.003)
    assert model.notes == ["the model was compiled with RMSprop(0.003): the session uses it"]


@pytest.mark.parametrize(
    ("fields", "used"),
    [
        ({"learning_rate": 0.5}, "RMSprop(0.5)"),
        ({"optimizer": "adam"}, "Adam(0.001)"),
        ({"optimizer": "adam", "learning_rate": 0.5}, "Adam(0.5)"),
    ],
)
def test_what_the_session_sets_wins(fields: dict[str, Any], used: str, tmp_path: Path) -> None:
    model = _model(tmp_path, own=keras.optimizers.RMSprop(0.003), **fields)

    assert model.notes == [
        f"the model was compiled with RMSprop(0.003): the session uses {used}, as set"
    ]


def test_a_schedule_goes_on_from_round_to_round(tmp_path: Path) -> None:
    schedule = S.ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)
    model = _model(tmp_path, own=keras.optimizers.Adam(schedule), learning_rate_decay=0.9)

    rates = []
    for number, step in ((1, 0), (1, 10), (2, 10), (2, 20)):
        model.optimizer.start_round(number)
        model.optimizer.start_batch(step)
        rates.append(_rate(model))

    assert rates == pytest.approx([0.1, 0.05, 0.045, 0.0225])


def test_the_loss_scale_of_mixed_precision_is_not_zero_after_a_round_begins(
    tmp_path: Path,
) -> None:
    model = _model(tmp_path, L.Dense(8, dtype="mixed_float16"), own="adam")
    wrapped = keras.optimizers.LossScaleOptimizer(model.optimizer.keras)
    model.keras.compile(wrapped, model.objective.loss)
    model.optimizer.build(model.keras)

    model.optimizer.start_round(1)

    assert float(wrapped.dynamic_scale) == wrapped.initial_scale


def test_frozen_weights_and_integers_stay_as_they_came(tmp_path: Path) -> None:
    normalise = L.Normalization()
    normalise.adapt(X)
    model = _model(tmp_path, normalise, L.Dense(4, trainable=False), L.Dropout(0.1))
    before = {w.path: np.array(w) for w in model.keras.weights}

    model.optimizer.start_round(1)
    model.train_batch(X, Y)

    moved = [w.path for w in model.keras.weights if not np.array_equal(before[w.path], w)]
    assert moved == ["top/kernel", "top/bias"]


def test_r_squared_is_that_of_the_shard(tmp_path: Path) -> None:
    model = _model(tmp_path, task="regression")
    truth = np.stack([X[:, 0] * 3, X[:, 1] + 1], axis=1)
    shard = Shard(X, truth)

    found = evaluate(model.keras, shard, model.objective, lambda fraction: None)

    weights = dict(zip(("kernel", "bias"), model.keras.get_weights(), strict=True))
    errors = X @ weights["kernel"] + weights["bias"] - truth
    distances = truth - truth.mean(axis=0)
    assert found.loss == pytest.approx(np.square(errors).mean(), rel=1e-5)
    expected = 1 - np.square(errors).sum() / np.square(distances).sum()
    assert found.accuracy == pytest.approx(max(0, expected), abs=1e-5)


def test_label_accuracy_counts_labels(tmp_path: Path) -> None:
    model = _model(tmp_path, task="multi-label")
    model.keras.set_weights([np.eye(4, 2, dtype=np.float32), np.zeros(2, np.float32)])
    truth = (X[:, :2] > 0).astype(np.float32)
    truth[0, 0] = 1 - truth[0, 0]

    found = evaluate(model.keras, Shard(X, truth), model.objective, lambda fraction: None)

    assert found.accuracy == pytest.approx(79 / 80)


@pytest.mark.parametrize(
    ("own", "scale", "is_said"), [("adam", 50.0, True), (None, 50.0, False), ("adam", 1.0, False)]
)
def test_an_own_loss_of_a_standardised_target_is_named(
    own: str | None, scale: float, is_said: bool, tmp_path: Path
) -> None:
    target = Column("price", TARGET, mean=0.0 if scale == 1 else 200.0, scale=scale)
    columns = (*(Column(name) for name in "abcd"), target)

    model = _model(tmp_path, own=own, task="regression", columns=columns)

    said = [line for line in model.advice if "'price' standardised, as (value - 200) / 50" in line]
    assert len(said) == is_said
