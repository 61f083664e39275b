from pathlib import Path
from typing import Any

import pytest

from swarm.core.errors import ConfigurationError
from swarm.learning.backend import keras
from swarm.learning.model_files import compile_config
from swarm.peer.federation.model_argument import model_name

pytestmark = [
    pytest.mark.slow,
    # Keras 3.15 converts TensorFlow's variables in a way that numpy 2 warns about.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't:DeprecationWarning"),
]


def _shape() -> tuple[Any, int]:
    return (4,), 3


def _model(input_shape: tuple[int, ...] = (4,), num_classes: int = 3) -> Any:
    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(num_classes)])


def test_names_and_paths_stay_as_they_are(tmp_path: Path) -> None:
    assert model_name("mlp", tmp_path, _shape) == "mlp"
    assert model_name(tmp_path / "m.keras", tmp_path, _shape) == str(tmp_path / "m.keras")
    assert list(tmp_path.iterdir()) == []


def test_a_model_is_saved_with_what_it_was_compiled_with(tmp_path: Path) -> None:
    model = _model()
    model.compile("adam", "mse")

    path = Path(model_name(model, tmp_path, _shape))

    assert path.parent == tmp_path
    assert compile_config(path)["loss"] == "mse"


@pytest.mark.parametrize("build", [_model])
def test_a_function_is_called_with_what_it_takes(build: Any, tmp_path: Path) -> None:
    path = model_name(build, tmp_path, _shape)

    assert keras.saving.load_model(path).output_shape == (None, 3)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (
            lambda: keras.Sequential([keras.layers.Dense(3)], name="empty"),
            "'empty' has no weights",
        ),
        (3, "a function that returns one, got int"),
        (lambda: "mlp", "got str"),
    ],
)
def test_anything_else_is_refused(model: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=said):
        model_name(model, tmp_path, _shape)
