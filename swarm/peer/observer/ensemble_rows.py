"""EnsembleRows: one ensemble in a snapshot, and answers to its questions, as plain JSON."""

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

from swarm.core.columns import CATEGORY, TARGET, target_of
from swarm.core.ids import PeerId
from swarm.ensemble.messages import MemberCard
from swarm.ensemble.records import ModelRecord
from swarm.ensemble.spec import EnsembleSpec
from swarm.peer.ensemble.prediction import Prediction
from swarm.watching.ensemble.matrix import MatrixCell, list_scores
from swarm.watching.ensemble.members import MemberRow, list_members
from swarm.watching.ensemble.questions import Latency, QuestionLog, QuestionRow

NameOf = Callable[[PeerId], str]


class EnsembleRows:
    """Makes the row of one ensemble. What did not change is the same object as before."""

    def __init__(self, spec: EnsembleSpec) -> None:
        self._fixed = spec_json(spec)
        self._spec = spec

    def snapshot(
        self,
        cards: Sequence[MemberCard],
        present: Collection[PeerId],
        distrusted: Collection[PeerId],
        log: QuestionLog,
        started_s: float,
        name_of: NameOf,
    ) -> dict[str, Any]:
        """Return the ensemble as it stands.

        Args:
            cards: The newest card of each member, also of lost ones.
            present: Members that were heard lately.
            distrusted: Members that lost their weight here.
            log: The questions that were asked here.
            started_s: When the observer started, on the clock of the log.
            name_of: Returns the name of a peer.
        """
        spec = self._spec
        needed = max(1, math.ceil(spec.quorum * len(present)))
        able = sum(card.champion is not None for card in cards if card.sender in present)
        latency = log.latency()
        return {
            **self._fixed,
            "num_needed": needed,
            "ready": able >= needed,
            "members": [
                _member(row, name_of) for row in list_members(spec, cards, present, distrusted)
            ],
            "matrix": [_score(cell) for cell in list_scores(spec, cards)],
            "num_asked": log.num_asked,
            "num_failed": log.num_failed,
            "latency": _latency(latency) if latency is not None else None,
            "questions": [_question(row, started_s, name_of) for row in log.rows],
        }


def spec_json(spec: EnsembleSpec) -> dict[str, Any]:
    """Return what members agreed on."""
    target = target_of(spec.columns)
    return {
        "id": spec.id,
        "name": spec.name,
        "task": spec.task,
        "target": target.name if target is not None else None,
        "columns": [
            {
                "name": column.name,
                "kind": column.kind,
                "categories": list(column.categories),
                "typical": None if column.kind == CATEGORY else column.mean,
            }
            for column in spec.columns
            if column.kind != TARGET
        ],
        "input_shape": list(spec.input_shape),
        "classes": list(spec.classes),
        "transform": spec.transform,
        "metric": spec.metric,
        "combination": spec.combination,
        "deadline_s": spec.deadline_s,
        "quorum": spec.quorum,
    }


def answer_json(
    spec: EnsembleSpec, prediction: Prediction, name_of: NameOf, *, detail: bool
) -> dict[str, Any]:
    """Return the answer to a question."""
    rows = range(len(prediction))
    return {
        "ensemble": spec.name,
        "values": prediction.values.tolist(),
        "spread": prediction.spread.tolist(),
        "lower": _listed(prediction.lower),
        "upper": _listed(prediction.upper),
        "probabilities": _listed(prediction.probabilities),
        "sets": None
        if prediction.sets is None
        else [list(prediction.set_of(row)) for row in rows],
        "classes": list(spec.classes),
        "coverage": prediction.coverage,
        "combination": prediction.rule,
        "members": [
            {
                "peer": member.peer,
                "name": name_of(member.peer),
                "version": member.version,
                "learner": member.learner,
                "fitted_unix_s": member.fitted_at_s,
                "num_rows": member.num_rows,
                "weight": member.weight,
                "answered_by": member.answered_by,
                "values": _listed(member.values) if detail and not spec.classes else None,
                "probabilities": _listed(member.values) if detail and spec.classes else None,
            }
            for member in prediction.members
        ],
        "missing": [_missing(one.peer, one.reason, name_of) for one in prediction.missing],
        "notes": list(prediction.notes),
        "seconds": prediction.seconds,
    }


def _listed(array: Any) -> list[Any] | None:
    return None if array is None else list(array.tolist())


def _member(row: MemberRow, name_of: NameOf) -> dict[str, Any]:
    compared = row.comparison
    return {
        "peer": row.peer,
        "name": name_of(row.peer),
        "present": row.is_present,
        "distrusted": row.is_distrusted,
        "state": row.state,
        "progress": row.progress,
        "num_rows": row.num_rows,
        "champion": _model(row.champion),
        "challenger": _model(row.challenger),
        "previous": _model(row.previous),
        "skill": row.skill,
        "metric": row.metric,
        "num_scorers": row.num_scorers,
        "drift": {
            "value": row.drift.value,
            "threshold": row.drift.threshold,
            "drifting": row.is_drifting,
            "detail": row.drift.detail,
        },
        "comparison": None
        if compared is None
        else {name: getattr(compared, name) for name in compared.__slots__},
        "detail": row.detail,
    }


def _model(record: ModelRecord | None) -> dict[str, Any] | None:
    if record is None:
        return None
    return {
        "version": record.version,
        "learner": record.learner,
        "num_rows": record.num_rows,
        "fitted_unix_s": record.fitted_at_s,
        "fit_s": record.fit_s,
        "stays_home": record.blob is None,
    }


def _score(cell: MatrixCell) -> dict[str, Any]:
    return {
        "scorer": cell.scorer,
        "owner": cell.owner,
        "version": cell.version,
        "metric": cell.metric,
        "num_rows": cell.num_rows,
        "own": cell.is_own,
        "refusal": cell.refusal,
    }


def _latency(latency: Latency) -> dict[str, Any]:
    return {name: getattr(latency, name) for name in latency.__slots__}


def _question(row: QuestionRow, started_s: float, name_of: NameOf) -> dict[str, Any]:
    return {
        "seq": row.seq,
        "elapsed_s": round(row.at_s - started_s, 1),
        "num_rows": row.num_rows,
        "seconds": round(row.seconds, 4),
        "answered": list(row.answered),
        "missing": [_missing(peer, reason, name_of) for peer, reason in row.missing],
        "error": row.error,
    }


def _missing(peer: PeerId, reason: str, name_of: NameOf) -> dict[str, Any]:
    return {"peer": peer, "name": name_of(peer), "reason": reason}
