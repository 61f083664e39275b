"""What is said of models that do not learn, and that nothing is said of those that do."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swarm.core.blobs import BlobRef
from swarm.core.canonical import digest_of, sha256_hex
from swarm.core.errors import LearningError
from swarm.core.session import SessionSpec
from swarm.federation.effects import Finding
from swarm.learning.backend import keras
from swarm.learning.data_config import DataConfig
from swarm.learning.datasets import digits
from swarm.learning.federation import jobs
from swarm.learning.federation.diagnosis import Diagnosis
from swarm.learning.federation.learner import Learner
from swarm.learning.federation.session_model import SessionModel
from swarm.learning.federation.shards import Shard

pytestmark = [
    pytest.mark.slow,
    # Keras 3.15 converts TensorFlow's variables in a way that numpy 2 warns about.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't:DeprecationWarning"),
]


def learner(
    folder: Path,
    partition: tuple[int, int] = (0, 1),
    model_path: str | None = None,
    **fields: Any,
) -> Learner:
    spec = SessionSpec(
        **{"model": "mlp", "dataset": "digits", "input_shape": (8, 8, 1), "batch_size": 32}
        | {"learning_rate": 0.1}
        | fields
    )
    data = DataConfig(
        data_path=str(folder / "own.npz") if spec.dataset == "own" else None,
        cache_dir=str(folder),
        dataset=spec.dataset,
        partition_index=partition[0],
        partition_count=partition[1],
    )
    return Learner(jobs.Initialise(spec, data, model_path=model_path))


def findings(one: Learner, folder: Path, rounds: int = 1) -> list[Finding | None]:
    """What is found at the start, and after each round of training alone."""
    base = one.create_weights(jobs.CreateWeights(str(folder))).path
    found = [one.initialised.finding]
    for number in range(1, rounds + 1):
        trained = one.train(jobs.Train(base, number, str(folder)), lambda: True)
        base = trained.path
        found.append(trained.finding)
    return found


def own(folder: Path, scale: float = 1.0) -> None:
    """Write digits as floats in 0..scale."""
    dataset = digits.load()
    x = dataset.train.x.take(np.arange(500)).astype(np.float32)
    np.savez(folder / "own.npz", x_train=scale * x / x.max(), y_train=dataset.train.y[:500])


@pytest.mark.parametrize("seed", range(10))
def test_nothing_is_said_of_healthy_training(seed: int, tmp_path: Path) -> None:
    model = ("mlp", "lenet", "cnn")[seed % 3]
    rate = (0.02, 0.1)[seed % 2]

    one = learner(tmp_path, (seed % 3, 3), seed=seed, model=model, learning_rate=rate)

    assert findings(one, tmp_path, 3) == [None] * 4


def test_units_that_died_are_named(tmp_path: Path) -> None:
    one = learner(tmp_path, learning_rate=30.0)

    found = findings(one, tmp_path, 2)[-1]

    assert found is not None
    assert found.code == "dead-units"
    assert "100% of a layer's ReLU units" in found.text
    assert "lower learning_rate, now 30, to 7.5" in found.text


def test_dead_units_of_a_graph_of_layers_are_found(tmp_path: Path) -> None:
    image = keras.Input((2, 2, 1))
    hidden = keras.layers.Dense(4, "relu", bias_initializer=keras.initializers.Constant(-9.0))
    outputs = keras.layers.Dense(10)(hidden(keras.layers.Flatten()(image)))
    path = tmp_path / "graph.keras"
    keras.Model(image, outputs).save(path)
    blob = BlobRef(digest_of(path.name), path.stat().st_size)
    spec = SessionSpec(model="file", model_file=blob, input_shape=(2, 2, 1))
    shard = Shard(np.ones((100, 2, 2, 1), np.float32), np.arange(100) % 10)

    diagnosis = Diagnosis(spec, SessionModel(spec, str(path), allow_code=False), shard)

    assert diagnosis._dead_share() == 1.0


def test_layers_of_another_model_do_not_fail_the_diagnosis() -> None:
    name = "tests.learning.federation.own_layers:reused"
    spec = SessionSpec(model=name, input_shape=(2, 2, 1))
    shard = Shard(np.ones((100, 2, 2, 1), np.float32), np.arange(100) % 10)
    diagnosis = Diagnosis(spec, SessionModel(spec, None, allow_code=True), shard)

    diagnosis.begin({"kernel": np.ones((2, 2))})
    diagnosis.note_batch(np.array([0.1, 2.3]), 100)

    assert diagnosis.end({"kernel": np.zeros((2, 2))}) is None


def diagnose(losses: list[float], accuracy: float, rounds: int = 1) -> Finding | None:
    """What is said after rounds with these losses of batches and this accuracy."""
    x, y = np.ones((100, 2, 2, 1), np.float32), np.arange(100) % 10
    spec = SessionSpec(model="mlp", input_shape=(2, 2, 1), learning_rate=0.02)
    diagnosis = Diagnosis(spec, SessionModel(spec, None, allow_code=False), Shard(x, y))
    found = None
    for number in range(rounds):
        diagnosis.begin({"kernel": np.full((2, 2), 1.0 + number)})
        for loss in losses:
            diagnosis.note_batch(np.array([accuracy, loss]), 100)
        found = diagnosis.end({"kernel": np.full((2, 2), 2.0 + number)})
    return found


def test_a_loss_that_grows_is_named() -> None:
    found = diagnose([2.0] * 4 + [9.0] * 4, 0.5)

    assert found is not None
    assert found.text == (
        "the loss grows within a round (2 -> 9): lower learning_rate, now 0.02, to 0.005"
    )


@pytest.mark.parametrize("losses", [[0.1] * 4 + [2.2] * 4, [9.0] * 4 + [12.0] * 4, [2.0, 9.0]])
def test_a_loss_that_grows_a_little_or_is_small_is_not(losses: list[float]) -> None:
    assert diagnose(losses, 0.5) is None


def test_a_loss_that_is_not_finite_ends_the_training_with_the_setting(tmp_path: Path) -> None:
    one = learner(tmp_path, learning_rate=1e30)

    with pytest.raises(
        LearningError, match=r"not a finite number: lower learning_rate, now 1e\+30"
    ):
        findings(one, tmp_path)


def test_steps_that_are_too_small_are_named(tmp_path: Path) -> None:
    one = learner(tmp_path, learning_rate=1e-8, batch_size=10)

    *before, found = findings(one, tmp_path, 3)

    assert before == [None] * 3
    assert found is not None
    assert found.text.endswith(
        "the weights hardly change: raise learning_rate, now 1e-08, to 1e-07"
    )


def test_a_model_that_stays_at_chance_is_named() -> None:
    found = diagnose([2.3] * 100, 0.1, rounds=3)

    assert found is not None
    assert found.text == (
        "accuracy is that of a constant answer (10%) after 300 steps: check that the labels "
        "belong to the inputs, or try another learning_rate"
    )
    assert diagnose([2.3] * 100, 0.1, rounds=2) is None
    assert diagnose([2.3] * 100, 0.2, rounds=3) is None


class TestInputs:
    def test_pixels_in_0_to_255_are_named_before_training(self, tmp_path: Path) -> None:
        own(tmp_path, 255.0)

        one = learner(tmp_path, dataset="own", model="lenet", learning_rate=1e6)

        text = "inputs reach 255: divide them by 255, or store them as uint8"
        assert one.initialised.finding == Finding("inputs", text)
        with pytest.raises(LearningError, match="inputs reach 255"):
            findings(one, tmp_path)

    @pytest.mark.parametrize("scale", [1.0, 4.0])
    def test_usual_ranges_are_not(self, scale: float, tmp_path: Path) -> None:
        own(tmp_path, scale)

        assert learner(tmp_path, dataset="own").initialised.finding is None

    def test_a_model_that_scales_its_inputs_may_have_any(self, tmp_path: Path) -> None:
        own(tmp_path, 255.0)
        layers = keras.layers
        model = keras.Sequential(
            [keras.Input((8, 8, 1)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(10)]
        )
        path = tmp_path / "model.keras"
        model.save(path)
        blob = BlobRef(sha256_hex(path.read_bytes()), path.stat().st_size)

        one = learner(tmp_path, model_path=str(path), dataset="own", model="file", model_file=blob)

        assert one.initialised.finding is None
