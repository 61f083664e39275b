"""The one reader of tables: what people's files look like, and what is refused by its place."""

import contextlib
import datetime
import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from swarm.core.errors import DataError
from swarm.learning.tables.canonical_csv import canonical_csv
from swarm.learning.tables.csv_file import read_csv
from swarm.learning.tables.reading import ENDINGS, read_sheet
from swarm.learning.tables.sheet import Sheet
from swarm.search.catalog import TABLE_ENDINGS

pd: Any = importlib.import_module("pandas")


def _read(text: str, encoding: str = "utf-8") -> Sheet:
    return read_csv(text.encode(encoding), "own.csv").sheet()


def _columns(sheet: Sheet) -> dict[str, tuple[str, list[Any]]]:
    return {
        column.name: (
            column.kind,
            [
                None if gap else value
                for gap, value in zip(column.missing, column.values, strict=True)
            ],
        )
        for column in sheet.columns
    }


def test_a_study_may_name_every_file_that_the_reader_reads() -> None:
    assert tuple(f".{ending}" for ending in TABLE_ENDINGS) == ENDINGS


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("a,b\n1,x\n2,y\n", "',' between values"),
        ("a;b\n1,5;x\n2;y\n", "';' between values, decimal commas"),
        ("a;b\n1.5;x\n2;y\n", "';' between values"),
        ("a\tb\n1\tx, y and z\n2\ty\n", "tab between values"),
        ("a|b\n1|x\n2|y\n", "'|' between values"),
        ("sep=;\na;b\n1,5;x\n2;y\n", "';' between values, decimal commas"),
        ('a,b\n"1,5",x\n2,y\n', "',' between values, decimal commas"),
        ("a;b\n1,5;x, y\n2,5;z, u\n", "';' between values, decimal commas"),
    ],
)
def test_delimiter_and_decimals_are_found_and_said(text: str, summary: str) -> None:
    sheet = _read(text)

    assert sheet.summary == f"own.csv: 2 rows, 2 columns, {summary}"
    assert [column.kind for column in sheet.columns] == ["number", "text"]


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-16", ", UTF-16"),
        ("utf-16-le", ", UTF-16-LE"),
        ("utf-16-be", ", UTF-16-BE"),
        ("utf-32", ", UTF-32"),
        ("cp1252", ", cp1252"),
    ],
)
def test_encodings_of_exports(encoding: str, shown: str) -> None:
    rows = "".join(f"{i},{city}\n" for i, city in enumerate(["Zürich", "Málaga", "Orléans"] * 9))

    sheet = _read("größe,città\n" + rows, encoding)

    assert sheet.names == ("größe", "città")
    assert set(sheet.columns[1].values) == {"Zürich", "Málaga", "Orléans"}
    assert sheet.details == "',' between values" + shown


@pytest.mark.parametrize(
    ("encoding", "cities"),
    [
        ("cp1250", ["Łódź", "Kraków", "Wrocław"]),
        ("cp1251", ["Москва", "Казань", "Омск"]),
        ("cp1253", ["Αθήνα", "Πάτρα"]),
        ("cp932", ["東京", "大阪"]),
        ("gb18030", ["北京", "上海"]),
    ],
)
def test_encodings_of_other_languages(encoding: str, cities: list[str]) -> None:
    rows = "".join(f"{i},{city}\n" for i, city in enumerate(cities * 9))

    sheet = _read("id,name\n" + rows, encoding)

    assert set(sheet.columns[1].values) == set(cities)
    assert encoding in sheet.summary


def test_numbers_as_people_write_them() -> None:
    sheet = _read(
        "point;grouped;euro;percent;spaces;missing\n"
        '1.5;"1,234.5";€ 12.50;10%;12 000;NA\n'
        "2e3;2,000;13 €;12.5 %;1 234 567;-\n"
        "-.5;3;€1,200.00;0%;12;7\n"
    )

    assert _columns(sheet) == {
        "point": ("number", [1.5, 2000.0, -0.5]),
        "grouped": ("number", [1234.5, 2000.0, 3.0]),
        "euro": ("number", [12.5, 13.0, 1200.0]),
        "percent": ("number", [10.0, 12.5, 0.0]),
        "spaces": ("number", [12_000.0, 1_234_567.0, 12.0]),
        "missing": ("number", [None, None, 7.0]),
    }


def test_points_group_thousands_where_commas_separate_decimals() -> None:
    sheet = _read("a;b;c\n1,5;1.234;1.234,5\n2,5;2.345;1\n")

    assert _columns(sheet)["b"] == ("number", [1234.0, 2345.0])
    assert _columns(sheet)["c"] == ("number", [1234.5, 1.0])
    assert _columns(_read("a,b\n1.234,x\n2.345,y\n"))["a"] == ("number", [1.234, 2.345])
    assert _columns(_read('a,b\n"1,234",1.5\n"2,345",2\n'))["a"] == ("number", [1234.0, 2345.0])
    assert _columns(_read("a;b\n1,234;x\n2,345;y\n"))["a"] == ("number", [1.234, 2.345])


def test_dates_become_days_and_an_unclear_order_is_said() -> None:
    sheet = _read(
        "iso,german,american,time\n"
        "1970-01-02,03.01.1970,1/13/1970,1970-01-01T12:00:00Z\n"
        "1970-02-01,01.02.1970,2/1/1970,1970-01-01T14:00:00+02:00\n"
    )

    assert _columns(sheet) == {
        "iso": ("date", [1.0, 31.0]),
        "german": ("date", [2.0, 31.0]),
        "american": ("date", [12.0, 31.0]),
        "time": ("date", [0.5, 0.5]),
    }
    assert sheet.notes == (
        "dates of column 'german' are read as day, month, year, as in '03.01.1970'",
    )


def test_texts_stay_texts_and_booleans_have_one_spelling() -> None:
    sheet = _read("a,b,c\nNone,TRUE,00x\nBrick,false,?\nnull,,1\n")

    assert _columns(sheet) == {
        "a": ("text", ["None", "Brick", None]),
        "b": ("text", ["true", "false", None]),
        "c": ("text", ["00x", None, "1"]),
    }


def test_row_numbers_of_pandas_and_empty_ends_of_lines_are_left_out() -> None:
    sheet = _read(",a,b,\n0,1,x,\n1,2,y,\n")

    assert sheet.names == ("a", "b")
    assert "row numbers" in sheet.notes[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "own.csv is empty"),
        (" \n\n", "own.csv is empty"),
        ("a;b\n", "own.csv must have at least 1 line of values after the column names"),
        ("only\n1\n2\n", "must begin with a line of at least 2 column names"),
        ("1;2\n3;4\n", "must begin with a line of column names, got numbers: 1, 2"),
        ("a;a;b\n1;2;3\n", "column names must differ, 'a' is there 2 times"),
        ("a;;b\n1;2;3\n", "column names must not be empty, column 2 has none"),
        ("a;b\n1;2\n1;2;3\n", "own.csv, line 3: 2 values expected, got 3"),
        ('a;b\n"1\n1";2\n1\n', "own.csv, line 4: 2 values expected, got 1"),
        ('a;b\n1;2\n"3;4\n', "own.csv as CSV: line 3: unexpected end of data"),
        ("a;b\n1;2\n\n3;4\n", "own.csv, line 3: an empty line between examples"),
        ("a;b\n1;2\n1e200;4\n", r"line 3: column 'a' must be within 1e\+150 of 0, got '1e200'"),
        ("a;b\n1;2\n-inf;4\n", "line 3: column 'a' must be a finite number, got '-inf'"),
        ("a;b\n1.5;2\n1,5;4\n", "line 2: column 'a' mixes decimal points and decimal commas, got"),
        (
            "a;b\n" + "".join(f"{i};2\n" for i in range(99)) + "oops;2\n",
            "line 101: column 'a' holds 99 numbers and 1 other values: write a number, or NA",
        ),
        (f"a;{'b' * 300}\n1;2\n", "column names must have at most 256 characters, column 2 has 3"),
    ],
)
def test_a_malformed_file_is_refused_by_its_place(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        _read(text)


def test_a_wrong_name_of_a_column_is_answered_by_the_closest_one() -> None:
    sheet = _read("Id,SalePrice\n1,2\n")

    with pytest.raises(DataError, match=r"no column 'saleprize'; did you mean 'SalePrice'\?; it"):
        sheet.column("saleprize")


def test_codes_with_some_letters_are_categories() -> None:
    rows = "".join(f"{code},2\n" for code in ["20", "60", "SC60"] * 20)

    assert _columns(_read("code,b\n" + rows))["code"][0] == "text"


FRAME = {
    "number": [1.5, None, 3.0],
    "whole": [1, 2, 3],
    "text": ["x", None, " y "],
    "flag": [True, False, None],
    "mixed": [1, "2", None],
    "day": pd.to_datetime(["1970-01-02", None, "1970-01-03 12:00:00"], format="ISO8601"),
}
FRAME_COLUMNS = {
    "number": ("number", [1.5, None, 3.0]),
    "whole": ("number", [1.0, 2.0, 3.0]),
    "text": ("text", ["x", None, "y"]),
    "flag": ("text", ["true", "false", None]),
    "mixed": ("number", [1.0, 2.0, None]),
    "day": ("date", [1.0, None, 2.5]),
}


def test_a_data_frame_and_excel_and_csv_are_the_same_table(tmp_path: Path) -> None:
    frame = pd.DataFrame(FRAME)
    frame.to_excel(tmp_path / "own.xlsx", index=False)
    frame.to_csv(tmp_path / "own.csv", index=False)
    frame.drop(columns="mixed").to_parquet(tmp_path / "own.parquet")

    assert _columns(read_sheet(frame)) == FRAME_COLUMNS
    assert _columns(read_sheet(tmp_path / "own.xlsx")) == FRAME_COLUMNS
    assert _columns(read_sheet(tmp_path / "own.csv")) == FRAME_COLUMNS
    parquet = {name: value for name, value in FRAME_COLUMNS.items() if name != "mixed"}
    assert _columns(read_sheet(tmp_path / "own.parquet")) == parquet
    assert read_sheet(tmp_path / "own.xlsx").lines.tolist() == [2, 3, 4]


def test_frames_of_other_types() -> None:
    frame = pd.DataFrame(
        {
            "nullable": pd.array([1, None], "Int64"),
            "category": pd.Categorical(["a", "b"]),
            "zone": pd.to_datetime(["1970-01-01 02:00+02:00", "1970-01-02 00:00+00:00"], utc=True),
            "span": pd.to_timedelta(["12h", "24h"]),
            "date": [datetime.date(1970, 1, 1), datetime.date(1970, 1, 2)],
            0: [1, 2],
        }
    )

    assert _columns(read_sheet(frame)) == {
        "nullable": ("number", [1.0, None]),
        "category": ("text", ["a", "b"]),
        "zone": ("date", [0.0, 1.0]),
        "span": ("number", [0.5, 1.0]),
        "date": ("date", [0.0, 1.0]),
        "0": ("number", [1.0, 2.0]),
    }


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"a": [1.0, np.inf], "b": [1, 2]}), r"row 2: column 'a' must be within"),
        (pd.DataFrame({"a": [[1], [2]], "b": [1, 2]}), "column 'a' must hold numbers, dates or"),
        (pd.DataFrame({"a": [1j, 2j], "b": [1, 2]}), "column 'a' must hold numbers, dates or"),
        (pd.DataFrame({"a": []}), "at least 2 column names"),
        (pd.DataFrame({"a": [], "b": []}), "must have at least 1 row"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "'a' is there 2 times"),
        ([1, 2], "must be a pandas DataFrame, got list"),
        ({"a": np.zeros(3), "b": np.zeros(2)}, r"one length, 'b' has shape \(2,\)"),
    ],
)
def test_a_frame_that_is_no_table_is_refused(frame: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_sheet(frame)


def test_arrays_by_name_are_a_table(tmp_path: Path) -> None:
    arrays = {"a": np.arange(3), "b": np.array(["x", "", "z"]), "c": np.array([True, False, True])}
    np.savez(tmp_path / "own.npz", **arrays)

    expected = {
        "a": ("number", [0.0, 1.0, 2.0]),
        "b": ("text", ["x", None, "z"]),
        "c": ("text", ["true", "false", "true"]),
    }
    assert _columns(read_sheet(arrays)) == expected
    assert _columns(read_sheet(tmp_path / "own.npz")) == expected
    np.savez(tmp_path / "own.npz", x=np.zeros((2, 2)))
    with pytest.raises(DataError, match=r"or one array of shape \(n,\) for each column"):
        read_sheet(tmp_path / "own.npz")


@pytest.mark.parametrize("ending", [*ENDINGS, ".npz", ".xls"])
def test_files_that_are_missing_or_damaged(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"own{ending}"
    with pytest.raises(DataError, match=rf"own\{ending}"):
        read_sheet(path)
    for data in (b"", b"PAR1", b"PK\3\4 no archive", b"\0\1\2\3" * 9):
        path.write_bytes(data)
        with pytest.raises(DataError, match=rf"own\{ending}"):
            read_sheet(path)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
@example(b"a,b\n\xff\xfe,\x80\n")
@example(b"\xff\xfea")
@example("a,b\n٣,x\n".encode())
@example(b"a,b\n,\n,\n")
def test_any_bytes_give_a_table_or_a_data_error(data: bytes) -> None:
    with contextlib.suppress(DataError):
        sheet = read_csv(data, "own.csv").sheet()
        assert all(len(column.values) == len(sheet) for column in sheet.columns)


_CELLS = st.one_of(
    st.sampled_from(["", "NA", "None", "true", "x", "1,5", "1.5", "1e5", "2020-01-01", "1_0"]),
    st.integers(-(10**9), 10**9).map(str),
    st.text(max_size=5),
)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(2, 4).flatmap(
        lambda width: st.lists(
            st.lists(_CELLS, min_size=width, max_size=width), min_size=1, max_size=6
        )
    )
)
def test_a_sheet_is_the_same_after_it_was_sent(rows: list[list[str]]) -> None:
    """Only that numbers and dates stay what they are; a text may be read as a number again."""
    names = [f"c{place}" for place in range(len(rows[0]))]
    try:
        sheet = read_sheet(
            {n: np.array(c) for n, c in zip(names, zip(*rows, strict=True), strict=True)}
        )
    except DataError:
        return
    if all(column.missing.all() for column in sheet.columns):
        return

    sent = canonical_csv(sheet)

    again = read_csv(sent, "own.csv").sheet()
    for before, after in zip(sheet.columns, again.columns, strict=True):
        if before.kind != "text":
            assert np.array_equal(before.missing, after.missing)
            assert np.array_equal(before.values[~before.missing], after.values[~after.missing])
    assert canonical_csv(again) == canonical_csv(read_csv(canonical_csv(again), "x").sheet())


def test_sizes_that_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    limits = importlib.import_module("swarm.learning.tables.limits")
    (tmp_path / "own.csv").write_text("a,b\n" + "1,2\n" * 20)
    monkeypatch.setattr(limits, "CELLS_MAX", 30)
    with pytest.raises(DataError, match=r"own\.csv has more than 30 values in 2 columns"):
        read_sheet(tmp_path / "own.csv")
    monkeypatch.setattr(limits, "BYTES_MAX", 30)
    with pytest.raises(DataError, match=r"own\.csv has 0 MiB, a table must have at most 0 MiB"):
        read_sheet(tmp_path / "own.csv")
    monkeypatch.setattr(limits, "COLUMNS_MAX", 1)
    with pytest.raises(DataError, match=r"has 2 columns, a table must have at most 1"):
        _read("a,b\n1,2\n")
