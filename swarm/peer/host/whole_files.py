"""Files that are written whole, then renamed into place: a reader never sees half of one."""

import json
from pathlib import Path

from swarm.core.errors import StorageError


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, and its folder if it is missing.

    Raises:
        StorageError: The disk refused the write.
    """
    temporary = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error


def write_json(path: Path, value: object) -> None:
    """Write a value as a JSON file; see `write_whole`."""
    write_whole(path, (json.dumps(value, indent=2) + "\n").encode())
