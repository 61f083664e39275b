"""Rows and answers as bytes: what is encoded comes back; anything else is refused."""

import numpy as np
import pandas as pd
import pytest

from swarm.core.errors import DataError
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble.payloads import (
    decode_answers,
    decode_coded,
    decode_rows,
    encode_answers,
    encode_rows,
)
from swarm.learning.ensemble.proposing import propose_spec
from swarm.learning.ensemble.row_tables import CodedTable

FRAME = pd.DataFrame(
    {
        "size": [1.5, 2.0, 4.0, 2.5],
        "town": ["Rome", "Oslo", None, "Rome"],
        "built": ["2020-01-31", "2019-05-01", "", "2001-12-24"],
        "price": [1.0, 2.0, 3.0, 2.0],
    }
)
SPEC: EnsembleSpec = propose_spec(FRAME, "towns", target="price", task="regression").spec
IMAGES = propose_spec((np.zeros((4, 2, 3), np.float32), np.arange(4) % 2), "images").spec


def test_rows_of_a_table_come_back_with_numbers_dates_texts_and_gaps() -> None:
    found = decode_rows(encode_rows(FRAME, SPEC), SPEC)

    assert isinstance(found, pd.DataFrame)
    assert list(found.columns) == ["size", "town", "built"]
    assert found["size"].tolist() == [1.5, 2.0, 4.0, 2.5]
    assert found["town"].tolist() == ["Rome", "Oslo", None, "Rome"]
    assert found["built"].tolist()[:2] == [18292.0, 18017.0]
    assert np.isnan(found["built"][2])


def test_coded_rows_hold_the_same_cells_as_a_frame() -> None:
    data = encode_rows(FRAME, SPEC)

    coded, frame = decode_coded(data, SPEC), decode_rows(data, SPEC)

    assert isinstance(coded, CodedTable)
    assert isinstance(frame, pd.DataFrame)
    for name, cells in coded.cells().items():
        np.testing.assert_array_equal(cells, frame[name].to_numpy())


def test_a_spec_with_one_column_takes_rows_with_one() -> None:
    spec = propose_spec(FRAME[["size", "price"]], "one", task="regression").spec

    found = decode_rows(encode_rows(FRAME[["size"]], spec), spec)

    assert found.shape == (4, 1)


def test_numbers_stored_as_text_are_numbers_and_other_texts_are_named() -> None:
    texts = FRAME.assign(size=["1,500", "2", "NA", "$3.5"])
    wrong = FRAME.assign(size=["large", "2", "3", "4"])

    found = decode_rows(encode_rows(texts, SPEC), SPEC)

    assert isinstance(found, pd.DataFrame)
    np.testing.assert_equal(found["size"].to_numpy(), [1500, 2, np.nan, 3.5])
    with pytest.raises(DataError, match=r"'size' must hold numbers, got 'large' in row 1"):
        encode_rows(wrong, SPEC)
    with pytest.raises(DataError, match="'town' is missing"):
        encode_rows(FRAME[["size", "built"]], SPEC)


def test_arrays_come_back_and_other_shapes_are_refused() -> None:
    x = np.arange(12, dtype=np.float64).reshape(2, 2, 3)

    assert np.array_equal(decode_rows(encode_rows(x, IMAGES), IMAGES), x)
    with pytest.raises(DataError, match=r"shape \(n, 2, 3\)"):
        encode_rows(x[:, :, :2], IMAGES)
    with pytest.raises(DataError, match="finite"):
        encode_rows(x * np.nan, IMAGES)


def test_pixels_are_shown_to_models_in_0_to_1() -> None:
    spec = propose_spec((np.zeros((4, 8, 8, 1), np.uint8), np.arange(4) % 2), "pixels").spec
    x = np.full((1, 8, 8, 1), 51, np.uint8)

    np.testing.assert_allclose(decode_rows(encode_rows(x, spec), spec), 0.2)


def test_answers_come_back_with_nan_and_only_in_the_shape_that_is_due() -> None:
    answers = np.array([[1.0, np.nan], [np.inf, -2.0]])
    data = encode_answers(answers)

    assert np.array_equal(decode_answers(data, 2, 2), answers, equal_nan=True)
    with pytest.raises(DataError, match=r"must have shape \(1, 4\), got \(2, 2\)"):
        decode_answers(data, 1, 4)
    with pytest.raises(DataError, match="1 bytes too many"):
        decode_answers(data + b"x", 2, 2)
    with pytest.raises(DataError, match="8 bytes are missing"):
        decode_answers(data[:-8], 2, 2)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: b"SWA1" + data[4:], "must begin with SWT1"),
        (lambda data: data[:4] + b"\0\0\0\0" + data[8:], "number of rows"),
        (lambda data: data[:4] + b"\xff\xff\xff\xff" + data[8:], "number of rows"),
        (lambda data: data[:8] + np.float64(1e300).tobytes() + data[16:], "'size' must be within"),
        (lambda data: data.replace(b"Rome", b"Ro\xff\xff"), "not UTF-8"),
        (lambda data: data + b"\0", "too many"),
        (lambda data: data[:-1], "missing"),
    ],
)
def test_bytes_that_are_no_rows_are_refused_with_a_reason(change, reason) -> None:
    with pytest.raises(DataError, match=reason):
        decode_rows(change(encode_rows(FRAME, SPEC)), SPEC)
