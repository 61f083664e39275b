"""Values of hyperparameters: plain scalars, in hashable pairs of name and value."""

import math
from collections.abc import Mapping

Value = bool | int | float | str
"""Types of a hyperparameter: those that JSON, TOML and msgpack all have."""
Params = tuple[tuple[str, Value], ...]
"""Hyperparameters by name, sorted by name, each name once."""

PARAMS_MAX = 64
NAME_LENGTH_MAX = 64
TEXT_LENGTH_MAX = 256


def make_params(values: Mapping[str, Value]) -> Params:
    """Sort values by name, so that equal hyperparameters give equal params.

    Example:
        >>> make_params({"weights": "uniform", "n_neighbors": 5})
        (('n_neighbors', 5), ('weights', 'uniform'))
    """
    return tuple(sorted(values.items()))


def check_params(what: str, params: Params) -> None:
    """Check names and values.

    Raises:
        ValueError: A name or a value breaks a rule; the message names `what`.
    """
    names = [name for name, _ in params]
    if len(names) > PARAMS_MAX:
        raise ValueError(f"{what} must have at most {PARAMS_MAX} entries, got {len(names)}")
    if names != sorted(set(names)):
        raise ValueError(f"{what} must have distinct names in order, got {', '.join(names)}")
    for name, value in params:
        check_name(what, name)
        check_value(f"{what}.{name}", value)


def check_name(what: str, name: str) -> None:
    """Check that a name is short and printable.

    Raises:
        ValueError: It is not; the message names `what`.
    """
    if not 1 <= len(name) <= NAME_LENGTH_MAX or not name.isprintable():
        raise ValueError(
            f"{what} must be 1 to {NAME_LENGTH_MAX} printable characters, got {name!r:.80}"
        )


def check_value(what: str, value: object) -> None:
    """Check that a value is a finite scalar.

    Raises:
        ValueError: It is not; the message names `what`.
    """
    if isinstance(value, str):
        if len(value) > TEXT_LENGTH_MAX:
            raise ValueError(f"{what} must have at most {TEXT_LENGTH_MAX} characters")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{what} must be finite, got {value}")
    elif isinstance(value, int):  # bool is an int
        if not -(2**63) <= value < 2**63:
            raise ValueError(f"{what} must fit in 64 bits, got {value}")
    else:
        raise ValueError(f"{what} must be a number, a text or a boolean, got {value!r:.80}")
