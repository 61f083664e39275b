"""Makers of ensembles' records, of which random values are almost never valid."""

import typing
from collections.abc import Callable
from typing import Any

from swarm.core.blobs import BlobRef
from swarm.core.canonical import sha256_hex
from swarm.core.columns import CATEGORY, TARGET, Column
from swarm.core.ids import PeerId
from swarm.ensemble.messages import REFUSALS, STATES, Payload
from swarm.ensemble.records import (
    QUANTILES,
    CombinerRecord,
    Comparison,
    Drift,
    ModelRecord,
    Moments,
    RefusedModel,
    Residuals,
    Score,
)
from swarm.ensemble.spec import EnsembleSpec

VERSIONS = tuple(sha256_hex(bytes([n])) for n in range(3))
OWNER = PeerId("12D3KooW" + "A" * 44)


class Choices(typing.Protocol):
    """The source of decisions; see `tests.fuzz.messages`."""

    def integer(self, low: int, high: int) -> int: ...

    def number(self) -> float: ...

    def text(self) -> str: ...


def plausible(kind: type[Any], fields: dict[str, Any], choices: Choices) -> dict[str, Any]:
    """Give fields of ensembles' messages values that are valid."""
    if kind.__name__ == "MemberCard":
        state = STATES[choices.integer(0, len(STATES) - 1)]
        return {**fields, "state": state, "progress": choices.integer(0, 8) / 8}
    if kind.__name__ == "Refusal":
        return {**fields, "reason": REFUSALS[choices.integer(0, len(REFUSALS) - 1)]}
    if "within_s" in fields:
        return {**fields, "within_s": 0.1 + choices.number()}
    return fields


def _spec(choices: Choices) -> EnsembleSpec:
    seed, within_s = choices.integer(0, 2**53), 0.1 + choices.number()
    if choices.integer(0, 1):
        columns = (Column("a", mean=choices.number()), Column("b", CATEGORY, ("", "x")))
        return EnsembleSpec(
            "houses",
            "regression",
            (*columns, Column("y", TARGET)),
            transform="log1p",
            metric="rmsle",
            deadline_s=within_s,
            seed=seed,
            founder=OWNER,
        )
    return EnsembleSpec(
        "digits",
        "classification",
        input_shape=(choices.integer(1, 9), 8),
        classes=("0", choices.text() + "x"),
        metric="log-loss",
        keep_models=bool(choices.integer(0, 1)),
        distance_max=choices.number(),
        seed=seed,
        founder=OWNER,
    )


def _model(choices: Choices) -> ModelRecord:
    version = VERSIONS[choices.integer(0, 2)]
    blob = BlobRef(version, choices.integer(1, 2**40)) if choices.integer(0, 1) else None
    num_rows = choices.integer(1, 10**6)
    return ModelRecord(version, "gbr", "skops", blob, num_rows, choices.number(), choices.number())


def _score(choices: Choices) -> Score:
    is_own, num_rows = bool(choices.integer(0, 1)), choices.integer(1, 10**6)
    losses = choices.number(), choices.number()
    return Score(OWNER, VERSIONS[choices.integer(0, 2)], *losses, num_rows, is_own)


def _moments(choices: Choices) -> Moments:
    size = choices.integer(1, 3)
    gram = tuple(choices.number() for _ in range(size * size))
    target = tuple(choices.number() for _ in range(size))
    return Moments(VERSIONS[:size], gram, target, choices.integer(1, 999))


def _residuals(choices: Choices) -> Residuals:
    steps = (choices.number(), choices.number())
    quantiles = tuple(sorted((*steps, *[steps[0]] * (QUANTILES - 2))))
    versions = VERSIONS[: choices.integer(1, 3)]
    return Residuals("skill", versions, quantiles, choices.integer(1, 999))


def _combiner(choices: Choices) -> CombinerRecord:
    share = choices.integer(0, 8) / 8
    return CombinerRecord(VERSIONS[:2], (share, 1 - share), 0.1 + choices.number())


def _payload(choices: Choices) -> Payload:
    num_rows = choices.integer(1, 1000)
    if choices.integer(0, 1):
        return Payload(num_rows, blob=BlobRef(VERSIONS[0], choices.integer(1, 2**40)))
    return Payload(num_rows, b"r" + choices.text().encode())


MAKERS: dict[Any, Callable[[Choices], Any]] = {
    EnsembleSpec: _spec,
    ModelRecord: _model,
    Score: _score,
    RefusedModel: lambda choices: RefusedModel(OWNER, VERSIONS[0], choices.text()),
    Moments: _moments,
    Residuals: _residuals,
    CombinerRecord: _combiner,
    Comparison: lambda choices: Comparison(choices.number(), num_shadow=choices.integer(0, 99)),
    Drift: lambda choices: Drift(choices.number(), choices.number(), choices.text()),
    Payload: _payload,
}
