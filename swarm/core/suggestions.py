"""Answers to misspelt names: which known name was probably meant."""

import difflib
import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from typing import ParamSpec, TypeVar

from swarm.core.errors import ConfigurationError

P = ParamSpec("P")
R = TypeVar("R")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The middle of an error message: `; did you mean 'rounds'?`, or nothing if no name is close.

    Example:
        >>> did_you_mean("round", ["rounds", "model"])
        "; did you mean 'rounds'?"
        >>> did_you_mean("colour", ["rounds", "model"])
        ''
    """
    by_lower = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), list(by_lower), n=1)
    return f"; did you mean {by_lower[close[0]]!r}?" if close else ""


def names_misspelt_options(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator: an unknown keyword raises `ConfigurationError`, which names the closest one."""
    known = tuple(inspect.signature(function).parameters)

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs:
            if name not in known:
                raise ConfigurationError(
                    f"{function.__name__} has no option {name!r}{did_you_mean(name, known)}"
                )
        return function(*args, **kwargs)

    return checked
