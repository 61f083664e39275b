"""Keras models by name, and what a federated session must know of any Keras model.

create_model("lenet" | "cnn" | "mlp" | "text" | "path/to/file.keras" | "module:function", ...)

cnn        three convolutions; for images
lenet      LeNet-5 as NIID-Bench uses it; for images
mlp        one hidden layer; for any shape
text       hashed words and their mean; for one text per example
fitting    whether a model fits the session's data
outputs    whether a model gives logits or probabilities
compiled   what a model was compiled with
objective  the loss that training minimises, and the score
weights    which weights peers average; what averaging means for a model
"""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from swarm.core.errors import ConfigurationError, LearningError
from swarm.core.session import MODELS
from swarm.learning.backend import keras
from swarm.learning.datasets.description import DataDescription
from swarm.learning.model_files import import_custom_objects
from swarm.learning.models.compiled import ALLOW, compile_as_saved, reason
from swarm.learning.models.fitting import build, check_fits


def create_model(
    name: str,
    data: DataDescription,
    *,
    seed: int,
    allow_code: bool,
    options: Mapping[str, Any] | None = None,
) -> Any:
    """Build or load a model that maps examples to one output each.

    Args:
        name: A built-in name, the path of a `.keras` file, or `module:function`, where
            `function(input_shape, num_classes, **options)` returns a Keras model. With several
            inputs, `input_shape` is a dict of shapes by name.
        data: Shapes, task and number of outputs.
        seed: Decides the initial weights; the same seed gives the same weights.
        allow_code: Whether `module:function`, Lambda layers and own layers of a file may run.
        options: Arguments for a `module:function`; other models take none.

    Returns:
        A built Keras model, compiled if its maker compiled it.

    Raises:
        ConfigurationError: There is no such model, or it is code and code is not allowed.
        LearningError: The model does not fit the data.
    """
    keras.utils.clear_session()  # restarts automatic layer names at 1: all peers get the same
    keras.utils.set_random_seed(seed)
    if name in MODELS:
        _check_kind(name, data)
        make = importlib.import_module(f"{__name__}.{name}").build
        model = make(data.input_shape, data.num_classes)
    elif name.endswith(".keras"):
        model = load_file(Path(name), allow_code=allow_code)
    elif ":" in name:
        make = _find_function(name, allow_code=allow_code)
        model = make(data.example_shape, data.num_classes, **(options or {}))
        if isinstance(model, keras.Model) and not model.built:
            build(model, data)
    else:
        raise ConfigurationError(
            f"model must be {', '.join(MODELS)}, a .keras file or module:function, got {name!r}"
        )
    check_fits(model, Path(name).name, data)
    return model


def _check_kind(name: str, data: DataDescription) -> None:
    if (name == "text") == bool(data.inputs):
        return
    kinds = ", ".join(given.name for given in data.inputs) or "one array of numbers"
    takes = "one text per example" if name == "text" else "one array of numbers"
    raise ConfigurationError(f"model {name!r} takes {takes}, the data has {kinds}")


def load_file(path: Path, *, allow_code: bool) -> Any:
    """Load a `.keras` file, with the loss and the optimizer that it was compiled with.

    Raises:
        ConfigurationError: There is no such file.
        LearningError: Keras cannot load it, or it is code and code is not allowed.
    """
    if not path.is_file():
        raise ConfigurationError(f"model file {path} does not exist")
    own = import_custom_objects(path, allow_code=allow_code)
    try:
        model = keras.saving.load_model(
            path, custom_objects=own, compile=False, safe_mode=not allow_code
        )
    except Exception as error:  # a malformed file can make Keras raise anything
        why = reason(error, path, allow_code=allow_code)
        raise LearningError(f"cannot load model {path.name}: {why}") from error
    compile_as_saved(model, path, own, allow_code=allow_code)
    return model


def _find_function(name: str, *, allow_code: bool) -> Any:
    if not allow_code:
        raise ConfigurationError(f"model {name!r} is code; {ALLOW}")
    module_name, _, function_name = name.partition(":")
    try:
        return getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"cannot import model {name!r}: {error}") from error
