"""Tensors of the Open Inference Protocol: bytes of strangers to arrays, and arrays to bytes.

A tensor is JSON: name, shape, datatype and data. With the binary extension its data follow the
JSON part of the body instead: `parameters.binary_data_size` bytes, little-endian, row by row. A
text in a `BYTES` tensor is then its length (u32) and UTF-8.

Memory stays within a small multiple of the body: a shape only counts if the data have its size.
"""

import math
import reprlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import DataError

TEXT = "BYTES"
NUMBERS = {
    "BOOL": "|b1", "UINT8": "|u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8",
    "INT8": "|i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8",
    "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
"""Datatypes of numbers, as numpy names them."""
DIMENSIONS_MAX = 8
SIZE_MAX = 2**31
NAME_LENGTH_MAX = 256
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A named array: numbers, or objects that are text."""

    name: str
    values: NDArray[Any]


def read_tensors(inputs: Any, binary: bytes, *, tensors_max: int) -> list[Tensor]:
    """Read the input tensors of a request.

    Args:
        inputs: The list `inputs` of the request.
        binary: What follows the JSON part of the body.
        tensors_max: Most tensors that are accepted.

    Raises:
        DataError: A rule is broken; the message names the tensor, the value and the rule.
    """
    if not isinstance(inputs, list) or not 1 <= len(inputs) <= tensors_max:
        count = len(inputs) if isinstance(inputs, list) else type(inputs).__name__
        raise DataError(f"inputs must be a list of 1 to {tensors_max} tensors, got {count}")
    reader = _Binary(binary)
    tensors = [_read(one, reader) for one in inputs]
    names = [tensor.name for tensor in tensors]
    if len(set(names)) < len(names):
        raise DataError("names of inputs must differ")
    reader.finish()
    return tensors


def json_tensor(name: str, datatype: str, values: NDArray[Any]) -> dict[str, Any]:
    """Return a tensor whose data are JSON; numbers that JSON cannot express are null."""
    flat = values.ravel().tolist()
    if datatype != TEXT:
        flat = [one if math.isfinite(one) else None for one in flat]
    return {"name": name, "datatype": datatype, "shape": list(values.shape), "data": flat}


def binary_tensor(name: str, datatype: str, values: NDArray[Any]) -> tuple[dict[str, Any], bytes]:
    """Return a tensor whose data are the second value."""
    if datatype == TEXT:
        texts = [str(text).encode("utf-8", "replace") for text in values.ravel()]
        data = b"".join(_LENGTH.pack(len(text)) + text for text in texts)
    else:
        data = np.ascontiguousarray(values, NUMBERS[datatype]).tobytes()
    described = {
        "name": name,
        "datatype": datatype,
        "shape": list(values.shape),
        "parameters": {"binary_data_size": len(data)},
    }
    return described, data


def shown(value: Any) -> str:
    """A value of a stranger for a message: a few words, however deep or long it is.

    >>> shown({"a": [1, "x" * 100]})
    "{'a': [1, 'xxxxxxxxxxxx...xxxxxxxxxxxxx']}"
    """
    return reprlib.repr(value)[:80]


def _read(one: Any, reader: "_Binary") -> Tensor:
    if not isinstance(one, dict):
        raise DataError(f"an input must be an object, got {type(one).__name__}")
    name, datatype = one.get("name"), one.get("datatype")
    if not isinstance(name, str) or not 1 <= len(name) <= NAME_LENGTH_MAX:
        raise DataError(
            f"an input's name must be text of 1 to {NAME_LENGTH_MAX} characters, got {shown(name)}"
        )
    if not isinstance(datatype, str) or (datatype != TEXT and datatype not in NUMBERS):
        raise DataError(
            f"input {name!r}: datatype must be one of {', '.join((*NUMBERS, TEXT))}, "
            f"got {shown(datatype)}"
        )
    shape = _shape(name, one.get("shape"))
    size_bytes = _binary_size(name, one.get("parameters"))
    if size_bytes is None:
        values = _from_json(name, datatype, shape, one.get("data"))
    elif "data" in one:
        raise DataError(f"input {name!r} has both data and binary_data_size: give one of them")
    else:
        values = _from_binary(name, datatype, shape, reader.take(name, size_bytes))
    return Tensor(name, values.reshape(shape))


def _shape(name: str, shape: Any) -> tuple[int, ...]:
    fits = isinstance(shape, list) and 1 <= len(shape) <= DIMENSIONS_MAX
    if not fits or not all(type(n) is int and 1 <= n < SIZE_MAX for n in shape):
        raise DataError(
            f"input {name!r}: shape must have 1 to {DIMENSIONS_MAX} whole numbers of at least 1, "
            f"got {shown(shape)}"
        )
    return tuple(shape)


def _binary_size(name: str, parameters: Any) -> int | None:
    if parameters is None:
        return None
    if not isinstance(parameters, dict):
        raise DataError(
            f"input {name!r}: parameters must be an object, got {type(parameters).__name__}"
        )
    if "shared_memory_region" in parameters:
        raise DataError(f"input {name!r}: shared memory is not supported; send the data")
    size_bytes = parameters.get("binary_data_size")
    if size_bytes is not None and (type(size_bytes) is not int or size_bytes < 0):
        raise DataError(
            f"input {name!r}: binary_data_size must be a whole number of at least 0, "
            f"got {shown(size_bytes)}"
        )
    return size_bytes


def _from_json(name: str, datatype: str, shape: tuple[int, ...], data: Any) -> NDArray[Any]:
    if not isinstance(data, list):
        raise DataError(f"input {name!r}: data must be a list, got {type(data).__name__}")
    flat = list(_flattened(data))
    _check_count(name, shape, len(flat))
    if datatype == TEXT:
        return _texts(name, flat)
    for one in flat:
        if one is not None and not isinstance(one, int | float):
            raise DataError(
                f"input {name!r}: data of {datatype} must be numbers, got {shown(one)}"
            )
    try:
        numbers = np.array(flat, np.float64)  # null is NaN: a missing value
    except OverflowError as error:
        raise DataError(f"input {name!r}: a number is too large for FP64") from error
    _check_whole(name, datatype, numbers)
    return numbers


def _check_whole(name: str, datatype: str, numbers: NDArray[np.float64]) -> None:
    """Check that numbers of a datatype of whole numbers are whole, and within its range."""
    kind = np.dtype(NUMBERS[datatype])
    if kind.kind == "f":
        return
    low, high = (0, 1) if kind.kind == "b" else (np.iinfo(kind).min, np.iinfo(kind).max)
    fits = (numbers >= low) & (numbers <= high) & (numbers == np.floor(numbers))
    if not fits.all():
        raise DataError(
            f"input {name!r}: data of {datatype} must be whole numbers from {low} to {high}, "
            f"got {numbers[~fits][0]:g}"
        )


def _flattened(data: list[Any]) -> Iterator[Any]:
    """Yield the items of nested lists in order, without recursion."""
    stack = [iter(data)]
    while stack:
        for item in stack[-1]:
            if isinstance(item, list):
                stack.append(iter(item))
                break
            yield item
        else:
            stack.pop()


def _texts(name: str, flat: list[Any]) -> NDArray[np.object_]:
    for one in flat:
        if one is not None and not isinstance(one, str):
            raise DataError(f"input {name!r}: data of {TEXT} must be texts, got {shown(one)}")
    texts = np.empty(len(flat), object)
    texts[:] = flat
    return texts


def _from_binary(name: str, datatype: str, shape: tuple[int, ...], data: bytes) -> NDArray[Any]:
    if datatype == TEXT:
        texts = list(_binary_texts(name, data))
        _check_count(name, shape, len(texts))
        return _texts(name, texts)
    kind = np.dtype(NUMBERS[datatype])
    expected = math.prod(shape) * kind.itemsize
    if len(data) != expected:
        raise DataError(
            f"input {name!r}: {datatype} of shape {list(shape)} has {expected} bytes, "
            f"got {len(data)}"
        )
    if kind.kind == "b":
        return np.frombuffer(data, np.uint8).astype(bool)
    values: NDArray[Any] = np.frombuffer(data, kind)
    return values


def _binary_texts(name: str, data: bytes) -> Iterator[str]:
    place = 0
    while place < len(data):
        begin = place + _LENGTH.size
        if begin > len(data):
            raise DataError(f"input {name!r}: the length of a text is cut off")
        (size,) = _LENGTH.unpack_from(data, place)
        place = begin + size
        if place > len(data):
            raise DataError(f"input {name!r}: {place - len(data)} bytes of a text are missing")
        try:
            yield data[begin:place].decode()
        except UnicodeDecodeError as error:
            raise DataError(f"input {name!r}: a text is not UTF-8") from error


def _check_count(name: str, shape: tuple[int, ...], count: int) -> None:
    if count != math.prod(shape):
        raise DataError(
            f"input {name!r}: shape {list(shape)} has {math.prod(shape)} values, got {count}"
        )


class _Binary:
    """Hands out the bytes after the JSON part, in order."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def take(self, name: str, size_bytes: int) -> bytes:
        """Return the next bytes."""
        end = self._place + size_bytes
        if end > len(self._data):
            raise DataError(
                f"input {name!r}: {end - len(self._data)} of {size_bytes} bytes are missing"
            )
        taken = self._data[self._place : end]
        self._place = end
        return taken

    def finish(self) -> None:
        """Check that no byte is left."""
        left = len(self._data) - self._place
        if left:
            raise DataError(f"{left} bytes after the inputs belong to none of them")
