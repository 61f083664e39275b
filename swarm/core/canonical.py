"""canonical_bytes(): one byte string per record, equal on all machines, to hash and to sign."""

import dataclasses
import hashlib
import json
from functools import cache
from typing import Any

from swarm.core.ids import Digest


def canonical_bytes(record: object) -> bytes:
    """Encode a record of dataclasses, tuples, strings, ints, floats, bools and None.

    The encoding is JSON in UTF-8, with sorted keys, without spaces and without escapes for
    non-ASCII characters. A float becomes a string, its C99 hexadecimal form, because decimal forms
    differ between languages.

    Example:
        >>> canonical_bytes((1, "a", 0.5, None))
        b'[1,"a","0x1.0000000000000p-1",null]'
    """
    return _encoded(_plain(record))


def sha256_hex(data: bytes) -> Digest:
    """Return the SHA-256 of `data` as a `Digest`."""
    return Digest(hashlib.sha256(data).hexdigest())


def digest_of(record: object, *, without: frozenset[str] = frozenset()) -> Digest:
    """Return the digest of a record's canonical bytes, less the top-level fields in `without`."""
    plain = _plain(record)
    if without:
        plain = {name: value for name, value in plain.items() if name not in without}
    return sha256_hex(_encoded(plain))


def _encoded(plain: Any) -> bytes:
    return _ENCODER.encode(plain).encode()


def _plain(value: Any) -> Any:
    kind: Any = type(value)
    if kind is str or kind is int:  # the most frequent types in a record
        return value
    fields = _fields(kind)
    if fields is not None:
        return {name: _field(is_float, getattr(value, name)) for name, is_float in fields}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value.hex()
    return value


def _field(is_float: bool, value: Any) -> Any:
    kind = type(value)
    if kind is str:
        return value
    if kind is int:  # the receiver reads a whole number in a float field as a float
        return float(value).hex() if is_float else value
    return _plain(value)


@cache
def _fields(kind: type[Any]) -> tuple[tuple[str, bool], ...] | None:
    """A dataclass's fields, and whether each is declared as a float; None for other types."""
    if not dataclasses.is_dataclass(kind):
        return None
    return tuple((field.name, field.type is float) for field in dataclasses.fields(kind))


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
