"""Codec: turns messages into envelopes and back; the only parser of bytes from other peers.

An envelope is a msgpack map. `v` is the protocol version, `k` the kind of message, and `b` the
body: the message's fields by name. `a` is optional: the bytes of the small blob that the message
names. The sender is not in the body, because libp2p authenticates it. Decoding checks in this
order: size and msgpack limits, version, kind, schema (types, ranges, finite numbers), signatures,
attached bytes. Whatever breaks a rule ends in a `RefusedError` that names the rule.

The codec knows no workload. The kinds of messages come from the workloads' tables; see
`swarm.core.message_kinds`. docs/protocol.md describes the format.
"""

import dataclasses
import hashlib
import math
import re
from collections.abc import Callable, Iterable
from types import MappingProxyType
from typing import Any

import msgpack
from cattrs import BaseValidationError
from cattrs.preconf.msgpack import MsgpackConverter, make_converter

from swarm.core.blobs import INLINE_SIZE_MAX, BlobRef
from swarm.core.errors import LocalProtocolError, RemoteProtocolError
from swarm.core.ids import Digest, PeerId
from swarm.core.machine import Event
from swarm.core.message_kinds import MessageKind, SignedRecord
from swarm.core.protocol import PROTOCOL_VERSION

MESSAGE_SIZE_MAX = 256 * 1024
"""Bytes of an envelope; a published one must also fit in the 128 KiB of pubsub."""
Verify = Callable[[PeerId, bytes, bytes], bool]
"""Called with (peer, bytes, signature): whether the peer signed these bytes."""

_Scalar = bool | int | float | str
"""A union that messages may use as the type of a field, for instance for hyperparameters."""
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
    """A message from a peer, and the bytes of the blob that it carried."""

    message: Event
    attached: bytes | None = None


class RefusedError(RemoteProtocolError):
    """A message breaks a rule; `counter` names the kind of rule for the statistics."""

    def __init__(self, counter: str, reason: str) -> None:
        super().__init__(reason)
        self.counter = counter


class OtherVersionError(RefusedError):
    """A message comes from a peer that runs another version of Swarm."""

    def __init__(self, sender: PeerId, version: int) -> None:
        age = "an older" if version < PROTOCOL_VERSION else "a newer"
        rule = f"version must be {PROTOCOL_VERSION}, got {version}, from {age} version of Swarm"
        super().__init__("wire-version", rule)
        self.sender = sender
        self.version = version


def signing_bytes(digest: Digest) -> bytes:
    """Return the bytes that the author of a record signs."""
    return f"swarm/{PROTOCOL_VERSION} record {digest}".encode()


class Codec:
    """Puts messages into envelopes and parses envelopes, for the kinds in the workloads' tables.

    Raises:
        LocalProtocolError: Two kinds share a name or a class.
    """

    def __init__(self, *tables: Iterable[MessageKind]) -> None:
        declared = [kind for table in tables for kind in table]
        self.kinds = MappingProxyType({kind.name: kind for kind in declared})
        """The declared kinds, by name."""
        self._by_class = {kind.message: kind for kind in declared}
        if not len(declared) == len(self.kinds) == len(self._by_class):
            raise LocalProtocolError("every kind of message must have its own name and class")

    def encode(self, message: Event, attached: bytes | None = None) -> bytes:
        """Put a message in its envelope.

        Args:
            message: A message of a declared kind.
            attached: The bytes of the small blob that the message names.

        Raises:
            LocalProtocolError: The message has no wire form or is too large.
        """
        kind = self._by_class.get(type(message))
        if kind is None:
            raise LocalProtocolError(f"{type(message).__name__} has no wire form")
        body = _CONVERTER.unstructure(message)
        body.pop(kind.sender_field, None)
        envelope = {"v": PROTOCOL_VERSION, "k": kind.name, "b": body}
        if attached is not None:
            envelope["a"] = attached
        try:
            data: bytes = msgpack.packb(envelope)
        except (ValueError, TypeError, OverflowError) as error:
            raise LocalProtocolError(
                f"{type(message).__name__} has no wire form: {error!r:.120}"
            ) from error
        if len(data) > MESSAGE_SIZE_MAX:
            raise LocalProtocolError(
                f"{type(message).__name__} must fit in {MESSAGE_SIZE_MAX} bytes, got {len(data)}"
            )
        return data

    def decode(self, data: bytes, sender: PeerId, verify: Verify) -> Received:
        """Parse an envelope that `sender` sent.

        Args:
            data: The bytes of the envelope.
            sender: The peer that libp2p authenticated.
            verify: Checks the signatures of the records in the message.

        Raises:
            OtherVersionError: The sender runs another version of Swarm.
            RefusedError: The envelope breaks another rule, which the error names.
        """
        envelope = _unpack(data)
        version, name = envelope.get("v"), envelope.get("k")
        if type(version) is not int:
            raise RefusedError("wire-version", f"version must be int, got {version!r:.40}")
        if version != PROTOCOL_VERSION:
            raise OtherVersionError(sender, version)
        kind = self.kinds.get(name) if isinstance(name, str) else None
        if kind is None:
            raise RefusedError("wire-kind", f"unknown kind of message: {name!r:.40}")
        body = envelope.get("b")
        if not isinstance(body, dict):
            raise RefusedError("wire-envelope", "the body must be a map")
        message = _structure(body, kind, sender)
        _check_signatures(kind.signed_records(message), verify)
        return Received(message, _check_attached(envelope.get("a"), message))


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
    """Make a map, and refuse equal keys: parsers differ in which of the two counts."""
    items = dict(pairs)
    if len(items) < len(pairs):
        raise ValueError("a map must have distinct keys")
    return items


def _structure(body: dict[str, Any], kind: MessageKind, sender: PeerId) -> Event:
    field, name = kind.sender_field, kind.message.__name__
    if any(f.name == field for f in dataclasses.fields(kind.message)):  # type: ignore[arg-type]
        if field in body:
            raise RefusedError(
                "wire-sender", f"{field} must be left out: the connection names the sender"
            )
        body = {**body, field: sender}
    try:
        return _CONVERTER.structure(body, kind.message)
    except (BaseValidationError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise RefusedError("wire-field", f"{name}: {_reasons(error)}") from error


def _check_signatures(records: tuple[SignedRecord, ...], verify: Verify) -> None:
    for record in records:
        if not verify(record.author, signing_bytes(record.digest), record.signature):
            raise RefusedError(
                "wire-signature", f"{type(record).__name__} must be signed by its author"
            )


def _check_attached(attached: object, message: Event) -> bytes | None:
    if attached is None:
        return None
    blob = getattr(message, "blob", None)
    if not isinstance(attached, bytes) or not isinstance(blob, BlobRef):
        raise RefusedError("wire-attached", "only a message that names a blob may carry its bytes")
    if len(attached) != blob.size_bytes or hashlib.sha256(attached).hexdigest() != blob.digest:
        raise RefusedError("wire-attached", "the carried bytes must be those of the named blob")
    return attached


def _reasons(error: BaseException) -> str:
    """Return the innermost messages of cattrs' nested groups, in one line."""
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


def _scalar(value: object, _: object) -> _Scalar:
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
    converter.register_structure_hook_func(lambda hint: hint == _Scalar, _scalar)
    return converter


_CONVERTER = _converter()
