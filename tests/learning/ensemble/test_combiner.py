"""The trained combiner: its inputs, its file, and what it learns."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from swarm.core.errors import DataError
from swarm.ensemble.records import CombinerRecord
from swarm.learning.ensemble.combiner import (
    Combiner,
    combiner_examples,
    combiner_session,
    held_out,
)
from swarm.learning.ensemble.combining import combine, residuals
from tests.harness.combiner_rounds import train_combiner
from tests.learning.ensemble.members import (
    ANIMALS,
    PRICES,
    World,
    answer_of,
    owner_of,
    version_of,
)

TRAINED = replace(PRICES, combination="trained")
RECORD = CombinerRecord((version_of(0), version_of(1)), (0.75, 0.25), scale=0.5)


def layers_of(*sizes: int) -> dict[str, np.ndarray]:
    arrays = {}
    for number, (before, after) in enumerate(itertools.pairwise(sizes)):
        arrays[f"{2 * number:03}/kernel"] = np.zeros((before, after), np.float32)
        arrays[f"{2 * number + 1:03}/bias"] = np.full(after, 0.5, np.float32)
    return arrays


def combiner_of(tmp_path: Path, **arrays: np.ndarray) -> Combiner:
    path = tmp_path / "combiner.safetensors"
    save_file(layers_of(2, 4, 1) | arrays, path)
    return Combiner.load(TRAINED, RECORD, path)


def test_a_combiner_corrects_the_default_by_its_output(tmp_path: Path) -> None:
    combiner = combiner_of(tmp_path)  # its output is 0.5 whatever it sees

    combined = combine(
        TRAINED, [], [answer_of(0, [10.0]), answer_of(1, [12.0])], combiner=combiner
    )

    assert combined.rule == "trained"
    assert np.log1p(combined.values) == pytest.approx([10.5 + 0.5 * 0.5])


def test_without_one_member_the_others_stand_in_for_it(tmp_path: Path) -> None:
    combiner = combiner_of(tmp_path)

    combined = combine(TRAINED, [], [answer_of(1, [12.0])], combiner=combiner)

    assert np.log1p(combined.values) == pytest.approx([12.25])


def test_a_combiner_of_other_models_is_not_used_and_the_answer_says_so(tmp_path: Path) -> None:
    combined = combine(TRAINED, [], [answer_of(7, [12.0])], combiner=combiner_of(tmp_path))

    assert combined.rule == "skill"
    assert combined.notes[0].startswith("there is no trained combiner of these models yet")


def test_the_examples_are_differences_from_the_default_in_units_of_the_scale() -> None:
    stack = np.array([[[10.0]] * 10, [[12.0]] * 10])

    examples = combiner_examples(TRAINED, RECORD, stack, np.full(10, 11.0))

    assert examples["x_train"].tolist() == [[-1.0, 3.0]] * 7
    assert examples["y_train"].tolist() == [[1.0]] * 7
    assert len(examples["x_test"]) == 3
    assert held_out(10, TRAINED.seed).sum() == 3


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (layers_of(3, 4, 1), "layers must fit"),
        (layers_of(2, 4, 2), "layers must fit"),
        ({"000/kernel": np.zeros((2, 1), np.float32)}, "layers must fit"),
        (layers_of(2, 1) | {"001/bias": np.full(1, np.nan, np.float32)}, "must be finite"),
        ({"000/kernel": np.zeros(2, np.float32), "001/bias": np.zeros(1, np.float32)}, "layers"),
    ],
)
def test_a_file_that_is_no_such_combiner_is_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], message: str
) -> None:
    path = tmp_path / "combiner.safetensors"
    save_file(arrays, path)

    with pytest.raises(DataError, match=message):
        Combiner.load(TRAINED, RECORD, path)


def test_bytes_that_are_no_file_of_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "combiner.safetensors"
    path.write_bytes(b"nonsense" * 10)

    with pytest.raises(DataError, match="safetensors"):
        Combiner.load(TRAINED, RECORD, path)


def test_the_session_has_an_input_for_each_output_of_each_model() -> None:
    record = CombinerRecord((version_of(0), version_of(1)), (0.5, 0.5), scale=1.0)

    session = combiner_session(ANIMALS, record, rounds=5, min_peers=2)

    assert (session.input_shape, session.num_classes, session.task) == ((6,), 3, "classification")
    assert combiner_session(TRAINED, RECORD, rounds=5, min_peers=2).task == "regression"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't:DeprecationWarning")
def test_trained_on_skewed_experts_it_learns_which_one_to_believe(tmp_path: Path) -> None:
    """Each of two models knows one of three classes and is sure of nothing else (FENS, 5.2)."""
    spec = replace(ANIMALS, combination="trained")
    record = CombinerRecord((version_of(0), version_of(1)), (0.5, 0.5), scale=1.0)
    rng = np.random.default_rng(0)

    def ask(truth: np.ndarray) -> np.ndarray:
        stack = np.full((2, len(truth), 3), 0.05)
        for k in range(2):
            stack[k, truth == k] = np.roll([0.6, 0.2, 0.2], k)
            stack[k, truth != k, 2] = 0.9  # what it does not know, it calls an owl
        return stack

    parts = [rng.choice(3, 200, p=shares) for shares in ([0.8, 0.1, 0.1], [0.1, 0.8, 0.1])]
    truth = rng.integers(0, 3, 300)

    combiner = train_combiner(spec, record, [(ask(part), part) for part in parts], tmp_path)

    stack = ask(truth)
    answers = [answer_of(k, stack[k].tolist()) for k in range(2)]
    trained = combine(spec, [], answers, combiner=combiner)
    mean = combine(replace(spec, combination="mean"), [], answers)
    assert trained.rule == "trained"
    assert (trained.values.argmax(axis=1) == truth).mean() > 0.95
    assert (mean.values.argmax(axis=1) == truth).mean() < 0.7


def test_residuals_of_a_trained_combiner_are_of_rows_that_it_was_not_trained_on(
    tmp_path: Path,
) -> None:
    world = World(TRAINED, (0.1, 0.2))
    truth = world.truth(100)
    stack = np.stack([answer.values for answer in world.ask(truth)])
    models = [(owner_of(k), version_of(k)) for k in range(2)]

    found = residuals(TRAINED, models, [], stack, truth, combiner=combiner_of(tmp_path))

    assert found is not None
    assert (found.combination, found.num_rows) == ("trained", 30)
