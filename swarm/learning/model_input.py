"""model_input_axes(): what a `.keras` file takes, read from its configuration without Keras."""

import json
import zipfile
from pathlib import Path
from typing import Any


def model_input_axes(path: Path) -> int | None:
    """Axes of one example that the model takes; None if it has several inputs or cannot be read.

    A damaged file is refused later, with the reason, by the process that loads it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
        layers = config["config"]["layers"]
        shapes = [layer["config"]["batch_shape"] for layer in layers if _is_input(layer)]
    except (OSError, zipfile.BadZipFile, ValueError, LookupError, TypeError):
        return None
    return len(shapes[0]) - 1 if len(shapes) == 1 else None


def _is_input(layer: Any) -> bool:
    return bool(layer["class_name"] == "InputLayer")
