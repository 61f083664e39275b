"""What a `.keras` file says about itself, read without Keras."""

import importlib
import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

CONFIG_BYTES_MAX = 16 * 1024 * 1024


def compile_config(path: Path) -> dict[str, Any]:
    """What the model in a file was compiled with, as Keras wrote it; {} if it was not."""
    found = _config(path).get("compile_config")
    return found if isinstance(found, dict) else {}


def input_axes(path: Path) -> int | None:
    """Axes of one example that a model with one input takes; None if that is not known."""
    try:
        layers = _config(path)["config"]["layers"]
        shapes = [part["config"]["batch_shape"] for part in layers if _is_input(part)]
        return len(shapes[0]) - 1 if len(shapes) == 1 else None
    except (LookupError, TypeError):
        return None


def import_custom_objects(path: Path, *, allow_code: bool) -> dict[str, Any]:
    """Import the modules of a file's own layers and functions, for Keras to find them.

    Args:
        path: The `.keras` file.
        allow_code: Whether code that the file names may run; else only Swarm's own is imported.

    Returns:
        Classes and functions by the names that the file calls them.
    """
    found: dict[str, Any] = {}
    for module_name, name, registered_name in _own_objects(_config(path)):
        with suppress(Exception):  # Keras says later, and better, what it misses
            if module_name.startswith("swarm.learning.models."):
                importlib.import_module(module_name)  # registers its layers with Keras
            elif allow_code:
                found[name] = getattr(importlib.import_module(module_name), name)
                found[registered_name] = found[name]
    return found


def module_of(path: Path, name: str) -> str:
    """The module of a file's own class, as it was named when the file was saved.

    A class of the script that saved it is of `__main__`. Returns "" if the file names none.
    """
    return next((module for module, own, _ in _own_objects(_config(path)) if own == name), "")


def _config(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive, archive.open("config.json") as file:
            config = json.loads(file.read(CONFIG_BYTES_MAX))
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error, RuntimeError):
        return {}  # RuntimeError: an archive with a password, or too many brackets
    return config if isinstance(config, dict) else {}


def _is_input(layer: dict[str, Any]) -> bool:
    return bool(layer["class_name"] == "InputLayer")


def _own_objects(config: Any) -> Iterator[tuple[str, str, str]]:
    parts = [config]  # no recursion: a damaged file may be deep
    while parts:
        part = parts.pop()
        if isinstance(part, list):
            parts += part
        elif isinstance(part, dict):
            parts += part.values()
            yield from _own_object(part)


def _own_object(config: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    module, name = config.get("module"), config.get("class_name")
    if name == "function":
        name = config.get("config")
    if not (isinstance(module, str) and isinstance(name, str)) or module == "builtins":
        return
    if module.split(".")[0] != "keras":
        registered_name = config.get("registered_name")
        yield module, name, registered_name if isinstance(registered_name, str) else name
