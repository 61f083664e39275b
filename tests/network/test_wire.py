"""The codec: what it accepts from other peers, and how it names the reason for a refusal."""

import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

import msgpack
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from swarm.core.blobs import INLINE_SIZE_MAX, BlobRef
from swarm.core.canonical import sha256_hex
from swarm.core.errors import LocalProtocolError, RemoteProtocolError
from swarm.core.ids import ClusterId, Digest, PeerId, RoundNumber, SessionId, Term, Tier
from swarm.core.machine import Event, TimerFired
from swarm.core.message_kinds import MessageKind
from swarm.core.session import COHORT_MAX, SessionSpec
from swarm.federation.messages import (
    Contribution,
    Goodbye,
    HeadHistory,
    HeadRequest,
    Heartbeat,
    JoinRequest,
    SessionOffer,
    SessionQuery,
    Status,
)
from swarm.federation.records import (
    SITE_MAX,
    Aggregate,
    Contributor,
    GlobalModel,
    HeadKey,
    Metrics,
)
from swarm.network.wire import MESSAGE_SIZE_MAX, Codec, OtherVersionError, signing_bytes
from swarm.peer.host.wire import decode, encode

ANNA, BEN = (PeerId(f"12D3KooW{'x' * 43}{end}") for end in "AB")
SESSION = SessionId(sha256_hex(b"session"))
BASE = sha256_hex(b"base")
BYTES = b"weights"
BLOB = BlobRef(sha256_hex(BYTES), len(BYTES))
METRICS = Metrics(ANNA, 0.5, 1.25, 10)
KEY = HeadKey(100, 1, BASE)


def key_of(author: PeerId, data: bytes) -> bytes:
    return f"{author} {sha256_hex(data)}".encode()


def verify(author: PeerId, data: bytes, signature: bytes) -> bool:
    return signature == key_of(author, data)


def signed(record: Any) -> Any:
    return record.signed(key_of(record.author, signing_bytes(record.digest)))


def head(cohort: tuple[PeerId, ...] = (ANNA, BEN)) -> GlobalModel:
    record = GlobalModel(
        session=SESSION,
        parent=BASE,
        round=RoundNumber(3),
        term=Term(1),
        examples_before=200,
        blob=BLOB,
        cohort=cohort,
        contributors=tuple(Contributor(p, BASE, 100, 4.5) for p in cohort),
        merged=(),
        slow=cohort[:1],
        metrics=tuple(replace(METRICS, peer=p) for p in cohort),
        author=BEN,
    )
    return signed(record)  # type: ignore[no-any-return]


def aggregate() -> Aggregate:
    record = Aggregate(
        SESSION, BASE, Tier(1), ClusterId("c"), Term(0), BLOB, head().contributors, (METRICS,),
        (BEN,), ANNA,
    )  # fmt: skip
    return signed(record)  # type: ignore[no-any-return]


CONTRIBUTION = Contribution(SESSION, ANNA, BASE, 100, BLOB, 4.5, METRICS, (BEN,))
MESSAGES: list[Event] = [
    head(),
    replace(head(), parent=None, round=RoundNumber(0)).signed(b""),
    aggregate(),
    CONTRIBUTION,
    replace(CONTRIBUTION, metrics=None),
    Heartbeat(SESSION, ANNA, KEY),
    Heartbeat(SESSION, ANNA, None),
    Goodbye(SESSION, ANNA),
    JoinRequest(SESSION, ANNA, KEY),
    SessionQuery(ANNA),
    SessionOffer(ANNA, SessionSpec(model="file", model_file=BLOB, starter=BEN)),
    HeadRequest(SESSION, ANNA, BASE, 32),
    HeadRequest(SESSION, ANNA, None),
    HeadHistory(SESSION, ANNA, (head(), head())),
    Status(SESSION, ANNA, "anna", "training", RoundNumber(3), 0.5, KEY, evaluation=METRICS),
    Heartbeat(SESSION, ANNA, KEY, (1.25, 4.0)),
]
MESSAGES[1] = signed(MESSAGES[1])


def envelope(message: Event, **changes: Any) -> dict[str, Any]:
    return {**msgpack.unpackb(encode(message)), **changes}


def with_body(message: Event, **fields: Any) -> bytes:
    plain = envelope(message)
    packed: bytes = msgpack.packb({**plain, "b": {**plain["b"], **fields}})
    return packed


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_each_kind_of_message_arrives_unchanged(message: Event) -> None:
    assert decode(encode(message), ANNA, verify).message == message


def test_a_record_keeps_its_digest_on_the_way() -> None:
    record = replace(head(), contributors=(Contributor(ANNA, BASE, 100, 4),))

    message = decode(encode(signed(record)), ANNA, verify).message

    assert isinstance(message, GlobalModel)
    assert message.digest == record.digest


def test_a_session_offer_keeps_the_sessions_id() -> None:
    spec = SessionSpec(learning_rate=1, deadline_first_s=60, starter=ANNA)

    message = decode(encode(SessionOffer(ANNA, spec)), ANNA, verify).message

    assert isinstance(message, SessionOffer)
    assert message.spec.id == spec.id


def test_the_sender_is_the_peer_that_libp2p_authenticated() -> None:
    heartbeat = decode(encode(Heartbeat(SESSION, ANNA, None)), BEN, verify).message

    assert heartbeat == Heartbeat(SESSION, BEN, None)


def test_a_heartbeat_without_progress_is_taken() -> None:
    plain = envelope(Heartbeat(SESSION, ANNA, KEY))
    body = {key: value for key, value in plain["b"].items() if key != "progress"}

    taken = decode(msgpack.packb({**plain, "b": body}), ANNA, verify).message

    assert taken == Heartbeat(SESSION, ANNA, KEY)


def test_no_peer_contributes_in_the_name_of_another() -> None:
    data = encode(CONTRIBUTION)

    with pytest.raises(RemoteProtocolError, match="metrics must be the contributor's own"):
        decode(data, BEN, verify)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        pytest.param(b"", "not a msgpack envelope", id="empty"),
        pytest.param(b"\xc1", "not a msgpack envelope", id="never-used-byte"),
        pytest.param(msgpack.packb([1]), "must be a map", id="not-a-map"),
        pytest.param(b"\x80\x80", "not a msgpack envelope", id="two-values"),
        pytest.param(bytes(MESSAGE_SIZE_MAX + 1), "at most", id="too-long"),
        pytest.param(b"\x81\xa1v" + b"\x91" * 900 + b"\x01", "must be|not a", id="deep"),
        pytest.param(b"\x81\xa1k" + b"\x91" * 60000 + b"\x01", "must be|not a", id="deeper"),
        pytest.param(
            msgpack.packb(envelope(MESSAGES[0], v="2")), "version must be int", id="version"
        ),
        pytest.param(msgpack.packb(envelope(MESSAGES[0], k="x")), "unknown kind", id="kind"),
        pytest.param(msgpack.packb(envelope(MESSAGES[0], k=[])), "unknown kind", id="kind-type"),
        pytest.param(msgpack.packb(envelope(MESSAGES[0], b=[])), "body must be", id="body"),
        pytest.param(msgpack.packb(envelope(MESSAGES[0], x=1)), "v, k, b and a only", id="extra"),
        pytest.param(msgpack.packb({"v": msgpack.Timestamp(1)}), "not a msgpack", id="extension"),
        pytest.param(with_body(MESSAGES[0], more=1), "more", id="extra-field"),
        pytest.param(with_body(MESSAGES[5], sender=BEN), "sender must be left out", id="sender"),
        pytest.param(with_body(CONTRIBUTION, peer=BEN), "peer must be left out", id="peer"),
        pytest.param(with_body(MESSAGES[0], term=True), "must be int", id="bool-for-int"),
        pytest.param(with_body(MESSAGES[0], term=1.0), "must be int", id="float-for-int"),
        pytest.param(with_body(MESSAGES[0], term=-1), "at least 0", id="negative"),
        pytest.param(with_body(MESSAGES[0], author="no id"), "peer id", id="peer-id"),
        pytest.param(with_body(MESSAGES[0], cohort=[ANNA, ANNA]), "distinct", id="twice"),
        pytest.param(with_body(MESSAGES[0], cohort="ab"), "peer id|sequence", id="text-for-list"),
        pytest.param(with_body(MESSAGES[0], blob={"size_bytes": 1}), "digest", id="blob"),
        pytest.param(with_body(CONTRIBUTION, duration_s=float("nan")), "finite", id="nan"),
        pytest.param(with_body(CONTRIBUTION, num_examples=0), "at least 1, got 0", id="zero"),
        pytest.param(with_body(CONTRIBUTION, joiners=[ANNA] * 257), "at most", id="many"),
        pytest.param(with_body(MESSAGES[11], count=33), "count must be in", id="count"),
        pytest.param(with_body(MESSAGES[5], session="x" * 5000), "not a msgpack", id="long-text"),
    ],
)  # fmt: skip
def test_a_message_that_breaks_a_rule_is_refused_with_the_rule(data: bytes, rule: str) -> None:
    with pytest.raises(RemoteProtocolError, match=rule):
        decode(data, ANNA, verify)


@pytest.mark.parametrize(("version", "age"), [(1, "an older"), (3, "a newer")])
def test_another_version_is_refused_by_name(version: int, age: str) -> None:
    data = msgpack.packb(envelope(MESSAGES[0], v=version))

    with pytest.raises(OtherVersionError, match=f"must be 2, got {version}, from {age}") as caught:
        decode(data, BEN, verify)

    assert (caught.value.counter, caught.value.sender) == ("wire-version", BEN)
    assert caught.value.version == version


def test_a_record_signed_for_version_1_is_refused() -> None:
    record = head()
    old = record.signed(key_of(record.author, f"swarm/1 record {record.digest}".encode()))

    with pytest.raises(RemoteProtocolError, match="must be signed by its author"):
        decode(encode(old), BEN, verify)


@pytest.mark.parametrize("record", [head(), aggregate()], ids=["head", "aggregate"])
@pytest.mark.parametrize("signature", [b"", b"forged"])
def test_a_record_that_its_author_did_not_sign_is_refused(record: Any, signature: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="must be signed by its author"):
        decode(encode(record.signed(signature)), record.author, verify)


def test_a_signature_covers_every_field() -> None:
    with pytest.raises(RemoteProtocolError, match="must be signed"):
        decode(encode(replace(head(), examples_before=10**6)), BEN, verify)


def test_a_forged_record_in_a_history_is_refused() -> None:
    history = HeadHistory(SESSION, ANNA, (head(), head().signed(b"forged")))

    with pytest.raises(RemoteProtocolError, match="must be signed"):
        decode(encode(history), ANNA, verify)


def test_small_weights_travel_in_the_message() -> None:
    received = decode(encode(CONTRIBUTION, BYTES), ANNA, verify)

    assert (received.message, received.attached) == (CONTRIBUTION, BYTES)


@pytest.mark.parametrize(
    ("message", "attached"),
    [
        pytest.param(CONTRIBUTION, b"other!!", id="other-bytes"),
        pytest.param(CONTRIBUTION, b"", id="nothing"),
        pytest.param(Heartbeat(SESSION, ANNA, None), BYTES, id="names-no-blob"),
    ],
)
def test_carried_bytes_must_be_the_named_blob(message: Event, attached: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match=r"carr(y|ied)"):
        decode(encode(message, attached), ANNA, verify)


def test_an_attached_blob_over_the_limit_is_refused() -> None:
    data = bytes(INLINE_SIZE_MAX + 1)
    large = replace(CONTRIBUTION, blob=BlobRef(sha256_hex(data), len(data)))

    with pytest.raises(RemoteProtocolError, match="not a msgpack envelope"):
        decode(encode(large, data), ANNA, verify)


def test_a_message_without_wire_form_or_too_long_is_our_own_bug() -> None:
    with pytest.raises(LocalProtocolError, match="no wire form"):
        encode(TimerFired("x"))
    with pytest.raises(LocalProtocolError, match="must fit"):
        encode(CONTRIBUTION, bytes(MESSAGE_SIZE_MAX))


def test_two_kinds_with_one_name_or_one_class_are_our_own_bug() -> None:
    goodbye = MessageKind("goodbye", Goodbye)

    with pytest.raises(LocalProtocolError, match="its own name and class"):
        Codec([goodbye], [MessageKind("goodbye", SessionQuery)])
    with pytest.raises(LocalProtocolError, match="its own name and class"):
        Codec([goodbye], [MessageKind("farewell", Goodbye)])


def test_a_codec_knows_only_the_kinds_of_its_tables() -> None:
    codec = Codec([MessageKind("goodbye", Goodbye)])

    assert codec.decode(encode(Goodbye(SESSION, ANNA)), ANNA, verify).message == Goodbye(
        SESSION, ANNA
    )
    with pytest.raises(LocalProtocolError, match="no wire form"):
        codec.encode(SessionQuery(ANNA))
    with pytest.raises(RemoteProtocolError, match="unknown kind"):
        codec.decode(encode(SessionQuery(ANNA)), ANNA, verify)


PEERS = tuple(PeerId(f"12D3KooW{'x' * 40}{a}{b}{c}2") for a in "ABCDEFGH" for b in "ABCDEFGH"
              for c in "ABCD")  # fmt: skip


def test_the_largest_head_fits_in_a_pubsub_message_and_is_parsed_fast() -> None:
    site, older = "s" * SITE_MAX, sha256_hex(b"older")
    fresh = [Contributor(p, BASE, 10**6, 4.5, 1.5, site) for p in PEERS[:COHORT_MAX]]
    stale = [Contributor(p, older, 10**6, 4.5, 1.5, site) for p in PEERS[: COHORT_MAX // 2]]
    largest = replace(
        head(PEERS[:COHORT_MAX]),
        contributors=(*fresh, *stale),
        slow=PEERS[: COHORT_MAX // 2],
    )
    data = encode(signed(largest))
    start_s = time.process_time()

    decode(data, BEN, verify)

    assert len(data) <= 128 * 1024
    assert time.process_time() - start_s < 0.25


def check_only_remote_errors(data: bytes) -> None:
    with suppress(RemoteProtocolError):
        decode(data, ANNA, verify)


@given(st.binary(max_size=300))
@example(b"\xdd\xff\xff\xff\xff")
@example(b"\xdf\xff\xff\xff\xff")
@example(b"\xc6\xff\xff\xff\xff")
@settings(max_examples=500, deadline=None)
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    check_only_remote_errors(data)


@given(st.sampled_from(MESSAGES), st.data())
@settings(max_examples=600, deadline=None)
def test_no_damage_raises_anything_else(message: Event, data: st.DataObject) -> None:
    damaged = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))

    check_only_remote_errors(bytes(damaged))


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text()
    | st.binary(max_size=20) | st.sampled_from([ANNA, BASE, SESSION]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@given(st.sampled_from(MESSAGES), st.data())
@settings(max_examples=600, deadline=None)
def test_no_value_in_any_field_raises_anything_else(message: Event, data: st.DataObject) -> None:
    body = envelope(message)["b"]
    field = data.draw(st.sampled_from(sorted(body) or ["x"]))

    check_only_remote_errors(with_body(message, **{field: data.draw(values)}))


@given(st.sampled_from(["v", "k", "b", "a"]), values)
@settings(max_examples=200, deadline=None)
def test_no_value_in_the_envelope_raises_anything_else(name: str, value: Any) -> None:
    check_only_remote_errors(msgpack.packb(envelope(MESSAGES[0], **{name: value})))


def test_digests_are_lowercase_hexadecimal() -> None:
    with pytest.raises(ValueError, match="hexadecimal"):
        HeadKey(0, 0, Digest(BASE.upper()))
