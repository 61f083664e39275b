"""write_blob(): writes bytes to a new file and names them by their digest."""

import hashlib
import os
import tempfile
from pathlib import Path

from swarm.core.blobs import BlobRef
from swarm.core.errors import StorageError
from swarm.core.ids import Digest


def write_blob(data: bytes, folder: str | Path, kind: str) -> tuple[Path, BlobRef]:
    """Write bytes to a new file in `folder`.

    Args:
        data: The whole content.
        folder: An existing folder.
        kind: What the file is, as in "weights"; its name begins with it.

    Returns:
        The file's path, for its owner to move, and the digest and size of its bytes.

    Raises:
        StorageError: The file cannot be written.
    """
    blob = BlobRef(Digest(hashlib.sha256(data).hexdigest()), len(data))
    try:
        descriptor, name = tempfile.mkstemp(prefix=f"{kind}-", suffix=".tmp", dir=folder)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except OSError as error:
        raise StorageError(f"cannot write a {kind} file to {folder}: {error}") from error
    return Path(name), blob
