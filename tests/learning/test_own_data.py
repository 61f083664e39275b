"""Own data: what arrays of any type become, and the sentence that refuses them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swarm.core.errors import DataError
from swarm.core.inputs import InputSpec
from swarm.learning.data_config import DataConfig
from swarm.learning.datasets import DataDescription, npz, own
from swarm.learning.datasets.dataset import Dataset

RNG = np.random.default_rng(0)
LABELS = np.arange(50) % 2


def stored(folder: Path, **arrays: Any) -> DataConfig:
    path = folder / "own.npz"
    npz.write(path, {name: np.asarray(array) for name, array in arrays.items()})
    return DataConfig("own", data_path=str(path))


def described(
    folder: Path, x: Any, y: Any, task: str | None = None, num_axes: int | None = None
) -> DataDescription:
    config = stored(folder, x_train=x, y_train=y)
    return own.describe(
        DataConfig("own", config.data_path, task=task), num_axes, lambda note: None
    )


def everything(data: Dataset) -> Any:
    return data.train.x.take(np.arange(len(data.train.y)))


class TestExamples:
    @pytest.mark.parametrize(
        ("shape", "dtype", "becomes"),
        [
            ((50, 8, 8, 3), np.uint8, (8, 8, 3)),
            ((50, 8, 8), np.uint8, (8, 8, 1)),
            ((50, 12), np.uint8, (12,)),
            ((50, 20, 2), np.uint8, (20, 2)),
            ((50, 20, 2), np.float32, (20, 2)),
            ((50, 28, 28), np.float32, (28, 28)),
            ((50, 5, 16, 16, 3), np.uint8, (5, 16, 16, 3)),
        ],
    )
    def test_shapes_stay_except_that_grey_images_get_a_channel(
        self, tmp_path: Path, shape: tuple[int, ...], dtype: Any, becomes: tuple[int, ...]
    ) -> None:
        x = RNG.integers(0, 2, shape).astype(dtype)

        assert described(tmp_path, x, LABELS) == DataDescription(becomes, 2)

    def test_a_model_of_images_takes_arrays_without_channel_as_grey_images(
        self, tmp_path: Path
    ) -> None:
        x = np.zeros((50, 28, 28), np.float32)

        assert described(tmp_path, x, LABELS, num_axes=3).input_shape == (28, 28, 1)
        assert described(tmp_path, x, LABELS, num_axes=2).input_shape == (28, 28)

    def test_a_joiner_follows_the_session_in_that(self, tmp_path: Path) -> None:
        config = stored(tmp_path, x_train=np.zeros((50, 28, 28), np.float32), y_train=LABELS)

        data = own.load(config, DataDescription((28, 28, 1), 2))

        assert everything(data).shape == (40, 28, 28, 1)

    @pytest.mark.parametrize(
        ("x", "dtype"),
        [
            (RNG.integers(0, 60, (50, 12)).astype(np.uint8), np.float32),
            (RNG.integers(0, 256, (50, 8, 8)).astype(np.uint8), np.uint8),
            (RNG.integers(0, 256, (50, 8, 8, 1)), np.uint8),
            (RNG.integers(0, 256, (50, 8, 8, 1)).astype(np.float64), np.uint8),
            (RNG.integers(0, 17, (50, 8, 8, 1)).astype(np.float32), np.float32),
            (RNG.random((50, 8, 8, 1)), np.float32),
        ],
    )
    def test_only_pixels_of_images_stay_bytes_that_are_scaled_later(
        self, tmp_path: Path, x: Any, dtype: Any
    ) -> None:
        x[0, 0] = x[0, 0] * 0 + (200 if dtype == np.uint8 else 0)

        data = own.load(stored(tmp_path, x_train=x, y_train=LABELS), None)

        assert everything(data).dtype == dtype

    @pytest.mark.parametrize(
        "same",
        [
            np.asfortranarray,
            lambda x: x.astype(">f8"),
            lambda x: x.astype(np.float16),
            lambda x: x.astype(np.int64),
            lambda x: x.astype(bool),
        ],
    )
    def test_order_and_type_do_not_matter(self, tmp_path: Path, same: Any) -> None:
        x = RNG.integers(0, 2, (50, 3)).astype(np.float32)

        plain = everything(own.load(stored(tmp_path, x_train=x, y_train=LABELS), None))
        other = everything(own.load(stored(tmp_path, x_train=same(x), y_train=LABELS), None))

        np.testing.assert_array_equal(plain, other)

    def test_texts_and_several_inputs_are_named(self, tmp_path: Path) -> None:
        texts = np.array(["good film", "bad film"] * 25, object)
        config = stored(
            tmp_path,
            x_train_review=texts,
            x_train_ids=RNG.integers(0, 9, (50, 4)),
            x_train_photo=np.zeros((50, 8, 8, 3), np.uint8),
            y_train=LABELS,
        )

        data = own.load(config, None)

        assert data.description.inputs == (
            InputSpec("ids", (4,), "int32"),
            InputSpec("photo", (8, 8, 3), "float32"),
            InputSpec("review", (), "string"),
        )
        x = everything(data)
        assert (x["ids"].dtype, x["photo"].dtype) == (np.int32, np.uint8)
        assert x["review"][1] in ("good film", "bad film")

    def test_one_array_of_texts_is_an_input_of_texts(self, tmp_path: Path) -> None:
        description = described(tmp_path, np.array(["good film", "bad"] * 25), LABELS)

        assert description == DataDescription((), 2, inputs=(InputSpec("text", (), "string"),))


class TestTargets:
    @pytest.mark.parametrize(
        ("y", "task", "num_classes", "classes"),
        [
            (np.arange(50) % 3, "classification", 3, ()),
            (np.array([0, 3, 1, 1, 0] * 10), "classification", 4, ()),
            (np.arange(50) % 3 + 1, "classification", 3, ("1", "2", "3")),
            (np.arange(50) % 2 * 2 - 1, "classification", 2, ("-1", "1")),
            (np.array([10.0, 9.0] * 25), "classification", 2, ("9", "10")),
            (np.array(["cat", "dog"] * 25), "classification", 2, ("cat", "dog")),
            (np.array([b"cat", b"dog"] * 25), "classification", 2, ("cat", "dog")),
            (np.array([True, False] * 25), "classification", 2, ("false", "true")),
            (np.arange(50)[:, None] % 2, "classification", 2, ()),
            (np.eye(5)[np.arange(50) % 5], "classification", 5, ()),
            (RNG.integers(0, 2, (50, 4)), "multi-label", 4, ()),
            (RNG.random(50), "regression", 1, ()),
            (RNG.random((50, 3)), "regression", 3, ()),
        ],
    )
    def test_task_and_classes_are_recognised(
        self, tmp_path: Path, y: Any, task: str, num_classes: int, classes: tuple[str, ...]
    ) -> None:
        found = described(tmp_path, np.zeros((50, 2)), y)

        assert found == DataDescription((2,), num_classes, task, classes)

    def test_whole_numbers_are_quantities_if_the_user_says_so(self, tmp_path: Path) -> None:
        found = described(tmp_path, np.zeros((50, 2)), np.arange(50), task="regression")

        assert found == DataDescription((2,), 1, "regression")

    @pytest.mark.parametrize(
        ("y", "session", "encoded"),
        [
            (["b", "a"], DataDescription((2,), 3, classes=("a", "b", "c")), [1, 0]),
            ([7, 3], DataDescription((2,), 2, classes=("3", "7")), [1, 0]),
            (["1", "0"], DataDescription((2,), 2), [1, 0]),
            ([2, 2], DataDescription((2,), 3), [2, 2]),
            (np.eye(3)[[2, 0]], DataDescription((2,), 3), [2, 0]),
            ([1.5, 2], DataDescription((2,), 1, "regression"), [[1.5], [2]]),
        ],
    )
    def test_a_joiner_encodes_by_the_session(
        self, tmp_path: Path, y: Any, session: DataDescription, encoded: Any
    ) -> None:
        x = np.zeros((2, 2))
        config = stored(tmp_path, x_train=x, y_train=y, x_test=x, y_test=y)

        assert own.load(config, session).train.y.tolist() == encoded

    @pytest.mark.parametrize(
        ("y", "session", "rule"),
        [
            (
                ["a", "d", "d", "e"],
                DataDescription((2,), 3, classes=("a", "b", "c")),
                "does not know label 'd', which 2 examples have, and 1 other .* 'a', 'b', 'c'",
            ),
            ([0, 1], DataDescription((2,), 2, classes=("no", "yes")), "numbers, .* 'no', 'yes'"),
            (["no", "yes"], DataDescription((2,), 2), "texts such as 'no', .* numbers 0..1"),
            ([0, 5], DataDescription((2,), 2), "1 examples have labels that are not in 0..1"),
            ([0.5, 1], DataDescription((2,), 2), "must be whole"),
            (["a", "b"], DataDescription((2,), 1, "regression"), "must hold numbers"),
            (np.zeros((2, 3)), DataDescription((2,), 2, "regression"), "3 columns, .* has 2"),
            (np.full((2, 2), 3), DataDescription((2,), 2, "multi-label"), "must be 0 or 1"),
            (np.ones((2, 2)), DataDescription((2,), 2), "must be one-hot with 2 columns"),
        ],
    )
    def test_a_joiner_whose_labels_do_not_fit_is_told_where_they_differ(
        self, tmp_path: Path, y: Any, session: DataDescription, rule: str
    ) -> None:
        x = np.zeros((len(y), 2))
        config = stored(tmp_path, x_train=x, y_train=y, x_test=x, y_test=y)

        with pytest.raises(DataError, match=rule):
            own.load(config, session)


class TestSplit:
    def test_without_a_test_split_a_fifth_of_each_class_is_held_out_and_said(
        self, tmp_path: Path
    ) -> None:
        y = np.array([0] * 80 + [1] * 20)
        config = stored(tmp_path, x_train=np.arange(100)[:, None], y_train=y)

        data = own.load(config, None)
        parts = [s.x.take(np.arange(len(s.y))) for s in (data.train, data.test)]

        assert np.bincount(data.test.y).tolist() == [16, 4]
        assert sorted(np.concatenate(parts).ravel()) == list(range(100))
        assert data.notes[0] == (
            "no test examples were given: 20 of 100 are held out to measure the model, 80 are for "
            "training"
        )

    def test_few_test_examples_and_missing_classes_are_named(self, tmp_path: Path) -> None:
        x = np.zeros((10, 2))
        config = stored(tmp_path, x_train=x, y_train=["a"] * 10, x_test=x[:2], y_test=["b", "a"])

        data = own.load(config, DataDescription((2,), 3, classes=("a", "b", "c")))

        assert data.doubts == (
            "only 2 test examples: one of them is 50% of the accuracy",
            "no training examples of 2 of the session's 3 classes: 'b', 'c'",
        )

    def test_values_that_image_models_do_not_expect_are_named(self, tmp_path: Path) -> None:
        x = RNG.random((500, 8, 8, 1)) * 255

        data = own.load(stored(tmp_path, x_train=x, y_train=np.arange(500) % 2), None)

        assert any("built-in models expect 0..1" in note for note in data.doubts)


class TestRefusals:
    @pytest.mark.parametrize(
        ("arrays", "rule"),
        [
            ({"x_train": np.zeros((2, 2))}, "y_train is missing"),
            ({"y_train": [0, 1]}, "x_train is missing"),
            ({"x_train": np.zeros((3, 2)), "y_train": [0, 1]}, "x_train has 3 .* y_train has 2"),
            ({"x_train": np.zeros(2), "y_train": [0, 1]}, "x must have an axis"),
            ({"x_train": np.zeros((2, 2), complex), "y_train": [0, 1]}, "x must hold numbers"),
            ({"x_train": np.zeros((2, 2)), "y_train": [0, 1j]}, "y must hold labels or numbers"),
            ({"x_train": np.zeros((2, 2)), "y_train": np.zeros((2, 3, 3))}, "y must have shape"),
            ({"x_train": np.array([["a", "b"]] * 2), "y_train": [0, 1]}, "x must hold numbers"),
            ({"x_train": np.zeros((0, 2)), "y_train": np.zeros(0, int)}, "at least 1 label"),
            ({"x_train": np.zeros((2, 0)), "y_train": [0, 1]}, "must not be empty"),
            ({"x_train": np.zeros((200, 2)), "y_train": np.arange(200)}, "set the task to regre"),
            (
                {"x_train": [[0, np.nan], [np.nan, 1]], "y_train": [0, 1]},
                "x must be finite and .*: 2 of 4 values are not, the first is nan in example 0",
            ),
            ({"x_train": np.full((2, 2), 1e300), "y_train": [0, 1]}, "within 3.4e.38 of 0"),
            ({"x_train": np.zeros((2, 2)), "y_train": [0.5, np.inf]}, "y must be finite"),
            (
                {"x_train": np.zeros((2, 2)), "y_train": [0, 1], "x_test": np.zeros((1, 2))},
                "both x_test and y_test",
            ),
            (
                {
                    "x_train": np.zeros((2, 2)),
                    "y_train": [0, 1],
                    "x_test": np.zeros((1, 3)),
                    "y_test": [0],
                },
                r"examples of shape \(3,\), the session's are \(2,\)",
            ),
        ],
    )
    def test_malformed_arrays_are_named_with_the_rule(
        self, tmp_path: Path, arrays: dict[str, Any], rule: str
    ) -> None:
        config = stored(tmp_path, **arrays)

        with pytest.raises(DataError, match=rule):
            own.describe(config, None, lambda note: None)

    def test_one_example_cannot_be_split(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="at least 2 examples, got 1"):
            own.load(stored(tmp_path, x_train=np.zeros((1, 2)), y_train=[0]), None)

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04junk", b"\x93NUMPY junk"])
    def test_foreign_files_are_refused_by_name(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "own.npz"
        path.write_bytes(content)

        with pytest.raises(DataError, match=r"own\.npz"):
            own.load(DataConfig("own", str(path)), None)

    def test_pickled_objects_are_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "own.npz"
        np.savez(path, x_train=np.array([{}, {}], object), y_train=[0, 1])

        with pytest.raises(DataError, match="pickled"):
            own.load(DataConfig("own", str(path)), None)

    @pytest.mark.parametrize("name", ["missing.npz", "missing", "notes.docx"])
    def test_missing_and_unknown_files_are_refused_by_name(
        self, tmp_path: Path, name: str
    ) -> None:
        (tmp_path / "notes.docx").touch()

        with pytest.raises(DataError, match=f"{name} (does not exist|is of no kind)"):
            own.load(DataConfig("own", str(tmp_path / name)), None)


def test_describing_reads_only_a_part_of_large_arrays(tmp_path: Path) -> None:
    x = np.zeros((3, npz.SAMPLE_BYTES // 8 // 2), np.float64)
    x[2, -1] = np.nan
    config = stored(tmp_path, x_train=x, y_train=[0, 1, 1])

    own.describe(config, None, lambda note: None)

    with pytest.raises(DataError, match=r"1 of .* the first is nan in example 2"):
        own.load(config, None)
