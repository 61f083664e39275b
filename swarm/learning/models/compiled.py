"""What a model was compiled with: its optimizer, its loss and its schedule, or none of them."""

import re
from pathlib import Path
from typing import Any

from swarm.core.errors import LearningError
from swarm.learning.backend import keras
from swarm.learning.model_files import compile_config, module_of

ALLOW = "let the model's code run with --allow-model, in Python allow_model=True"
_WITH_FROM_LOGITS = (
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "SparseCategoricalCrossentropy",
)


def compile_as_saved(
    model: Any, path: Path, custom_objects: dict[str, Any], *, allow_code: bool
) -> None:
    """Give a loaded model the optimizer and the loss of its file.

    Metrics are left out: a session measures its own, so their code need not run.

    Raises:
        LearningError: The file names a loss or an optimizer that is not available here.
    """
    config = compile_config(path)
    try:
        optimizer, loss = (
            keras.saving.deserialize_keras_object(
                config.get(key), custom_objects=custom_objects, safe_mode=not allow_code
            )
            for key in ("optimizer", "loss")
        )
        if optimizer is not None and loss is not None:
            model.compile(
                optimizer=optimizer, loss=loss, run_eagerly=bool(config.get("run_eagerly"))
            )
    except Exception as error:  # a malformed file can make Keras raise anything
        why = reason(error, path, allow_code=allow_code)
        raise LearningError(
            f"cannot use what model {path.name} was compiled with: {why}; or save the "
            "model before it is compiled"
        ) from error


def reason(error: Exception, path: Path, *, allow_code: bool) -> str:
    """Why Keras cannot load something of a file, in a sentence that says what to do."""
    text = str(error)
    if "lambda" in text.lower():
        return f"it holds a lambda, which is code; {ALLOW}, if you trust it"
    if found := re.search(r"Could not locate function '([^']*)'", text):
        return (
            f"its function {found[1]!r} is not known here; make it a class in a module that each "
            f"peer can import, and {ALLOW}"
        )
    if found := re.search(r"Could not locate class '([^']*)'", text):
        return _unknown_class(found[1], module_of(path, found[1]), allow_code=allow_code)
    return text


def _unknown_class(name: str, module: str, *, allow_code: bool) -> str:
    if module in ("", "__main__"):  # Keras leaves the module of a script's own class out
        return (
            f"its class {name!r} is defined in the script itself; move it to a file of its own, "
            f"as in layers.py, that each peer can import, and {ALLOW}"
        )
    if not allow_code:
        return f"its class {name!r} of module {module} is code; {ALLOW}, if you trust it"
    return (
        f"its class {name!r} of module {module} cannot be imported here; put the module's file "
        "beside the script or into a folder of PYTHONPATH, on each machine"
    )


def own_optimizer(model: Any) -> Any:
    """The optimizer that a model was compiled with, without what mixed precision adds; or None."""
    optimizer = getattr(model, "optimizer", None)
    return getattr(optimizer, "inner_optimizer", optimizer)


def own_loss(model: Any) -> Any:
    """The loss that a model was compiled with: an object, or a function without a class; or None.

    Raises:
        LearningError: It has several losses.
    """
    loss = getattr(model, "loss", None)
    if isinstance(loss, list | tuple | dict) and len(loss) == 1:
        loss = next(iter(loss.values() if isinstance(loss, dict) else loss))
    if isinstance(loss, list | tuple | dict):
        raise LearningError(f"a session trains one loss, the model was compiled with {loss}")
    if isinstance(loss, str):
        loss = keras.losses.get(loss)
    for name in _WITH_FROM_LOGITS:
        cls = getattr(keras.losses, name)
        if loss in (keras.losses.get(_function_name(name)), cls):
            return cls()
    return loss


def said_by_loss(model: Any) -> bool | None:
    """`from_logits` of the loss that a model was compiled with; None if there is none."""
    loss = own_loss(model)
    if isinstance(loss, keras.losses.Loss):
        said = loss.get_config().get("from_logits")
        return None if said is None else bool(said)
    return None


def own_metrics(model: Any, path: Path | None) -> list[str]:
    """Names of the metrics that a model was compiled with."""
    config = compile_config(path) if path is not None else {}
    if path is None and getattr(model, "compiled", False):
        config = model.get_compile_config() or {}
    return sorted(set(_names([config.get("metrics"), config.get("weighted_metrics")])))


def _function_name(class_name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in class_name).lstrip("_")


def _names(config: Any) -> list[str]:
    if isinstance(config, str):
        return [config]
    if isinstance(config, dict) and "class_name" in config:
        inner = config.get("config")
        named = inner.get("name") if isinstance(inner, dict) else inner
        return [str(named or config["class_name"])]
    parts = config.values() if isinstance(config, dict) else config or ()
    return [name for part in parts for name in _names(part)]
