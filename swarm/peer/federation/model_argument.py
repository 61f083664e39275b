"""model_name(): what a user gives as `model=` becomes a name or a file that peers understand."""

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from swarm.core.errors import ConfigurationError

FILE = "own-model.keras"


def model_name(model: Any, folder: Path, shape: Callable[[], tuple[Any, int]]) -> str:
    """Turn a model into the session's `model`: a name, or the path of a `.keras` file.

    A `keras.Model` is saved with its weights and with what it was compiled with. A function is
    called here, once, and its model is saved: other peers need not have the function.

    Args:
        model: A name or a path as in `SessionSpec.model`, a `keras.Model`, or a function that
            returns one. It gets the shape of an example and the number of outputs if it takes two
            arguments.
        folder: Where to save the model.
        shape: Finds out both arguments.

    Raises:
        ConfigurationError: It is nothing of this, or it cannot be saved.
    """
    if isinstance(model, str | Path):
        return str(model)
    if not _is_model(model) and callable(model) and not isinstance(model, type):
        model = model(*shape()) if _takes_two(model) else model()
    if not _is_model(model):
        raise ConfigurationError(
            "model must be a name, a .keras file, a keras.Model, or a function that returns one, "
            f"got {type(model).__name__}"
        )
    if not model.built:
        raise ConfigurationError(
            f"the model {model.name!r} has no weights yet: give it an Input layer, or call it "
            "once on examples"
        )
    path = folder / FILE
    try:
        model.save(path)
    except Exception as error:  # a layer's own get_config can raise anything
        raise ConfigurationError(f"the model {model.name!r} cannot be saved: {error}") from error
    return str(path)


def _is_model(model: Any) -> bool:
    """Whether it is a `keras.Model`; whoever has one has imported Keras."""
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(model, keras.Model)


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind()
    except TypeError:
        return True
    return False
