from datetime import date
from math import nan

import numpy as np
import pandas as pd
import pytest

from swarm.core.columns import CATEGORY, DATE, NUMBER, TARGET, Column
from swarm.core.errors import DataError
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble.payloads import decode_rows
from swarm.learning.tables.reading import read_sheet
from swarm.peer.ensemble.asked_rows import encode_asked, join_rows, read_arrays, read_rows

SPEC = EnsembleSpec(
    "prices",
    "regression",
    (
        Column("area", NUMBER),
        Column("street", CATEGORY),
        Column("sold", DATE),
        Column("price", TARGET),
    ),
)
ARRAYS = EnsembleSpec("digits", "classification", (), (2, 2), ("0", "1"), metric="log-loss")


def sent(rows):
    """Rows as a member gets them."""
    return decode_rows(encode_asked(rows, SPEC), SPEC)


def test_one_mapping_is_one_row():
    rows = read_rows({"area": "1,200", "street": " Elm ", "sold": "2020-01-02"}, SPEC)

    frame = sent(rows)

    assert len(rows) == 1
    assert frame.to_dict("list") == {"area": [1200.0], "street": ["Elm"], "sold": [18263.0]}


def test_mappings_lists_frames_and_sheets_mean_the_same(tmp_path):
    records = [
        {"area": 1.5, "street": 20, "sold": date(1970, 1, 2)},
        {"area": None, "street": None, "sold": "NA"},
    ]
    columns = {"area": [1.5, nan], "street": ["20", "NA"], "sold": ["1970-01-02", ""]}
    frame = pd.DataFrame(columns).assign(sold=pd.to_datetime(["1970-01-02", None]))
    path = tmp_path / "rows.csv"
    path.write_text("street,area,sold\n20,1.5,1970-01-02\nNA,NA,NA\n")

    found = [sent(read_rows(source, SPEC)) for source in (records, columns, frame)]
    found.append(sent(read_rows(read_sheet(path), SPEC)))

    for one in found:
        pd.testing.assert_frame_equal(one, found[0])
    assert found[0]["street"].tolist() == ["20", None]
    assert found[0]["sold"].iloc[0] == 1.0
    assert np.isnan(found[0]["area"].iloc[1])


def test_what_is_left_out_or_missing_is_said():
    rows = read_rows({"area": 1.0, "price": 5, "Id": 7}, SPEC)

    assert rows.notes == (
        "asked without street, sold: taken as missing",
        "not needed and left out: Id",
    )
    assert sent(rows)["street"].tolist() == [None]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"Area": 1.0, "street": "Elm"}, "no column 'area'; did you mean 'Area'?"),
        ({"x": 1}, r"none of the ensemble's 3 columns \(area, street, sold\), got x"),
        ({"area": "big"}, "row 1: column 'area' has numbers, got 'big'"),
        ({"area": 1.0, "sold": "soon"}, "row 1: column 'sold' has dates, got 'soon'"),
        ({"area": [1, 2], "street": ["a"]}, "column 'street' must have 2 cells, got 1"),
        ({"area": []}, "at least 1, got 0"),
        ({"area": [1.0, 1e200]}, r"row 2: column 'area' must be within 1e\+150 of 0"),
        ({"area": float("inf")}, "row 1: column 'area'"),
        ({"area": 1.0, "street": ["a", object()][1:]}, "column 'street' has texts, got object"),
        (5, r"needs a data frame, or mappings of columns \(area, street, sold\), got int"),
        ("area", "got str"),
        ([], "got list"),
    ],
)
def test_rows_that_break_a_rule_are_refused_with_the_value(source, message):
    with pytest.raises(DataError, match=message):
        read_rows(source, SPEC)


def test_rows_of_several_callers_go_out_together():
    first = read_rows({"area": [1, 2], "street": ["a", "b"]}, SPEC)
    second = read_rows({"area": 3}, SPEC)

    frame = sent(join_rows([first, second]))

    assert frame["area"].tolist() == [1.0, 2.0, 3.0]
    assert frame["street"].tolist() == ["a", "b", None]


def test_the_target_stays_here_and_is_known_where_it_was_given():
    first = read_rows({"area": [1, 2], "price": [10, None]}, SPEC)
    second = read_rows({"area": 3}, SPEC)

    joined = join_rows([first, second])

    assert np.array_equal(joined.truth, [10, nan, nan], equal_nan=True)
    assert np.array_equal(joined.only(1, 2).truth, [nan, nan], equal_nan=True)
    assert list(sent(first)) == ["area", "street", "sold"]
    assert second.truth is None


def test_labels_are_known_as_places_of_classes(tmp_path):
    columns = (Column("area", NUMBER), Column("kind", TARGET))
    spec = EnsembleSpec("kinds", "classification", columns, classes=("0", "1"), metric="log-loss")
    path = tmp_path / "rows.csv"
    path.write_text("area,kind\n1,1\n2,0\n3,NA\n")

    rows = read_rows(read_sheet(path), spec)

    assert np.array_equal(rows.truth, [1, 0, nan], equal_nan=True)


def test_one_example_or_several_of_an_ensemble_of_arrays():
    one = read_rows([[0, 1], [2, 3]], ARRAYS)
    several = read_rows(np.zeros((5, 2, 2)), ARRAYS)

    assert (len(one), len(several)) == (1, 5)
    assert decode_rows(encode_asked(one, ARRAYS), ARRAYS).tolist() == [[[0, 1], [2, 3]]]
    with pytest.raises(DataError, match=r"shape \(n, 2, 2\)"):
        read_rows(np.zeros((5, 3)), ARRAYS)


def test_arrays_are_read_from_npz_files(tmp_path):
    path = tmp_path / "rows.npz"
    np.savez(path, x=np.ones((3, 2, 2)))

    assert len(read_arrays(path, ARRAYS)) == 3
    np.savez(path, z=np.ones((3, 2, 2)))
    with pytest.raises(DataError, match="must hold x, x_test or x_train, got z"):
        read_arrays(path, ARRAYS)
    path.write_text("no archive")
    with pytest.raises(DataError, match=r"must be an \.npz file"):
        read_arrays(path, ARRAYS)


def test_columns_that_are_left_out_cost_no_memory_for_each_row():
    rows = read_rows([{"area": 1.0, f"extra {n}": n} for n in range(3000)], SPEC)

    assert len(rows) == 3000
    assert rows.parts[0].tolist() == [1.0] * 3000


@pytest.mark.parametrize("column", ["area", "sold", "street"])
def test_a_whole_number_that_no_float_holds_is_refused_with_its_row(column):
    with pytest.raises(DataError, match=f"row 2: column '{column}' must be within"):
        read_rows([{"area": 1.0, column: 1}, {"area": 1.0, column: 10**400}], SPEC)
