"""Canonical bytes and digests: equal records agree, changed records differ."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.core.canonical import canonical_bytes, digest_of
from swarm.core.session import SessionSpec

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=20,
)


@dataclass(frozen=True)
class Pair:
    b: float
    a: tuple[str, ...]
    signature: bytes = b""


@given(plain)
def test_equal_records_have_equal_bytes(record: object) -> None:
    assert canonical_bytes(record) == canonical_bytes(record)
    canonical_bytes(record).decode("utf-8")


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_different_floats_have_different_bytes(a: float, b: float) -> None:
    assert (canonical_bytes(a) == canonical_bytes(b)) is (a.hex() == b.hex())


def test_fields_are_sorted_and_text_is_utf_8() -> None:
    pair = {"b": 0.5, "a": ["é"]}

    assert canonical_bytes(pair) == '{"a":["é"],"b":"0x1.0000000000000p-1"}'.encode()


def test_a_whole_number_in_a_field_of_floats_is_a_float() -> None:
    without = frozenset({"signature"})

    assert digest_of(Pair(2, ()), without=without) == digest_of(Pair(2.0, ()), without=without)


def test_a_session_has_one_id_however_its_numbers_are_written() -> None:
    assert SessionSpec(learning_rate=1).id == SessionSpec(learning_rate=1.0).id


@pytest.mark.parametrize(("field", "value"), [("rounds", 11), ("seed", 1), ("momentum", 0.5)])
def test_any_changed_field_changes_the_sessions_id(field: str, value: float) -> None:
    changed = replace(SessionSpec(), **{field: value})

    assert changed.id != SessionSpec().id


def test_a_digest_leaves_out_the_named_fields() -> None:
    without = frozenset({"signature"})
    unsigned, signed = Pair(1.0, ("x",)), Pair(1.0, ("x",), b"s")

    assert digest_of(unsigned, without=without) == digest_of(signed, without=without)
