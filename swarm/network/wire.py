"""The only parser of foreign bytes: msgpack envelopes to typed messages, with limits.

An envelope is a msgpack map: `v` the protocol version, `k` the kind of message, `b` its body, a
map of the message's fields by name, and optionally `a`, the bytes of the small blob it names.
The sender is left out of the body: it is whom libp2p authenticated. docs/protocol.md has it all.
"""

import dataclasses
import hashlib
import math
import re
from collections.abc import Callable
from typing import Any

import msgpack
from cattrs import BaseValidationError
from cattrs.preconf.msgpack import MsgpackConverter, make_converter

from swarm.commanding.commands import Command, RelayedCommands
from swarm.core.blobs import INLINE_SIZE_MAX, BlobRef
from swarm.core.errors import LocalProtocolError, RemoteProtocolError
from swarm.core.ids import Digest, PeerId
from swarm.core.machine import Event
from swarm.core.protocol import PROTOCOL_VERSION
from swarm.federation.ledger_entries import LedgerEntry, LedgerPage, LedgerRequest
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
from swarm.federation.records import Aggregate, GlobalModel
from swarm.search.messages import (
    CancelStudy,
    CoordinatorHeartbeat,
    Leases,
    LeaveStudy,
    MissingEntries,
    StopTrials,
    StudyLedgerPage,
    StudyLedgerRequest,
    StudyOffer,
    StudyQuery,
    WorkerHeartbeat,
    WorkerNews,
)
from swarm.search.study import NOBODY
from swarm.search.values import Value

MESSAGE_SIZE_MAX = 256 * 1024
"""Bytes of an envelope, direct or published; pubsub itself takes 128 KiB."""
Verify = Callable[[PeerId, bytes, bytes], bool]
"""Says whether a signature over bytes is the peer's."""

KINDS: dict[str, type[Event]] = {
    "head": GlobalModel,
    "aggregate": Aggregate,
    "contribution": Contribution,
    "heartbeat": Heartbeat,
    "goodbye": Goodbye,
    "join": JoinRequest,
    "session?": SessionQuery,
    "session": SessionOffer,
    "head?": HeadRequest,
    "heads": HeadHistory,
    "status": Status,
    "ledger?": LedgerRequest,
    "ledger": LedgerPage,
    "orders": RelayedCommands,
    "study?": StudyQuery,
    "study": StudyOffer,
    "study-coordinator": CoordinatorHeartbeat,
    "study-worker": WorkerHeartbeat,
    "study-leases": Leases,
    "study-stop": StopTrials,
    "study-news": WorkerNews,
    "study-ledger": StudyLedgerPage,
    "study-ledger?": StudyLedgerRequest,
    "study-missing": MissingEntries,
    "study-cancel": CancelStudy,
    "study-leave": LeaveStudy,
}
"""Messages by the name of their kind; docs/protocol.md and docs/search.md have the same tables."""
_NAMES = {kind: name for name, kind in KINDS.items()}
_SENDER_FIELD: dict[type[Event], str] = {Contribution: "peer"}
_PEER_ID = re.compile(r"[1-9A-HJ-NP-Za-km-z]{20,128}")
_ITEMS_MAX = 4096
_LIMITS = {
    "max_str_len": 4096,
    "max_bin_len": INLINE_SIZE_MAX,
    "max_array_len": _ITEMS_MAX,
    "max_map_len": 64,
    "max_ext_len": 0,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Received:
    """A message from a peer, and the blob bytes that rode along."""

    message: Event
    attached: bytes | None = None


class RefusedError(RemoteProtocolError):
    """A message that breaks a rule; `counter` names the kind of rule for the statistics."""

    def __init__(self, counter: str, reason: str) -> None:
        super().__init__(reason)
        self.counter = counter


def signing_bytes(digest: Digest) -> bytes:
    """What the author of a record signs."""
    return f"swarm/{PROTOCOL_VERSION} record {digest}".encode()


def encode(message: Event, attached: bytes | None = None) -> bytes:
    """Put a message in its envelope.

    Raises:
        LocalProtocolError: The message has no wire form or is too large.
    """
    kind = type(message)
    if kind not in _NAMES:
        raise LocalProtocolError(f"{kind.__name__} has no wire form")
    body = _CONVERTER.unstructure(message)
    body.pop(sender_field(kind), None)
    envelope = {"v": PROTOCOL_VERSION, "k": _NAMES[kind], "b": body}
    if attached is not None:
        envelope["a"] = attached
    data: bytes = msgpack.packb(envelope)
    if len(data) > MESSAGE_SIZE_MAX:
        raise LocalProtocolError(
            f"{kind.__name__} must fit in {MESSAGE_SIZE_MAX} bytes, got {len(data)}"
        )
    return data


def decode(data: bytes, sender: PeerId, verify: Verify) -> Received:
    """Parse an envelope that `sender` sent.

    Raises:
        RefusedError: It breaks a rule, which the message names.
    """
    envelope = _unpack(data)
    version, kind_name = envelope.get("v"), envelope.get("k")
    if version != PROTOCOL_VERSION:
        raise RefusedError(
            "wire-version", f"version must be {PROTOCOL_VERSION}, got {version!r:.40}"
        )
    kind = KINDS.get(kind_name) if isinstance(kind_name, str) else None
    if kind is None:
        raise RefusedError("wire-kind", f"unknown kind of message: {kind_name!r:.40}")
    body = envelope.get("b")
    if not isinstance(body, dict):
        raise RefusedError("wire-envelope", "the body must be a map")
    message = _structure(body, kind, sender)
    if isinstance(message, SessionOffer) and not message.spec.starter:  # left out: the default
        raise RefusedError("wire-field", "SessionOffer: the session must name its starter")
    if isinstance(message, StudyOffer) and message.spec.submitter == NOBODY:
        raise RefusedError("wire-field", "StudyOffer: the study must name its submitter")
    _check_signatures(message, verify)
    return Received(message, _check_attached(envelope.get("a"), message))


def sender_field(kind: type[Event]) -> str:
    """Name the field that says who sent a message of this kind; it does not travel."""
    return _SENDER_FIELD.get(kind, "sender")


def _unpack(data: bytes) -> dict[str, Any]:
    if len(data) > MESSAGE_SIZE_MAX:
        raise RefusedError(
            "wire-envelope",
            f"a message must have at most {MESSAGE_SIZE_MAX} bytes, got {len(data)}",
        )
    try:
        envelope = msgpack.unpackb(data, object_pairs_hook=_distinct, **_LIMITS)
    except (ValueError, RecursionError, TypeError) as error:
        raise RefusedError("wire-envelope", f"not a msgpack envelope: {error!r:.120}") from error
    if not isinstance(envelope, dict) or envelope.keys() - {"v", "k", "b", "a"}:
        raise RefusedError("wire-envelope", "an envelope must be a map of v, k, b and a only")
    return envelope


def _distinct(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    """A map whose keys are distinct: parsers differ in which of two equal ones counts."""
    items = dict(pairs)
    if len(items) < len(pairs):
        raise ValueError("a map must have distinct keys")
    return items


def _structure(body: dict[str, Any], kind: type[Event], sender: PeerId) -> Event:
    field = sender_field(kind)
    if any(f.name == field for f in dataclasses.fields(kind)):  # type: ignore[arg-type]  # all are
        if field in body:
            raise RefusedError(
                "wire-sender", f"{field} must be left out: it is who sent the message"
            )
        body = {**body, field: sender}
    try:
        return _CONVERTER.structure(body, kind)
    except (BaseValidationError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise RefusedError("wire-field", f"{kind.__name__}: {_reasons(error)}") from error


def _check_signatures(message: Event, verify: Verify) -> None:
    for record in _records_in(message):
        if not verify(record.author, signing_bytes(record.digest), record.signature):
            raise RefusedError(
                "wire-signature", f"{type(record).__name__}: not signed by its author"
            )


def _records_in(
    message: Event,
) -> tuple[GlobalModel | Aggregate | LedgerEntry | Command, ...]:
    """What carries a signature of its own."""
    match message:
        case GlobalModel() | Aggregate():
            return (message,)
        case HeadHistory(heads=heads):
            return heads
        case LedgerPage(entries=entries):
            return entries
        case RelayedCommands(commands=commands):
            return commands
        case _:
            return ()


def _check_attached(attached: object, message: Event) -> bytes | None:
    if attached is None:
        return None
    blob = getattr(message, "blob", None)
    if not isinstance(attached, bytes) or not isinstance(blob, BlobRef):
        raise RefusedError("wire-attached", "only a message that names a blob may carry one")
    if len(attached) != blob.size_bytes or hashlib.sha256(attached).hexdigest() != blob.digest:
        raise RefusedError("wire-attached", "the carried bytes must be the blob that is named")
    return attached


def _reasons(error: BaseException) -> str:
    """The innermost messages of cattrs' nested groups, in one line."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_reasons(inner) for inner in error.exceptions[:3])
    return str(error)[:200] or type(error).__name__


def _exactly(kind: type, value: object) -> Any:
    if type(value) is not kind:
        raise ValueError(f"must be {kind.__name__}, got {type(value).__name__}")
    return value


def _number(value: object, _: object) -> float:
    if type(value) not in (float, int):
        raise ValueError(f"must be a number, got {type(value).__name__}")
    number = float(value)  # type: ignore[arg-type]  # a float or an int
    if not math.isfinite(number):
        raise ValueError(f"must be finite, got {number}")
    return number


def _peer_id(value: object, _: object) -> PeerId:
    if not isinstance(value, str) or not _PEER_ID.fullmatch(value):
        raise ValueError(f"must be a base58 peer id, got {value!r:.60}")
    return PeerId(value)


def _scalar(value: object, _: object) -> Value:
    if type(value) is float:
        return _number(value, None)
    if isinstance(value, bool | int | str):
        return value
    raise ValueError(f"must be a number, a text or a boolean, got {type(value).__name__}")


def _converter() -> MsgpackConverter:
    converter = make_converter(forbid_extra_keys=True, detailed_validation=True)
    for kind in (int, str, bool, bytes):
        converter.register_structure_hook(kind, lambda value, _, kind=kind: _exactly(kind, value))
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook_func(lambda hint: hint is PeerId, _peer_id)
    converter.register_structure_hook_func(lambda hint: hint == Value, _scalar)
    return converter


_CONVERTER = _converter()
