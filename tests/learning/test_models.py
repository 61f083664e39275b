"""One contract, run by every built-in model."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swarm.core.blobs import INLINE_SIZE_MAX
from swarm.core.errors import ConfigurationError, LearningError
from swarm.core.session import MODELS
from swarm.learning.backend import keras
from swarm.learning.datasets.description import DataDescription
from swarm.learning.models import create_model
from swarm.learning.models.outputs import find_outputs
from swarm.peer.__main__ import SESSION_FLAGS

pytestmark = [
    pytest.mark.slow,
    # Keras 3.15 converts TensorFlow's variables in a way that numpy 2 warns about.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't:DeprecationWarning"),
]


def test_modules_hidden_from_keras_can_still_be_imported() -> None:
    import sklearn  # noqa: PLC0415

    assert sklearn.__version__


@pytest.mark.parametrize("name", [name for name in MODELS if name != "text"])
class TestContract:
    @pytest.mark.parametrize("input_shape", [(8, 8, 1), (16, 16, 3), (28, 28, 1), (32, 32, 3)])
    def test_it_gives_a_logit_per_class_for_any_image(
        self, name: str, input_shape: tuple[int, ...]
    ) -> None:
        model = _create(name, input_shape, 7)

        outputs = model.predict_on_batch(np.zeros((2, *input_shape), np.float32))

        assert outputs.shape == (2, 7)
        assert find_outputs(model, DataDescription(input_shape, 7), name).logits

    def test_equal_seeds_give_equal_weights_and_other_seeds_do_not(self, name: str) -> None:
        first, again, other = (
            _create(name, (8, 8, 1), 10, seed=seed).get_weights() for seed in (1, 1, 2)
        )

        assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
        assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))

    def test_all_its_weights_can_be_averaged(self, name: str) -> None:
        model = _create(name, (32, 32, 3), 10)

        assert model.non_trainable_weights == []


@pytest.mark.parametrize(("name", "num_parameters"), [("lenet", 62_006), ("cnn", 319_178)])
def test_parameters_are_as_published(name: str, num_parameters: int) -> None:
    assert _create(name, (32, 32, 3), 10).count_params() == num_parameters


def test_weights_of_mlp_on_digits_fit_in_a_message() -> None:
    assert _create("mlp", (8, 8, 1), 10).count_params() * 4 < INLINE_SIZE_MAX - 1024


@pytest.mark.parametrize("name", ["lenet", "cnn"])
@pytest.mark.parametrize("input_shape", [(7, 8, 3), (30,), (32, 32)])
def test_image_models_refuse_other_shapes(name: str, input_shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigurationError, match="at least 8x8"):
        _create(name, input_shape, 10)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="resnet99"):
        _create("resnet99", (8, 8, 1), 10)


class TestOwnModels:
    def test_a_keras_file_keeps_its_weights(self, tmp_path: Path) -> None:
        path = tmp_path / "own.keras"
        original = _softmax_model()
        original.save(path)

        loaded = _create(str(path), (4,), 3)

        for ours, theirs in zip(loaded.get_weights(), original.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)

    def test_a_file_with_code_in_it_is_refused_unless_code_is_allowed(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "lambda.keras"
        triple = keras.layers.Lambda(lambda x: x * 3)
        keras.Sequential([keras.Input((4,)), triple, keras.layers.Dense(4)]).save(path)

        with pytest.raises(LearningError, match="--allow-model"):
            _create(str(path), (4,), 4)

        assert _create(str(path), (4,), 4, allow_code=True) is not None

    def test_a_damaged_file_is_refused_by_name(self, tmp_path: Path) -> None:
        path = tmp_path / "damaged.keras"
        path.write_bytes(b"not a model")

        with pytest.raises(LearningError, match=r"damaged\.keras"):
            _create(str(path), (4,), 3)

    def test_a_missing_file_is_refused_by_name(self) -> None:
        with pytest.raises(ConfigurationError, match=r"missing\.keras does not exist"):
            _create("missing.keras", (4,), 3)

    def test_a_model_of_another_shape_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "own.keras"
        _softmax_model().save(path)

        with pytest.raises(LearningError, match="input"):
            _create(str(path), (5,), 3)
        with pytest.raises(LearningError, match="output"):
            _create(str(path), (4,), 9)

    def test_a_function_runs_only_if_code_is_allowed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "own_models.py").write_text(
            "import keras\n"
            "def build(input_shape, num_classes):\n"
            "    return keras.Sequential([keras.Input(input_shape), keras.layers.Flatten(),\n"
            "                             keras.layers.Dense(num_classes)])\n"
        )
        monkeypatch.syspath_prepend(tmp_path)

        with pytest.raises(ConfigurationError, match="is code; let"):
            _create("own_models:build", (4,), 3)

        assert _create("own_models:build", (4,), 3, allow_code=True).count_params() == 15

    def test_a_missing_function_is_refused_by_name(self) -> None:
        with pytest.raises(ConfigurationError, match="no_such_module:build"):
            _create("no_such_module:build", (4,), 3, allow_code=True)


def _create(
    name: str,
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    seed: int = 0,
    allow_code: bool = False,
) -> Any:
    data = DataDescription(input_shape, num_classes)
    return create_model(name, data, seed=seed, allow_code=allow_code)


def _softmax_model() -> Any:
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])


def test_the_help_and_the_docs_name_all_built_in_models() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    (line,) = [line for line in docs.splitlines() if line.startswith("- **A name**")]

    assert all(f"`{name}`" in line for name in MODELS)
    assert all(name in SESSION_FLAGS["model"].split(", ") for name in MODELS)
