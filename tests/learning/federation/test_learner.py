import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from swarm.core.data_summary import DataSummary
from swarm.core.errors import (
    ConfigurationError,
    DataError,
    LearningError,
    NoContributionsError,
    ShapeMismatchError,
)
from swarm.core.session import SessionSpec
from swarm.learning.backend import keras
from swarm.learning.data_config import DataConfig
from swarm.learning.datasets import digits, synthetic10
from swarm.learning.errors import TrainingCancelledError
from swarm.learning.federation import jobs
from swarm.learning.federation.batches import Clock
from swarm.learning.federation.learner import Learner
from swarm.learning.federation.weights_files import read_weights, write_weights
from swarm.learning.progress import Progress

pytestmark = [
    pytest.mark.slow,
    # Keras 3.15 converts TensorFlow's variables in a way that numpy 2 warns about.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't:DeprecationWarning"),
]

SPEC = SessionSpec(
    model="mlp",
    dataset="digits",
    input_shape=(8, 8, 1),
    batch_size=32,
    learning_rate=0.1,
    learning_rate_decay=0.9,
    seed=3,
)


@pytest.fixture(scope="module")
def learner() -> Learner:
    return _learner(SPEC, 1, 3)


@pytest.fixture
def base(learner: Learner, tmp_path: Path) -> str:
    return learner.create_weights(jobs.CreateWeights(str(tmp_path))).path


class TestInitialise:
    def test_it_reports_its_data_and_model(self, learner: Learner) -> None:
        assert len(learner.initialised.fingerprint) == 64
        assert replace(learner.initialised, fingerprint="") == jobs.Initialised(
            dataset_label="digits",
            stand_in=False,
            num_train=479,
            num_test=120,
            num_parameters=4810,
            data=DataSummary(0.0, 1.0, 0.305, 0.375, 10),
        )

    def test_the_session_limits_the_size_of_shards(self) -> None:
        assert _learner(replace(SPEC, examples_per_peer_max=50)).initialised.num_train == 50

    def test_data_of_another_shape_is_refused(self) -> None:
        with pytest.raises(DataError, match=r"\(8, 8, 1\).*\(28, 28, 1\)"):
            _learner(replace(SPEC, input_shape=(28, 28, 1)))

    def test_more_classes_than_the_session_has_are_refused(self) -> None:
        with pytest.raises(DataError, match="10 classes, the session has 9"):
            _learner(replace(SPEC, num_classes=9))

    def test_a_model_that_is_code_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="code"):
            _learner(replace(SPEC, model="os:getcwd"))


class TestTrain:
    def test_the_same_training_gives_the_same_bytes(self, learner: Learner, base: str) -> None:
        first = _train(learner, base, 1)
        _train(learner, first.path, 2)  # must not change what follows
        again = _train(learner, base, 1)

        assert again.blob == first.blob

    def test_another_process_would_train_the_same(self, learner: Learner, base: str) -> None:
        twin = _learner(SPEC, 1, 3)

        twin_base = twin.create_weights(jobs.CreateWeights(str(Path(base).parent)))

        assert Path(twin_base.path).read_bytes() == Path(base).read_bytes()
        assert _train(twin, base, 4).blob == _train(learner, base, 4).blob

    def test_rounds_and_peers_shuffle_differently(self, learner: Learner, base: str) -> None:
        assert _train(learner, base, 1).blob != _train(learner, base, 2).blob

    def test_it_learns(self, learner: Learner, base: str) -> None:
        first = _train(learner, base, 1)
        path = first.path
        for number in range(2, 8):
            path = _train(learner, path, number).path
        last = learner.evaluate_weights(jobs.EvaluateWeights(path))

        assert first.evaluation.accuracy < 0.4
        assert last.accuracy > 0.8
        assert last.loss < first.evaluation.loss

    def test_the_base_is_evaluated_before_training(self, learner: Learner, base: str) -> None:
        trained = _train(learner, base, 1)

        assert trained.evaluation == learner.evaluate_weights(jobs.EvaluateWeights(base))
        assert learner.progress().evaluation == trained.evaluation
        assert trained.num_examples == 479

    def test_train_accuracy_is_that_of_the_whole_epoch(self, tmp_path: Path) -> None:
        frozen = _learner(replace(SPEC, learning_rate=1e-9, batch_size=100))
        base = frozen.create_weights(jobs.CreateWeights(str(tmp_path))).path

        trained = _train(frozen, base, 1)

        correct, loss = _accuracy_and_loss_on_digits(base)
        assert trained.train_accuracy == pytest.approx(correct, abs=1e-6)
        assert trained.train_loss == pytest.approx(loss, rel=1e-4)

    def test_progress_goes_up_to_one_through_both_phases(
        self, learner: Learner, base: str
    ) -> None:
        seen: list[Progress] = []

        def watch() -> bool:
            seen.append(learner.progress())
            return True

        learner.train(jobs.Train(base, 1, str(Path(base).parent)), watch)

        assert [p.phase for p in seen] == ["evaluating"] + ["training"] * 15
        assert [p.evaluation is not None for p in seen] == [p.phase == "training" for p in seen]
        assert seen[-1].fraction == 1.0
        assert seen[-1].train_accuracy is not None

    def test_it_is_cancelled_between_batches(self, learner: Learner, base: str) -> None:
        answers: Iterator[bool] = iter([True, True, True, False])

        with pytest.raises(TrainingCancelledError):
            learner.train(jobs.Train(base, 1, str(Path(base).parent)), lambda: next(answers))

        assert next(answers, None) is None

    def test_a_round_of_steps_goes_on_where_the_last_one_ended(self, tmp_path: Path) -> None:
        learner = _learner(replace(SPEC, local_steps=5))
        base = learner.create_weights(jobs.CreateWeights(str(tmp_path))).path

        def train(position: int | None) -> jobs.Trained:
            return learner.train(jobs.Train(base, 2, str(tmp_path), position), lambda: True)

        first = train(0)
        second = train(first.position)

        assert (first.num_examples, first.position, second.position) == (160, 160, 320)
        assert second.blob != first.blob

    def test_time_ends_a_round_and_evaluation_is_not_counted(self, tmp_path: Path) -> None:
        now_s = 0.0
        learner = _learner(replace(SPEC, round_seconds=5), clock=lambda: now_s)
        base = learner.create_weights(jobs.CreateWeights(str(tmp_path))).path

        def between_batches() -> bool:
            nonlocal now_s
            now_s += 2 if learner.progress().phase == "training" else 100
            return True

        trained = learner.train(jobs.Train(base, 1, str(tmp_path)), between_batches)

        assert trained.num_examples == 3 * 32

    def test_weights_of_another_model_are_refused(self, learner: Learner, tmp_path: Path) -> None:
        path, _ = write_weights({"000/a": np.zeros(3, np.float32)}, tmp_path)

        with pytest.raises(ShapeMismatchError, match="mlp"):
            _train(learner, str(path), 1)

    def test_divergence_is_an_error_that_says_so(self, tmp_path: Path) -> None:
        wild = _learner(replace(SPEC, learning_rate=1e30))
        base = wild.create_weights(jobs.CreateWeights(str(tmp_path))).path

        with pytest.raises(LearningError, match=r"diverged.*lower learning_rate"):
            _train(wild, base, 1)

    def test_adam_forgets_its_moments_between_rounds(self, tmp_path: Path) -> None:
        learner = _learner(replace(SPEC, optimizer="adam", learning_rate=0.01))
        base = learner.create_weights(jobs.CreateWeights(str(tmp_path))).path

        assert _train(learner, base, 1).blob == _train(learner, base, 1).blob


def test_weighted_accuracy_of_all_peers_is_that_of_the_whole_test_split(
    learner: Learner, base: str
) -> None:
    trained = _train(learner, base, 1).path
    whole = _learner(SPEC).evaluate_weights(jobs.EvaluateWeights(trained))

    shards = [
        _learner(SPEC, k, 3).evaluate_weights(jobs.EvaluateWeights(trained)) for k in range(3)
    ]

    num_correct = sum(shard.accuracy * shard.num_examples for shard in shards)
    assert num_correct / whole.num_examples == pytest.approx(whole.accuracy, abs=1e-12)


class TestCombine:
    def test_invalid_inputs_are_rejected_with_reasons_and_the_rest_is_averaged(
        self, learner: Learner, base: str, tmp_path: Path
    ) -> None:
        moved = [_moved(base, 0.1 * k, tmp_path) for k in (1, 2, 3)]
        junk = tmp_path / "junk"
        junk.write_bytes(b"junk")
        inputs = [*moved, _moved(base, np.nan, tmp_path), _moved(base, 1e3, tmp_path), str(junk)]

        combined = learner.combine(_combine(base, inputs, tmp_path))

        assert [r.name for r in combined.rejected] == ["3", "5", "4"]
        assert "finite" in combined.rejected[0].reason
        assert "safetensors" in combined.rejected[1].reason
        assert "median" in combined.rejected[2].reason
        expected = (0.1 * 1 + 0.2 * 2 + 0.3 * 3) / 6
        for key, array in read_weights(base).items():
            got = read_weights(combined.path)[key]
            np.testing.assert_allclose(got, array + expected, atol=1e-6)

    def test_only_invalid_inputs_are_an_error_with_the_reasons(
        self, learner: Learner, base: str, tmp_path: Path
    ) -> None:
        with pytest.raises(NoContributionsError, match="0: weights must be finite"):
            learner.combine(_combine(base, [_moved(base, np.inf, tmp_path)], tmp_path))

    def test_no_inputs_are_an_error(self, learner: Learner, base: str, tmp_path: Path) -> None:
        with pytest.raises(NoContributionsError):
            learner.combine(_combine(base, [], tmp_path))

    def test_it_does_not_disturb_a_training(
        self, learner: Learner, base: str, tmp_path: Path
    ) -> None:
        undisturbed = _train(learner, base, 1)
        job = _combine(base, [_moved(base, 1.0, tmp_path)], tmp_path)

        def between_batches() -> bool:
            learner.combine(job)
            return True

        disturbed = learner.train(jobs.Train(base, 1, str(tmp_path)), between_batches)

        assert disturbed.blob == undisturbed.blob


def test_an_exported_model_predicts_as_the_weights_do(
    learner: Learner, base: str, tmp_path: Path
) -> None:
    path = tmp_path / "runs" / "model.keras"

    exported = learner.export(jobs.Export(base, str(path)))

    model = keras.saving.load_model(exported.path)
    weights = list(read_weights(base).values())
    for ours, theirs in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert [p.name for p in path.parent.iterdir()] == ["model.keras"]


def test_accuracy_on_generated_images_climbs_from_round_to_round(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    cache = tmp_path_factory.mktemp("cache")
    spec = SessionSpec(
        model="cnn", dataset="synthetic10", local_steps=80, test_examples_per_peer_max=2000
    )
    learner = _learner(spec, cache=cache)
    path = learner.create_weights(jobs.CreateWeights(str(cache))).path

    accuracies = []
    for number in range(1, 5):
        trained = _train(learner, path, number)
        accuracies.append(trained.evaluation.accuracy)
        path = trained.path

    untrained, first, second, third = accuracies
    assert learner.initialised.dataset_label == synthetic10.LABEL
    assert learner.initialised.stand_in
    assert untrained < 0.2
    assert 0.25 < first < 0.7  # neither a plateau nor a jump
    assert first + 0.03 < third < 0.9
    assert second > first - 0.1


def _learner(
    spec: SessionSpec,
    index: int = 0,
    count: int = 1,
    cache: Path | None = None,
    clock: Clock = time.perf_counter,
) -> Learner:
    data = DataConfig(
        dataset=spec.dataset,
        cache_dir=str(cache),
        partition_index=index,
        partition_count=count,
    )
    return Learner(jobs.Initialise(spec, data), clock=clock)


def _train(learner: Learner, base: str, round_number: int) -> jobs.Trained:
    return learner.train(jobs.Train(base, round_number, str(Path(base).parent)), lambda: True)


def _moved(base: str, offset: float, folder: Path) -> str:
    weights = {key: array + np.float32(offset) for key, array in read_weights(base).items()}
    return str(write_weights(weights, folder)[0])


def _combine(base: str, paths: list[str], folder: Path) -> jobs.Combine:
    """A combination of files: input k is named k and has k + 1 examples."""
    inputs = tuple(jobs.CombineInput(str(k), path, k + 1) for k, path in enumerate(paths))
    return jobs.Combine(base, inputs, str(folder))


def _accuracy_and_loss_on_digits(weights_path: str) -> tuple[float, float]:
    """Accuracy of an mlp with these weights on the training split, computed by NumPy."""
    kernel1, bias1, kernel2, bias2 = read_weights(weights_path).values()
    split = digits.load().train
    x = split.x.take(np.arange(len(split.y))).reshape(len(split.y), -1)
    outputs = np.maximum(x @ kernel1 + bias1, 0) @ kernel2 + bias2
    log_p = outputs - np.log(np.exp(outputs).sum(axis=1, keepdims=True))
    accuracy = (outputs.argmax(axis=1) == split.y).mean()
    return float(accuracy), float(-log_p[np.arange(len(split.y)), split.y].mean())
