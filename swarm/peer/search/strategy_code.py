"""load_strategy(): imports the class `module:Class`, for peers that let such code run."""

import importlib

from swarm.search.strategies.strategy import Strategy

_NEEDED = ("ask", "tell", "stops", "lookahead_max", "is_slow")


def load_strategy(name: str) -> type[Strategy]:
    """Import the class.

    Raises:
        ValueError: The class cannot be imported, or is no strategy.
    """
    module_name, _, class_name = name.partition(":")
    try:
        kind = getattr(importlib.import_module(module_name), class_name)
    except (Exception, SystemExit) as error:  # a user's code can raise anything
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"strategy {name!r} cannot be loaded: {reason}") from error
    lacking = [needed for needed in _NEEDED if not hasattr(kind, needed)]
    if not isinstance(kind, type) or lacking:
        raise ValueError(f"strategy {name!r} must be a class with {', '.join(_NEEDED)}")
    return kind
