"""batches(): cuts records into pieces that each fit in one message."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from swarm.search.messages import BATCH_MAX, Lease
from swarm.search.study_ledger import Asked, Closed, Entry, Lost, Recorded, Reported
from swarm.search.trial import Trial, TrialReport, TrialResult

MESSAGE_BYTES_MAX = 40 * 1024
"""Most bytes of a batch, as estimated; topics carry 128 KiB, and one record may take 90."""
_RECORD_BYTES = 250
"""Bytes of a record's ids, peers and field names."""
_POINT_BYTES = 90
_CHARACTER_BYTES = 4
_NUMBER_BYTES = 9

Record = Entry | Lease | TrialReport | TrialResult
R = TypeVar("R", bound=Record)


def batches(records: Iterable[R]) -> Iterator[tuple[R, ...]]:
    """Cut records into pieces, in order, each of at most `BATCH_MAX` records."""
    piece: list[R] = []
    size = 0
    for record in records:
        weight = size_bytes(record)
        if piece and (size + weight > MESSAGE_BYTES_MAX or len(piece) == BATCH_MAX):
            yield tuple(piece)
            piece, size = [], 0
        piece.append(record)
        size += weight
    if piece:
        yield tuple(piece)


def size_bytes(record: Record) -> int:
    """Estimated bytes of a record on the wire; too high rather than too low."""
    match record:
        case Asked(trial):
            return _RECORD_BYTES + _trial_bytes(trial)
        case Lease():
            return 4 * _RECORD_BYTES + _trial_bytes(record.trial)
        case Recorded(result):
            return _RECORD_BYTES + size_bytes(result)
        case TrialResult():
            numbers = _NUMBER_BYTES * len(record.fold_values) + _POINT_BYTES * len(record.curve)
            return _RECORD_BYTES + numbers + _CHARACTER_BYTES * len(record.error)
        case Reported() | TrialReport() | Lost():
            return 2 * _RECORD_BYTES
        case Closed():
            return _RECORD_BYTES + _CHARACTER_BYTES * len(record.error)


def _trial_bytes(trial: Trial) -> int:
    return sum(
        _CHARACTER_BYTES * (len(name) + len(value))
        if isinstance(value, str)
        else _CHARACTER_BYTES * len(name) + _NUMBER_BYTES
        for name, value in trial.params
    )
