"""Invented ensembles for the Ensemble tab and for the APIs, and answers to any question."""

import hashlib
import math
from typing import Any

BEGAN_UNIX_S = 1_790_000_000.0
COLUMNS: list[tuple[str, str, list[str], float | None]] = [
    ("LotArea", "number", [], 10516.8),
    ("YearBuilt", "number", [], 1971.3),
    ("SoldOn", "date", [], 18262.0),
    ("Neighborhood", "category", ["CollgCr", "NAmes", "OldTown"], None),
]


def member_id(index: int) -> str:
    return "12D3KooW" + hashlib.sha256(f"member {index}".encode()).hexdigest()[:44]


def model(index: int, generation: int = 0, learner: str = "gbr") -> dict[str, Any]:
    return {
        "version": hashlib.sha256(f"model {index} {generation}".encode()).hexdigest(),
        "learner": learner,
        "num_rows": 480 + index + 40 * generation,
        "fitted_unix_s": BEGAN_UNIX_S + 60 * index + 900 * generation,
        "fit_s": 1.4 + 0.2 * index,
        "stays_home": False,
    }


def ensemble(num_members: int = 3, name: str = "house-prices") -> dict[str, Any]:
    """A regression on a table; the second member has a challenger, the last one drifts."""
    members = [_member(index, num_members) for index in range(num_members)]
    return {
        "id": hashlib.sha256(name.encode()).hexdigest(),
        "name": name,
        "task": "regression",
        "target": "SalePrice",
        "columns": [
            {"name": column, "kind": kind, "categories": known, "typical": typical}
            for column, kind, known, typical in COLUMNS
        ],
        "input_shape": [],
        "classes": [],
        "transform": "log1p",
        "metric": "rmsle",
        "combination": "auto",
        "deadline_s": 2.0,
        "quorum": 0.5,
        "num_needed": math.ceil(num_members / 2),
        "ready": num_members > 0,
        "members": members,
        "matrix": [_score(i, j) for i in range(num_members) for j in range(num_members)],
        "num_asked": 3 if num_members else 0,
        "num_failed": 1 if num_members else 0,
        "latency": {"num_questions": 2, "p50_s": 0.034, "p99_s": 0.052} if num_members else None,
        "questions": _questions(members) if num_members else [],
    }


def classification(name: str = "tumours") -> dict[str, Any]:
    """A classification on arrays of shape (4,)."""
    return ensemble(3, name) | {
        "task": "classification",
        "target": None,
        "columns": [],
        "input_shape": [4],
        "classes": ["benign", "malignant"],
        "transform": "none",
        "metric": "log-loss",
    }


def answer(asked: dict[str, Any], rows: Any, coverage: float, detail: bool) -> dict[str, Any]:
    """An answer to any rows."""
    num_rows = len(next(iter(rows.values()))) if isinstance(rows, dict) else len(rows)
    values = [181_000.0 + 1000 * row for row in range(num_rows)]
    shares = [[0.25, 0.75] for _ in range(num_rows)]
    has_classes = bool(asked["classes"])
    answering, missing = asked["members"][:-1], asked["members"][-1:]
    return {
        "ensemble": asked["name"],
        "values": ["malignant"] * num_rows if has_classes else values,
        "spread": [0.25 if has_classes else 9500.0] * num_rows,
        "lower": None if has_classes else [value - 23_000 for value in values],
        "upper": None if has_classes else [value + 26_000 for value in values],
        "probabilities": shares if has_classes else None,
        "sets": [["benign", "malignant"]] * num_rows if has_classes else None,
        "classes": asked["classes"],
        "coverage": coverage,
        "combination": "skill",
        "members": [
            {
                "peer": member["peer"],
                "name": member["name"],
                "version": member["champion"]["version"],
                "learner": member["champion"]["learner"],
                "fitted_unix_s": member["champion"]["fitted_unix_s"],
                "num_rows": member["champion"]["num_rows"],
                "weight": 1 / len(answering),
                "answered_by": member["peer"],
                "values": [value + 9500 * (2 * index - 1) for value in values]
                if detail and not has_classes
                else None,
                "probabilities": shares if detail and has_classes else None,
            }
            for index, member in enumerate(answering)
        ],
        "missing": [_missing(member, "no answer within 2 s") for member in missing],
        "notes": ["asked without YearBuilt: taken as missing"],
        "seconds": 0.041,
    }


def _member(index: int, num_members: int) -> dict[str, Any]:
    is_last = index == num_members - 1
    shadowed = index == 1
    return {
        "peer": member_id(index),
        "name": member_id(index)[-6:],
        "present": True,
        "distrusted": False,
        "state": "fitting" if is_last and num_members > 2 else "serving",
        "progress": 0.4 if is_last else 1.0,
        "num_rows": 486 + index,
        "champion": model(index),
        "challenger": model(index, 1) if shadowed else None,
        "previous": model(index, -1) if index == 0 else None,
        "skill": 0.85 - 0.04 * index,
        "metric": 0.131 + 0.01 * index,
        "num_scorers": num_members,
        "drift": {
            "value": 2.4 if is_last else 0.3,
            "threshold": 1.5,
            "drifting": is_last,
            "detail": "its errors on new rows grow" if is_last else "",
        },
        "comparison": {
            "champion_validation": 0.0171,
            "challenger_validation": 0.0165,
            "champion_recent": 0.021,
            "challenger_recent": 0.0183,
            "num_recent": 24,
            "num_shadow": 310,
            "disagreement": 0.031,
        }
        if shadowed
        else None,
        "detail": "fits again: its rows drift" if is_last else "",
    }


def _score(scorer: int, owner: int) -> dict[str, Any]:
    refused = (scorer, owner) == (0, 2)
    metric = round(0.125 + 0.01 * owner + 0.004 * abs(scorer - owner), 4)
    return {
        "scorer": member_id(scorer),
        "owner": member_id(owner),
        "version": model(owner)["version"],
        "metric": None if refused else metric,
        "num_rows": 0 if refused else 486 + scorer,
        "own": scorer == owner,
        "refusal": "the model has 3 columns, 4 are due" if refused else "",
    }


def _questions(members: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ids = [member["peer"] for member in members]
    late = _missing(members[-1], "no answer within 2 s")
    return [
        {
            "seq": seq,
            "elapsed_s": 12.0 + 4 * seq,
            "num_rows": num_rows,
            "seconds": seconds,
            "answered": answered,
            "missing": missing,
            "error": error,
        }
        for seq, (num_rows, seconds, answered, missing, error) in enumerate(
            [
                (1, 0.034, ids, [], ""),
                (120, 0.052, ids[:-1], [late], ""),
                (1, 2.0, [], [], "0 members answered within 2 s, at least 2 must"),
            ]
        )
    ]


def _missing(member: dict[str, Any], reason: str) -> dict[str, Any]:
    return {"peer": member["peer"], "name": member["name"], "reason": reason}
