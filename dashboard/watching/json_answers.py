"""JSON answers of the server. Browsers and proxies must not cache them."""

import math
from typing import Any

from flask import Response, jsonify


def json_answer(value: Any) -> Response:
    """Answer with `value` as JSON that is never cached."""
    answer = jsonify(json_safe(value))
    answer.headers["Cache-Control"] = "no-store"
    return answer


def json_safe(value: Any) -> Any:
    """Replace every number that JSON cannot express (a diverged loss is NaN) by None.

    >>> json_safe({"loss": float("nan"), "peers": [1.5, float("inf")]})
    {'loss': None, 'peers': [1.5, None]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: json_safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_safe(item) for item in value]
    return value
