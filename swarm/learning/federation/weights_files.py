"""Weights files: safetensors, float32, with keys in the model's order."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from swarm.core.blobs import BlobRef
from swarm.learning.blob_files import write_blob
from swarm.learning.errors import ForeignWeightsError

Weights = dict[str, NDArray[np.float32]]
"""Arrays by key, in key order. Keys begin with a running number: "000/conv1/kernel"."""


def weight_key(index: int, path: str) -> str:
    """Key of a model's weight number `index`; keys sort in the model's order.

    Example:
        >>> weight_key(0, "conv1/kernel")
        '000/conv1/kernel'
    """
    return f"{index:03}/{path}"


def read_weights(path: str | Path) -> Weights:
    """Read a weights file; the file is memory-mapped while its arrays are copied.

    Raises:
        ForeignWeightsError: It is not a safetensors file, or some of it is not float32.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            keys = sorted(file.keys())
            _check_dtypes(path, {key: file.get_slice(key).get_dtype() for key in keys})
            return {key: file.get_tensor(key) for key in keys}
    except (SafetensorError, OSError) as error:
        raise ForeignWeightsError(
            f"{path} must be a safetensors file of weights: {error}"
        ) from error


def write_weights(
    weights: Mapping[str, NDArray[np.float32]], folder: str | Path
) -> tuple[Path, BlobRef]:
    """Write weights to a new file in `folder`; equal weights give equal bytes.

    Returns:
        The file's path, for its owner to move, and the digest and size of its bytes.

    Raises:
        StorageError: The file cannot be written.
    """
    data = save({key: np.ascontiguousarray(array) for key, array in weights.items()})
    return write_blob(data, folder, "weights")


def _check_dtypes(path: str | Path, dtypes: Mapping[str, str]) -> None:
    if not dtypes:
        raise ForeignWeightsError(f"{path} holds no weights")
    for key, dtype in dtypes.items():
        if dtype != "F32":
            raise ForeignWeightsError(f"weights must be float32 (F32), got {dtype} at {key}")
