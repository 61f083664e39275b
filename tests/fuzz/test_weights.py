"""Weights files of strangers: damaged, with other shapes, with values that are not numbers."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from swarm.learning.errors import ForeignWeightsError
from swarm.learning.federation.gates import finite_fault, norm_faults, schema_fault, update_norm
from swarm.learning.federation.weights_files import Weights, read_weights
from tests.fuzz.mutations import mutated, noise, seeded

SEED = int(os.environ.get("FUZZ_SEED", "1"))
BASE: Weights = {
    "000/dense/kernel": np.ones((4, 3), np.float32),
    "001/dense/bias": np.zeros(3, np.float32),
}


def passes(path: Path) -> bool:
    """Return whether a file passes the gates, in the way a combining worker applies them."""
    try:
        weights = read_weights(path)
    except ForeignWeightsError:
        return False
    if schema_fault(BASE, weights) or finite_fault(weights):
        return False
    norm = update_norm(BASE, weights)
    return not norm_faults({"a": 1.0, "b": 1.0, "c": norm}, norm_bound=10.0)


def test_damaged_files_are_refused_or_have_the_right_shapes_and_numbers(tmp_path: Path) -> None:
    random, path = seeded(SEED), tmp_path / "weights"
    valid = [save(BASE), save({key: array * 2 for key, array in BASE.items()}), _lying_header()]
    num_passed = 0

    for _ in range(1500):
        path.write_bytes(mutated(random, valid) if random.random() < 0.9 else noise(random, 400))
        num_passed += passes(path)

    assert 0 < num_passed < 1500


def _lying_header() -> bytes:
    header = json.dumps(
        {"x": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 2**62]}}
    ).encode()
    return len(header).to_bytes(8, "little") + header


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_values_that_would_spoil_the_mean_do_not_pass(value: float, tmp_path: Path) -> None:
    random, path = seeded(SEED), tmp_path / "weights"
    weights = {key: array.copy() for key, array in BASE.items()}
    weights["001/dense/bias"][random.randrange(3)] = value
    path.write_bytes(save(weights))

    assert not passes(path)


@pytest.mark.parametrize(
    "weights",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"000/dense/kernel": BASE["000/dense/kernel"]}, id="one-missing"),
        pytest.param(BASE | {"002/x": np.zeros(1, np.float32)}, id="one-more"),
        pytest.param(BASE | {"001/dense/bias": np.zeros(4, np.float32)}, id="longer"),
        pytest.param(BASE | {"001/dense/bias": np.zeros((3, 1), np.float32)}, id="shape"),
        pytest.param(BASE | {"001/dense/bias": np.zeros(3, np.float64)}, id="float64"),
        pytest.param(BASE | {"001/dense/bias": np.zeros(3, np.int32)}, id="int32"),
        pytest.param(BASE | {"001/dense/bias": np.zeros(0, np.float32)}, id="empty"),
    ],
)
def test_other_schemas_do_not_pass(weights: Weights, tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(save(weights))

    assert not passes(tmp_path / "weights")
