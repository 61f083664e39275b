"""Keras models by name. None has batch normalisation, whose statistics cannot be averaged.

create_model("lenet" | "cnn" | "mlp" | "path/to/file.keras" | "module:function", ...)

cnn    three convolutions; for images
lenet  LeNet-5 as NIID-Bench uses it; for images
mlp    one hidden layer; for any shape
"""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from swarm.core.errors import ConfigurationError, LearningError
from swarm.learning.backend import keras

BUILT_IN = ("lenet", "cnn", "mlp")


def create_model(
    name: str,
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    seed: int,
    allow_code: bool,
    options: Mapping[str, Any] | None = None,
) -> Any:
    """Build or load a model that maps examples to one output per class.

    Args:
        name: A built-in name, the path of a `.keras` file, or `module:function`, where
            `function(input_shape, num_classes, **options)` returns a Keras model.
        input_shape: Shape of one example.
        num_classes: C, the length of one output.
        seed: Decides the initial weights; the same seed gives the same weights.
        allow_code: Whether `module:function` and Lambda layers may run.
        options: Arguments for a `module:function`; other models take none.

    Returns:
        A Keras model from float32 (n, *input_shape) to float32 (n, C), not compiled.

    Raises:
        ConfigurationError: There is no such model, or it is code and code is not allowed.
        LearningError: The model does not fit the data, or its weights cannot be averaged.
    """
    keras.utils.clear_session()  # restarts automatic layer names at 1: all peers get the same
    keras.utils.set_random_seed(seed)
    if name in BUILT_IN:
        model = importlib.import_module(f"{__name__}.{name}").build(input_shape, num_classes)
    elif name.endswith(".keras"):
        model = _load_file(Path(name), allow_code=allow_code)
    elif ":" in name:
        build = _find_function(name, allow_code=allow_code)
        model = build(input_shape, num_classes, **(options or {}))
    else:
        raise ConfigurationError(
            f"model must be {', '.join(BUILT_IN)}, a .keras file or module:function, got {name!r}"
        )
    _check_fits(model, name, input_shape, num_classes)
    return model


def gives_logits(model: Any) -> bool:
    """Whether outputs are logits; a model that ends in a softmax gives probabilities."""
    last = model.layers[-1]
    if isinstance(last, keras.layers.Softmax):
        return False
    return getattr(last, "activation", None) is not keras.activations.softmax


def _load_file(path: Path, *, allow_code: bool) -> Any:
    if not path.is_file():
        raise ConfigurationError(f"model file {path} does not exist")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=not allow_code)
    except Exception as error:  # a malformed file can make Keras raise anything
        raise LearningError(f"cannot load model {path}: {error}") from error


def _find_function(name: str, *, allow_code: bool) -> Any:
    if not allow_code:
        raise ConfigurationError(f"model {name!r} is code; this peer does not allow that")
    module_name, _, function_name = name.partition(":")
    try:
        return getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"cannot import model {name!r}: {error}") from error


def _check_fits(model: Any, name: str, input_shape: tuple[int, ...], num_classes: int) -> None:
    if not isinstance(model, keras.Model) or not model.built:
        raise LearningError(f"model {name!r} must be a built Keras model, got {type(model)}")
    for what, shape, expected in (
        ("input", model.input_shape, (None, *input_shape)),
        ("output", model.output_shape, (None, num_classes)),
    ):
        if not isinstance(shape, tuple) or len(shape) != len(expected):
            raise LearningError(f"model {name!r} has {what} {shape}, the session needs {expected}")
        if any(a not in (None, b) for a, b in zip(shape, expected, strict=True)):
            raise LearningError(f"model {name!r} has {what} {shape}, the session needs {expected}")
    for weight in model.weights:
        if str(weight.dtype) != "float32":
            raise LearningError(
                f"weights must be float32 to be averaged, got {weight.dtype} in {weight.path}"
            )
