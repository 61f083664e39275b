"""Tensors of the Open Inference Protocol: what is read, what is refused, and any bytes at all."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.ensemble.tensors import (
    NUMBERS,
    TEXT,
    Tensor,
    binary_tensor,
    json_tensor,
    read_tensors,
)
from swarm.core.errors import DataError


def read(*inputs, binary=b"", tensors_max=8):
    return read_tensors(list(inputs), binary, tensors_max=tensors_max)


def tensor(datatype="FP64", shape=(2,), data=(1.5, 2), **more):
    return {"name": "x", "datatype": datatype, "shape": list(shape), "data": list(data)} | more


def in_binary(datatype, shape, data):
    described = {"name": "x", "datatype": datatype, "shape": list(shape)}
    return read(described | {"parameters": {"binary_data_size": len(data)}}, binary=data)


def test_data_may_be_nested_or_flat():
    flat, nested = tensor(shape=(2, 2), data=(1, 2, 3, 4)), tensor(shape=(2, 2))
    nested["data"] = [[1, 2], [3, 4]]

    assert read(flat)[0].values.tolist() == read(nested)[0].values.tolist() == [[1, 2], [3, 4]]


def test_a_missing_number_is_null_and_becomes_nan():
    assert np.isnan(read(tensor(data=(None, 1)))[0].values).tolist() == [True, False]


@pytest.mark.parametrize("datatype", NUMBERS)
def test_numbers_survive_both_forms(datatype):
    values = np.array([[0], [1]], NUMBERS[datatype])

    (from_json,) = read(json_tensor("x", datatype, values))
    described, data = binary_tensor("x", datatype, values)
    (from_binary,) = read(described, binary=data)

    assert from_json.values.tolist() == from_binary.values.tolist() == values.tolist()
    assert from_binary.values.shape == (2, 1)


@given(st.lists(st.text(max_size=20), min_size=1, max_size=8))
def test_texts_survive_both_forms(texts):
    values = np.array([*texts, None], object)[:-1]
    sent = [text.encode("utf-8", "replace").decode() for text in texts]

    (from_json,) = read(json_tensor("x", TEXT, values))
    described, data = binary_tensor("x", TEXT, values)
    (from_binary,) = read(described, binary=data)

    assert from_json.values.tolist() == texts
    assert from_binary.values.tolist() == sent


def test_several_binary_tensors_follow_each_other():
    first, ones = binary_tensor("a", "FP64", np.array([1.0, 2.0]))
    second, texts = binary_tensor("b", TEXT, np.array(["x", "yy"], object))

    a, between, b = read(first, tensor(), second, binary=ones + texts)

    assert (a.values.tolist(), b.values.tolist()) == ([1, 2], ["x", "yy"])
    assert between.values.tolist() == [1.5, 2]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (tensor(name=""), "name must be text of 1 to 256"),
        (tensor(name=7), "got 7"),
        (tensor("FP128"), "datatype must be one of BOOL"),
        (tensor(datatype=None), "got None"),
        (tensor(shape=()), "shape must have 1 to 8"),
        (tensor(shape=(0,)), "at least 1, got \\[0\\]"),
        (tensor(shape=(-1,)), "got \\[-1\\]"),
        (tensor(shape=(True, 2)), "whole numbers"),
        (tensor(shape=(2**40,)), "whole numbers"),
        (tensor(shape=(1,) * 9), "1 to 8"),
        (tensor(shape=(3,)), "has 3 values, got 2"),
        (tensor(shape=(2**20, 2**20)), "values, got 2"),
        (tensor(data=("1", 2)), "must be numbers, got '1'"),
        (tensor(data=(10**400, 2)), "too large for FP64"),
        (tensor("INT8", data=(1.5, 2)), "whole numbers from -128 to 127, got 1.5"),
        (tensor("UINT8", data=(1, 256)), "from 0 to 255, got 256"),
        (tensor("INT32", data=(1, None)), "got nan"),
        (tensor("BOOL", data=(2, 0)), "from 0 to 1, got 2"),
        (tensor(TEXT, data=("a", 1)), "must be texts, got 1"),
        (tensor(data=()), "has 2 values, got 0"),
        (tensor() | {"data": "ab"}, "data must be a list, got str"),
        (tensor(parameters=[]), "parameters must be an object"),
        (tensor(parameters={"binary_data_size": 16}), "both data and binary_data_size"),
        (tensor(parameters={"binary_data_size": -1}), "at least 0, got -1"),
        (tensor(parameters={"binary_data_size": True}), "got True"),
        (tensor(parameters={"shared_memory_region": "r"}), "shared memory is not supported"),
        ("x", "an input must be an object, got str"),
    ],
)
def test_what_breaks_a_rule_is_named(wrong, words):
    with pytest.raises(DataError, match=words):
        read(wrong)


@pytest.mark.parametrize(
    ("datatype", "shape", "data", "words"),
    [
        ("FP64", (2,), b"\0" * 15, "has 16 bytes, got 15"),
        ("FP64", (2**20, 2**20), b"\0" * 8, "got 8"),
        (TEXT, (1,), b"\1\0", "length of a text is cut off"),
        (TEXT, (1,), struct.pack("<I", 2**32 - 1), "bytes of a text are missing"),
        (TEXT, (1,), struct.pack("<I", 1) + b"\xff", "not UTF-8"),
        (TEXT, (3,), struct.pack("<I", 0) * 2, "has 3 values, got 2"),
    ],
)
def test_binary_data_that_break_a_rule_are_named(datatype, shape, data, words):
    with pytest.raises(DataError, match=words):
        in_binary(datatype, shape, data)


def test_bytes_must_be_there_and_belong_to_an_input():
    described, data = binary_tensor("x", "FP64", np.array([1.0]))

    with pytest.raises(DataError, match="3 of 8 bytes are missing"):
        read(described, binary=data[:5])
    with pytest.raises(DataError, match="2 bytes after the inputs"):
        read(described, binary=data + b"ab")


@pytest.mark.parametrize("inputs", [None, {}, [], [tensor()] * 9])
def test_inputs_are_a_list_with_a_bound(inputs):
    with pytest.raises(DataError, match="inputs must be a list of 1 to 8 tensors"):
        read_tensors(inputs, b"", tensors_max=8)


def test_names_differ():
    with pytest.raises(DataError, match="names of inputs must differ"):
        read(tensor(), tensor())


def test_deeply_nested_data_are_no_danger():
    data: list[object] = [1.0]
    for _ in range(100_000):
        data = [data]

    assert read(tensor(shape=(1,), data=data))[0].values.tolist() == [1.0]


def test_numbers_that_json_cannot_express_are_null():
    assert json_tensor("x", "FP64", np.array([np.nan, np.inf, 1.0]))["data"] == [None, None, 1.0]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
NEARLY = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["x", "y"]) | JSON,
        "datatype": st.sampled_from([*NUMBERS, TEXT]) | JSON,
        "shape": st.lists(st.integers(-1, 4), max_size=3) | JSON,
    },
    optional={
        "data": st.lists(st.integers(0, 1) | st.text(max_size=3), max_size=4) | JSON,
        "parameters": st.fixed_dictionaries({"binary_data_size": st.integers(-1, 40)}) | JSON,
    },
)


@settings(max_examples=300, deadline=None)
@given(st.lists(NEARLY | JSON, max_size=3) | JSON, st.binary(max_size=64))
def test_anything_is_read_or_refused(inputs, binary):
    try:
        tensors = read_tensors(inputs, binary, tensors_max=4)
    except DataError:
        return

    assert all(isinstance(one, Tensor) and one.values.size for one in tensors)
