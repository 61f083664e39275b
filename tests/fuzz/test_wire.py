"""The codec against any input: a message comes back unchanged, or is refused with a counter."""

import os
import tracemalloc
from typing import Any

import msgpack
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from swarm.core.machine import Event
from swarm.network.identity import verify
from swarm.network.wire import MESSAGE_SIZE_MAX, RefusedError
from swarm.peer.host.wire import CODEC, decode, encode
from tests.fuzz.messages import PEERS, SENDER, Rolled, corpus, make, message_strategy, sample
from tests.fuzz.mutations import INTERESTING, mutated, noise, seeded

SEED = int(os.environ.get("FUZZ_SEED", "1"))
IN_CI = settings(derandomize=True, deadline=None, max_examples=150)
COUNTERS = {
    f"wire-{rule}"
    for rule in ("envelope", "version", "kind", "field", "sender", "signature", "attached")
}


def take(data: bytes) -> Event | None:
    """Decode, and check that a refusal has a counter; any other exception fails the test."""
    try:
        return decode(data, SENDER, verify).message
    except RefusedError as error:
        refusal = error
    assert refusal.counter in COUNTERS
    assert len(str(refusal)) < 1000
    return None


@pytest.mark.parametrize("name", CODEC.kinds)
def test_each_kind_of_message_comes_back_unchanged(name: str) -> None:
    random = seeded(SEED)

    for _ in range(20):
        message = make(CODEC.kinds[name].message, Rolled(random))
        data = encode(message)

        assert decode(data, SENDER, verify).message == message
        assert encode(decode(data, SENDER, verify).message) == data


@given(message_strategy())
@IN_CI
def test_any_valid_message_comes_back_unchanged(message: Event) -> None:
    data = encode(message)

    received = decode(data, SENDER, verify)

    assert received.message == message
    assert encode(received.message) == data


@given(message_strategy())
@settings(IN_CI, max_examples=100)
def test_the_sender_is_not_in_the_bytes(message: Event) -> None:
    other = take(encode(message))
    try:
        forged = decode(encode(message), PEERS[1], verify).message
    except RefusedError:
        return  # its metrics are another peer's

    assert getattr(other, "sender", SENDER) == SENDER
    assert getattr(forged, "sender", PEERS[1]) == PEERS[1]


@given(st.binary(max_size=2000))
@example(b"\xdf\xff\xff\xff\xff")
@IN_CI
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    take(data)


def test_a_damaged_message_is_refused_or_is_another_valid_message() -> None:
    random = seeded(SEED)
    valid = corpus(random, 60)
    num_taken = 0
    print("seed", SEED)

    for _ in range(20_000):
        data = noise(random, 400) if random.random() < 0.1 else mutated(random, valid)
        message = take(data)
        if message is not None:
            num_taken += 1
            assert decode(encode(message), SENDER, verify).message == message

    assert 0 < num_taken < 10_000


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=20)
    | st.sampled_from([*PEERS[:2], "0" * 64, msgpack.ExtType(5, b"x"), msgpack.Timestamp(0)]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(st.integers(0, 10_000), st.data())
@settings(IN_CI, max_examples=300)
def test_any_value_in_any_place_is_accepted_or_refused(seed: int, data: st.DataObject) -> None:
    envelope = msgpack.unpackb(encode(sample(seeded(seed))))
    *path, last = data.draw(st.sampled_from(list(_places(envelope))))
    inside = envelope
    for step in path:
        inside = inside[step]

    inside[last] = data.draw(values)

    message = take(msgpack.packb(envelope))
    if message is not None:
        assert decode(encode(message), SENDER, verify).message == message


def _places(value: Any, path: tuple[Any, ...] = ()) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for step, inner in items:
        yield (*path, step)
        if isinstance(inner, dict | list):
            yield from _places(inner, (*path, step))


def test_a_session_that_names_no_starter_is_refused() -> None:
    envelope = msgpack.unpackb(encode(make(CODEC.kinds["session"].message, Rolled(seeded(SEED)))))
    del envelope["b"]["spec"]["starter"]

    with pytest.raises(RefusedError, match="must name its starter"):
        decode(msgpack.packb(envelope), SENDER, verify)


def test_a_key_given_twice_is_refused() -> None:
    once = encode(make(CODEC.kinds["session?"].message, Rolled(seeded(SEED))))
    twice = bytes([once[0] + 1]) + once[1:] + msgpack.packb("k") + msgpack.packb("goodbye")

    with pytest.raises(RefusedError, match="distinct keys"):
        decode(twice, SENDER, verify)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xdc\x10\x00" * 87_000, id="arrays-of-4096-in-each-other"),
        pytest.param(b"\x90" + b"\xdc\x10\x00" + b"\x90" * 200_000, id="empty-arrays"),
        pytest.param(b"\xdc\x0f\xff" + (b"\xdc\x00\x3f" + b"\x80" * 63) * 4095, id="empty-maps"),
        pytest.param(b"\xdb\xff\xff\xff\xff" + bytes(1000), id="text-of-4-gib"),
        pytest.param(b"\xdd\xff\xff\xff\xff" * 1000, id="arrays-of-4-gi"),
        pytest.param(b"\x81" * 200_000, id="deep-maps"),
        *(pytest.param(piece * 1000, id=piece.hex()[:20]) for piece in INTERESTING[10:20]),
    ],
)
def test_a_refusal_takes_bounded_memory(data: bytes) -> None:
    data = data[:MESSAGE_SIZE_MAX]
    tracemalloc.start()

    take(data)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 48 * 1024 * 1024
