"""Trials and results as JSON, and the only parser of what a broker delivers.

A trial travels with its whole study, so a worker needs no other message before it.
"""

import json
from dataclasses import dataclass
from typing import Any

from cattrs import Converter
from cattrs.errors import BaseValidationError, StructureHandlerNotFoundError
from cattrs.strategies import configure_union_passthrough

from swarm.core.errors import RemoteProtocolError
from swarm.search.study import StudyId, StudySpec
from swarm.search.trial import Trial, TrialResult
from swarm.search.values import Value

VERSION = 1
SIZE_MAX = 1 << 20
"""Bytes; a study with many models and choices has a few thousand."""
WORKERS = "swarm-workers"
"""The group of workers, which share the trials."""


@dataclass(frozen=True, slots=True)
class TrialMessage:
    """To workers: a trial to run."""

    version: int
    study: StudySpec
    trial: Trial


@dataclass(frozen=True, slots=True)
class ResultMessage:
    """From a worker: the result of a trial."""

    version: int
    study: StudyId
    result: TrialResult


def trials_topic(model: str) -> str:
    """Topic for the trials of a model.

    Example:
        >>> trials_topic("knn"), results_topic("keras-mlp")
        ('hyperparams_knn', 'results_keras-mlp')
    """
    return f"hyperparams_{model}"


def results_topic(model: str) -> str:
    """Topic for the results of a model's trials."""
    return f"results_{model}"


def results_group(study: StudyId) -> str:
    """The group that collects a study's results."""
    return f"swarm-study-{study[:16]}"


def encode_trial(study: StudySpec, trial: Trial) -> bytes:
    """Bytes of a `TrialMessage`."""
    return _encode(TrialMessage(VERSION, study, trial))


def encode_result(study: StudyId, result: TrialResult) -> bytes:
    """Bytes of a `ResultMessage`."""
    return _encode(ResultMessage(VERSION, study, result))


def decode_trial(body: bytes) -> TrialMessage:
    """Read a trial.

    Raises:
        RemoteProtocolError: It is no trial, or belongs to another study than the one it has.
    """
    message: TrialMessage = _decode(body, TrialMessage)
    if message.trial.study != message.study.id:
        raise RemoteProtocolError("the trial belongs to another study than the one it came with")
    if message.trial.model not in {space.model for space in message.study.models}:
        raise RemoteProtocolError(f"the study has no model {message.trial.model!r:.80}")
    return message


def decode_result(body: bytes) -> ResultMessage:
    """Read a result.

    Raises:
        RemoteProtocolError: It is no result.
    """
    message: ResultMessage = _decode(body, ResultMessage)
    return message


def _encode(message: object) -> bytes:
    return json.dumps(_CONVERTER.unstructure(message), allow_nan=False).encode()


def _decode(body: bytes, kind: type) -> Any:
    if len(body) > SIZE_MAX:
        raise RemoteProtocolError(f"a message must have at most {SIZE_MAX} bytes, got {len(body)}")
    try:
        plain = json.loads(body)
        version = plain.get("version") if isinstance(plain, dict) else None
        if version != VERSION:
            raise RemoteProtocolError(f"version must be {VERSION}, got {version!r:.40}")
        return _CONVERTER.structure(plain, kind)
    except (
        *(BaseValidationError, StructureHandlerNotFoundError, RecursionError),
        *(ValueError, TypeError, KeyError, AttributeError, OverflowError),
    ) as error:
        raise RemoteProtocolError(f"not a valid message: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """The innermost reason: cattrs wraps an error once for each level."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"[:300]


def _converter() -> Converter:
    converter = Converter(forbid_extra_keys=True)
    configure_union_passthrough(Value, converter)
    return converter


_CONVERTER = _converter()
