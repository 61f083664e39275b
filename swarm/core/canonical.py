"""canonical_bytes(): one byte string per record, the same everywhere, to hash and to sign."""

import dataclasses
import hashlib
import json
from typing import Any

from swarm.core.ids import Digest


def canonical_bytes(record: object) -> bytes:
    """Encode a record of dataclasses, tuples, strings, ints, floats, bools and None.

    JSON with sorted keys, no spaces, non-ASCII characters as they are (UTF-8). Floats become the
    string of their C99 hexadecimal form, because decimal forms differ between languages.

    Example:
        >>> canonical_bytes((1, "a", 0.5, None))
        b'[1,"a","0x1.0000000000000p-1",null]'
    """
    return json.dumps(
        _plain(record), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()


def sha256_hex(data: bytes) -> Digest:
    """SHA-256 of `data` as a `Digest`."""
    return Digest(hashlib.sha256(data).hexdigest())


def digest_of(record: object, *, without: frozenset[str] = frozenset()) -> Digest:
    """Digest of a record's canonical bytes, less the top-level fields named in `without`."""
    plain = _plain(record)
    if without:
        plain = {name: value for name, value in plain.items() if name not in without}
    return sha256_hex(canonical_bytes(plain))


def _field(hint: object, value: Any) -> Any:
    # A whole number in a field of floats arrives as a float on the other side.
    return _plain(float(value) if hint is float and type(value) is int else value)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _field(f.type, getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value.hex()
    return value
