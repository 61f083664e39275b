from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from swarm.core.canonical import sha256_hex
from swarm.core.errors import StorageError
from swarm.learning.errors import ForeignWeightsError
from swarm.learning.federation.weights_files import (
    Weights,
    read_weights,
    weight_key,
    write_weights,
)


def test_weights_survive_a_file(tmp_path: Path) -> None:
    path, blob = write_weights(_weights(), tmp_path)

    read = read_weights(path)

    assert list(read) == ["000/conv/kernel", "001/conv/bias"]
    for key, array in _weights().items():
        np.testing.assert_array_equal(read[key], array)
    assert blob.digest == sha256_hex(path.read_bytes())
    assert blob.size_bytes == path.stat().st_size


def test_equal_weights_give_equal_bytes_in_any_order_of_keys(tmp_path: Path) -> None:
    backwards = dict(reversed(_weights().items()))

    assert write_weights(_weights(), tmp_path)[1] == write_weights(backwards, tmp_path)[1]


def test_arrays_that_are_not_contiguous_are_written_correctly(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3).T

    path, _ = write_weights({"a": array}, tmp_path)

    np.testing.assert_array_equal(read_weights(path)["a"], array)


def test_keys_sort_as_the_model_orders_its_weights() -> None:
    keys = [weight_key(index, "dense/kernel") for index in range(200)]

    assert sorted(keys) == keys


@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 7, b"\xff" * 64, b"\x08\0\0\0\0\0\0\0not json", b"PK\x03\x04"]
)
def test_foreign_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "foreign"
    path.write_bytes(content)

    with pytest.raises(ForeignWeightsError, match="foreign"):
        read_weights(path)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path, _ = write_weights(_weights(), tmp_path)
    path.write_bytes(path.read_bytes()[:-4])

    with pytest.raises(ForeignWeightsError):
        read_weights(path)


def test_other_dtypes_are_refused_by_name(tmp_path: Path) -> None:
    save_file({"a": np.zeros(2, np.float64)}, tmp_path / "f64")

    with pytest.raises(ForeignWeightsError, match="got F64 at a"):
        read_weights(tmp_path / "f64")


def test_a_file_without_weights_is_refused(tmp_path: Path) -> None:
    save_file({}, tmp_path / "empty")

    with pytest.raises(ForeignWeightsError, match="no weights"):
        read_weights(tmp_path / "empty")


def test_a_missing_folder_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        write_weights(_weights(), tmp_path / "missing")


def _weights() -> Weights:
    return {
        "000/conv/kernel": np.arange(6, dtype=np.float32).reshape(1, 2, 3),
        "001/conv/bias": np.ones(3, np.float32),
    }
