"""fingerprint(): a digest of a peer's own data, to notice after a restart that they changed."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.learning.federation.shards import Shard


def fingerprint(*shards: Shard) -> str:
    """SHA-256 of names, shapes, types and values of all inputs and targets, as hexadecimal."""
    digest = hashlib.sha256()
    for shard in shards:
        inputs = shard.x if isinstance(shard.x, dict) else {"": shard.x}
        for name, array in (*sorted(inputs.items()), ("targets", shard.y)):
            digest.update(f"{name!r} {array.shape} {array.dtype}\n".encode())
            digest.update(_bytes(array))
    return digest.hexdigest()


def _bytes(array: NDArray[Any]) -> Any:
    if array.dtype.hasobject:
        return repr(array.tolist()).encode()
    return np.ascontiguousarray(array).view(np.uint8).data
