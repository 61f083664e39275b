"""Damaged `.keras` files say nothing about themselves, and raise nothing."""

import json
import zipfile
from pathlib import Path

import pytest

from swarm.learning.model_files import compile_config, import_custom_objects, input_axes

LAYER = {"class_name": "InputLayer", "config": {"batch_shape": [None, 8, 8, 1]}}
WHOLE = json.dumps({"config": {"layers": [LAYER]}, "compile_config": {"loss": "mse"}})


def _write(folder: Path, config: str) -> Path:
    path = folder / "model.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", config)
    return path


def test_a_whole_file_says_what_it_takes(tmp_path: Path) -> None:
    path = _write(tmp_path, WHOLE)

    assert input_axes(path) == 3
    assert compile_config(path) == {"loss": "mse"}


@pytest.mark.parametrize("shape", [None, 7, True])
def test_an_input_without_axes_is_not_known(shape: object, tmp_path: Path) -> None:
    layer = {**LAYER, "config": {"batch_shape": shape}}

    assert input_axes(_write(tmp_path, json.dumps({"config": {"layers": [layer]}}))) is None


@pytest.mark.parametrize("depth", [700, 5_000, 100_000])
def test_a_deep_file_exhausts_no_stack(depth: int, tmp_path: Path) -> None:
    path = _write(tmp_path, '{"config":' * depth + "1" + "}" * depth)

    assert input_axes(path) is None
    assert import_custom_objects(path, allow_code=True) == {}


@pytest.mark.parametrize("place", range(0, 300, 3))
def test_any_damaged_byte_is_survived(place: int, tmp_path: Path) -> None:
    path = _write(tmp_path, WHOLE)
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 0xFF
    path.write_bytes(content)

    assert input_axes(path) in (None, 3)
