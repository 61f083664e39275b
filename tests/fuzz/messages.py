"""Random messages of each kind, built from their type annotations, so that new fields are covered.

The annotations drive both hypothesis (`message_strategy`) and the byte fuzzer (`sample`).
"""

import dataclasses
import functools
import types
import typing
from random import Random
from typing import Any

from hypothesis import strategies as st

from swarm.commanding.commands import RelayedCommands
from swarm.core.blobs import BlobRef
from swarm.core.canonical import sha256_hex
from swarm.core.columns import CATEGORY, TARGET, Column
from swarm.core.ids import ClusterId, Digest, PeerId, SessionId
from swarm.core.inputs import InputSpec
from swarm.core.machine import Event
from swarm.ensemble.spec import EnsembleId
from swarm.federation.ledger_entries import LedgerPage
from swarm.federation.messages import HeadHistory
from swarm.federation.records import Aggregate, GlobalModel
from swarm.network.identity import Identity
from swarm.network.wire import signing_bytes
from swarm.peer.host.wire import CODEC, encode
from swarm.search.messages import WorkerNews
from swarm.search.space import CATEGORICAL, FLOAT, INTEGER, Condition, Dimension, ModelSpace
from swarm.search.study import StudyId, StudySpec
from swarm.search.trial import EpochPoint, Trial, TrialId, TrialResult, failed
from tests.fuzz import ensemble_records
from tests.fuzz.mutations import seeded

IDENTITIES = [Identity.generate(bytes([n]) * 32) for n in range(6)]
PEERS = [identity.peer_id for identity in IDENTITIES]
BY_PEER = dict(zip(PEERS, IDENTITIES, strict=True))
SENDER = PEERS[0]
DIGESTS = [sha256_hex(bytes([n])) for n in range(6)]
KINDS = list(CODEC.kinds.values())
SENDER_FIELDS = {kind.message: kind.sender_field for kind in KINDS}
NAMES: dict[Any, list[Any]] = {
    PeerId: PEERS,
    Digest: DIGESTS,
    SessionId: DIGESTS,
    ClusterId: [digest[:16] for digest in DIGESTS],
    StudyId: DIGESTS,
    EnsembleId: DIGESTS,
    TrialId: [digest[:16] for digest in DIGESTS],
}
ATTEMPTS_MAX = 200


class Choices(typing.Protocol):
    """The source of decisions: hypothesis, or a seeded generator."""

    def integer(self, low: int, high: int) -> int: ...

    def number(self) -> float: ...

    def text(self) -> str: ...


class Drawn:
    """Decisions by hypothesis, which shrinks them."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def integer(self, low: int, high: int) -> int:
        return self._draw(st.integers(low, high))

    def number(self) -> float:
        return self._draw(st.floats(0, 1) | st.floats(0, 1e9))

    def text(self) -> str:
        return self._draw(st.text(max_size=8))


class Rolled:
    """Decisions by a seeded generator."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def integer(self, low: int, high: int) -> int:
        return self._random.randint(low, high)

    def number(self) -> float:
        return self._random.random() * self._random.choice([1, 1, 1e9])

    def text(self) -> str:
        return "".join(
            self._random.choice("aZ9é\x00🙂 /") for _ in range(self._random.randint(0, 8))
        )


class NoSuchMessageError(Exception):
    """These decisions gave no valid message."""


def make(kind: type[Event], choices: Choices) -> Event:
    """Return a valid message of `kind`, with its records signed."""
    return _signed(_make(kind, choices))


@st.composite
def message_strategy(draw: st.DrawFn) -> Event:
    choices = Drawn(draw)
    kind = draw(st.sampled_from(KINDS)).message
    try:
        return make(kind, choices)
    except NoSuchMessageError:
        return make(kind, Rolled(seeded(draw(st.integers(0, 1000)))))


def sample(random: Random) -> Event:
    """Return a valid message of a random kind."""
    return make(random.choice(KINDS).message, Rolled(random))


def corpus(random: Random, count: int) -> list[bytes]:
    """Return valid envelopes of random kinds."""
    return [encode(sample(random)) for _ in range(count)]


def _make(kind: type[Any], choices: Choices) -> Any:
    hints = typing.get_type_hints(kind)
    for _ in range(ATTEMPTS_MAX):
        fields = {f.name: _value(hints[f.name], choices) for f in dataclasses.fields(kind)}
        if SENDER_FIELDS.get(kind) in fields:
            fields[SENDER_FIELDS[kind]] = SENDER
        metrics = fields.get("metrics")
        if "peer" in fields and dataclasses.is_dataclass(metrics):
            fields["metrics"] = dataclasses.replace(metrics, peer=fields["peer"])
        if "parent" in fields and fields["parent"] is None:
            fields["round"] = 0
        if kind is WorkerNews:  # a worker reports only its own trials
            for name in ("reports", "results"):
                own = (dataclasses.replace(item, peer=SENDER) for item in fields[name])
                fields[name] = tuple(own)
        try:
            return kind(**_plausible(kind, fields, choices))
        except ValueError:
            continue
    raise NoSuchMessageError(kind.__name__)


def _plausible(kind: type[Any], fields: dict[str, Any], choices: Choices) -> dict[str, Any]:
    """Keep the defaults of fields for which a random value is almost never valid."""
    if kind.__name__ == "Closed":
        return {**fields, "reason": "done"}
    if kind.__name__ != "SessionSpec":
        return ensemble_records.plausible(kind, fields, choices)
    kept = ("seed", "starter", "rounds", "batch_size", "learning_rate", "deadline_first_s")
    return {name: value for name, value in fields.items() if name in kept} | _table(
        fields["columns"]
    )


def _table(made: tuple[Column, ...]) -> dict[str, Any]:
    """Fields of a session whose data are tables; none without columns."""
    if not made:
        return {}
    named = [dataclasses.replace(column, name=f"c{i}") for i, column in enumerate(made)]
    columns = (*named, Column("y", TARGET))
    return {"columns": columns, "input_shape": (sum(column.width for column in columns),)}


def _column(choices: Choices) -> Column:
    has_missing = bool(choices.integer(0, 1))
    if choices.integer(0, 1):
        return Column("c", CATEGORY, ("", choices.text() + "x"), has_missing=has_missing)
    return Column("c", mean=choices.number(), scale=1 + choices.number(), has_missing=has_missing)


def _value(hint: Any, choices: Choices) -> Any:  # noqa: PLR0911 (one for each type of hint)
    if hint in NAMES:
        return NAMES[hint][choices.integer(0, len(DIGESTS) - 1)]
    if hasattr(hint, "__supertype__"):
        return _value(hint.__supertype__, choices)
    inner = typing.get_args(hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return _value(inner[choices.integer(0, len(inner) - 1)], choices)
    if typing.get_origin(hint) is typing.Literal:
        return inner[choices.integer(0, len(inner) - 1)]
    if typing.get_origin(hint) is tuple:
        return _tuple(inner, choices)
    if dataclasses.is_dataclass(hint):
        kind = typing.cast(type[Any], hint)
        return MADE[kind](choices) if kind in MADE else _make(kind, choices)
    return _plain(hint, choices)


def _study(choices: Choices) -> StudySpec:
    dimensions = (
        Dimension("kernel", CATEGORICAL, ("linear", "rbf", 1, True, 0.5)),
        Dimension("C", FLOAT, low=0.5, high=0.5 + choices.number(), log=True),
        Dimension("n", INTEGER, low=1.0, high=9.0, step=2.0, when=Condition("kernel", ("rbf", 1))),
    )
    fixed = (("max_iter", 100), ("shrinking", False))
    return StudySpec(
        name="study",
        models=(ModelSpace("svm", dimensions, fixed),),
        dataset="iris",
        num_trials=choices.integer(1, 100),
        seed=choices.integer(0, 2**53),
        submitter=PEERS[choices.integer(0, 5)],
    )


def _trial(choices: Choices) -> Trial:
    params = (("C", choices.number()), ("n", choices.integer(-9, 9)), ("s", choices.text()))
    number, term = choices.integer(0, 99), choices.integer(0, 9)
    return Trial(StudyId(DIGESTS[0]), number, "svm", params, term, PEERS[choices.integer(0, 5)])


def _point(choices: Choices) -> EpochPoint:
    return EpochPoint(choices.integer(1, 512), choices.number(), choices.number(), None)


def _result(choices: Choices) -> TrialResult:
    trial = NAMES[TrialId][choices.integer(0, 5)]
    if choices.integer(0, 3) == 0:
        return failed(trial, choices.text(), choices.number(), PEERS[1])
    values, points = (choices.number(),) * 3, (_point(choices),) * choices.integer(0, 2)
    state = ("complete", "pruned")[choices.integer(0, 1)]
    return TrialResult(trial, state, choices.number(), choices.number(), values, points)


MADE: dict[Any, typing.Callable[[Choices], Any]] = {
    InputSpec: lambda choices: InputSpec("x", (choices.integer(1, 9),)),
    Column: _column,
    StudySpec: _study,
    Trial: _trial,
    EpochPoint: _point,
    TrialResult: lambda choices: dataclasses.replace(_result(choices), peer=PEERS[2]),
    **ensemble_records.MAKERS,
}
"""Makers of records for which random values are almost never valid."""


def _tuple(items: tuple[Any, ...], choices: Choices) -> tuple[Any, ...]:
    if len(items) == 2 and items[1] is Ellipsis:
        values = [_value(items[0], choices) for _ in range(choices.integer(0, 3))]
        return tuple(dict.fromkeys(values)) if items[0] is PeerId else tuple(values)
    return tuple(_value(item, choices) for item in items)


def _plain(hint: Any, choices: Choices) -> Any:
    if hint is type(None):
        return None
    if hint is bool:
        return bool(choices.integer(0, 1))
    if hint is int:
        return choices.integer(0, [1, 40, 2**53, 2**63 - 1][choices.integer(0, 3)])
    if hint is float:
        return choices.number()
    if hint is str:
        return choices.text()
    if hint is bytes:
        return choices.text().encode()
    raise TypeError(f"teach tests/fuzz/messages.py to make {hint}")


@functools.singledispatch
def _signed(message: Event) -> Event:
    return message


@_signed.register
def _(message: GlobalModel) -> Event:
    return message.signed(BY_PEER[message.author].sign(signing_bytes(message.digest)))


@_signed.register
def _(message: Aggregate) -> Event:
    return message.signed(BY_PEER[message.author].sign(signing_bytes(message.digest)))


@_signed.register
def _(message: LedgerPage) -> Event:
    signed = (
        entry.signed(BY_PEER[entry.author].sign(signing_bytes(entry.digest)))
        for entry in message.entries
    )
    return dataclasses.replace(message, entries=tuple(signed))


@_signed.register
def _(message: RelayedCommands) -> Event:
    signed = (
        command.signed(BY_PEER[command.author].sign(signing_bytes(command.digest)))
        for command in message.commands
    )
    return dataclasses.replace(message, commands=tuple(signed))


@_signed.register
def _(message: HeadHistory) -> Event:
    return dataclasses.replace(message, heads=tuple(_signed(head) for head in message.heads))


BLOB_BYTES = b"weights"
BLOB = BlobRef(sha256_hex(BLOB_BYTES), len(BLOB_BYTES))
