"""Readers keep each example with its label, whatever the data come in."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from swarm.core.errors import DataError
from swarm.learning.data_config import DataConfig
from swarm.learning.datasets import DataDescription, own
from swarm.learning.datasets.batches import read_batches
from swarm.learning.datasets.pack import pack
from swarm.learning.progress import Progress
from swarm.pack import main


def _ignore(progress: Progress) -> None:
    pass


def picture(path: Path, value: int, side: int = 8, mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (side, side), value if mode != "RGB" else (value,) * 3).save(path)


class TestFolders:
    def test_pictures_keep_their_label_where_others_are_unreadable(self, tmp_path: Path) -> None:
        for name, value in (("a", 10), ("b", 20), ("c", 30)):
            for number in range(4):
                picture(tmp_path / name / f"{number}.png", value)
        (tmp_path / "a" / "0.png").write_bytes(b"no picture")
        (tmp_path / "b" / ".hidden.png").write_bytes(b"no picture")

        raw = own.read(DataConfig("own", str(tmp_path)))

        assert raw.train.x[:, 0, 0, 0].tolist() == [10] * 3 + [20] * 4 + [30] * 4  # type: ignore[call-overload]
        assert raw.train.y.tolist() == ["a"] * 3 + ["b"] * 4 + ["c"] * 4
        assert raw.notes == (f"unreadable pictures left out: 1, first {tmp_path / 'a/0.png'}",)

    def test_a_session_decides_on_size_and_colours(self, tmp_path: Path) -> None:
        for number in range(4):
            picture(tmp_path / "ab"[number % 2] / f"{number}.png", 50, side=20)

        data = own.load(
            DataConfig("own", str(tmp_path)), DataDescription((10, 12, 1), 2, classes=("a", "b"))
        )

        x = data.train.x.take(np.arange(len(data.train.y)))
        assert np.unique(x).tolist() == [50]
        assert x.shape[1:] == (10, 12, 1)  # type: ignore[union-attr]

    def test_grey_and_16_bit_pictures_are_read_as_8_bits(self, tmp_path: Path) -> None:
        picture(tmp_path / "a" / "0.png", 65535, mode="I;16")
        picture(tmp_path / "b" / "0.png", 255, mode="L")

        raw = own.read(DataConfig("own", str(tmp_path)))

        assert isinstance(raw.train.x, np.ndarray)
        assert raw.train.x.shape == (2, 8, 8, 1)
        assert np.unique(raw.train.x).tolist() == [255]

    def test_splits_by_their_folders_and_texts_in_any_encoding(self, tmp_path: Path) -> None:
        for split in ("Train", "validation"):
            for name in ("bad", "good"):
                path = tmp_path / split / name / "1.txt"
                path.parent.mkdir(parents=True)
                path.write_bytes(f"{split} {name} ".encode() + b"\xff")

        raw = own.read(DataConfig("own", str(tmp_path)))

        assert raw.train.x.tolist() == ["Train bad \xff", "Train good \xff"]  # type: ignore[union-attr]
        assert raw.test is not None
        assert raw.test.y.tolist() == ["bad", "good"]

    def test_pictures_and_texts_together_are_refused(self, tmp_path: Path) -> None:
        picture(tmp_path / "a" / "0.png", 1)
        (tmp_path / "a" / "0.txt").write_text("a")

        with pytest.raises(DataError, match="both pictures and texts"):
            own.read(DataConfig("own", str(tmp_path)))


class TestHuggingFace:
    @pytest.fixture
    def saved(self, tmp_path: Path) -> Any:
        datasets = pytest.importorskip("datasets")
        datasets.disable_progress_bars()

        def save(columns: dict[str, Any], **features: Any) -> DataConfig:
            kinds = datasets.Features(features) if features else None
            path = tmp_path / "saved"
            datasets.Dataset.from_dict(columns, features=kinds).save_to_disk(str(path))
            return DataConfig("own", str(path))

        save.kinds = datasets  # type: ignore[attr-defined]
        return save

    def test_names_of_classes_stay_with_their_numbers(self, saved: Any) -> None:
        classes = saved.kinds.ClassLabel(names=["zebra", "ant", "unused"])
        text = saved.kinds.Value("string")

        config = saved({"text": ["a", "b"], "label": [0, 1]}, text=text, label=classes)

        description = own.describe(config, None, lambda note: None)
        assert description.classes == ("zebra", "ant", "unused")
        whole = own.read(config)
        assert own.labels(whole, whole.train).tolist() == ["zebra", "ant"]

    def test_arrays_keep_their_shape(self, saved: Any) -> None:
        series = np.arange(24.0).reshape(2, 4, 3)

        raw = own.read(saved({"series": series.tolist(), "label": ["a", "b"]}))

        np.testing.assert_array_equal(raw.train.x, series)

    def test_arrays_of_different_length_and_missing_values_are_refused(self, saved: Any) -> None:
        with pytest.raises(DataError, match="'x' has arrays of 1 to 2 values"):
            own.read(saved({"x": [[1.0], [1.0, 2.0]], "label": [0, 1]}))

    def test_missing_values_are_refused(self, saved: Any) -> None:
        with pytest.raises(DataError, match="column 'x' has 1 missing values"):
            own.read(saved({"x": [1.0, None], "label": [0, 1]}))

    def test_without_a_named_target_it_is_the_last_column_and_said(self, saved: Any) -> None:
        raw = own.read(saved({"text": ["a", "b"], "stars": [1, 0]}))

        assert raw.train.y.tolist() == [1, 0]
        assert raw.notes == ("the target is 'stars', the last column",)


class _Batches:
    """Stands for a data set of a library: it gives elements."""

    def __init__(self, *elements: Any) -> None:
        self._elements = elements

    def __iter__(self) -> Any:
        return iter(self._elements)


class TestBatches:
    def test_single_examples_and_batches_give_the_same_arrays(self) -> None:
        x, y = np.arange(12.0).reshape(6, 2), np.arange(6) % 3

        single = read_batches(_Batches(*zip(x, y, strict=True)), "it", _ignore)
        batches = read_batches(_Batches((x[:4], y[:4]), (x[4:], y[4:])), "it", _ignore)

        for split in (single, batches):
            np.testing.assert_array_equal(split.x, x)
            np.testing.assert_array_equal(split.y, y)

    def test_dicts_name_their_target(self) -> None:
        element = {"image": np.zeros((3, 4, 4)), "age": np.ones((3, 1)), "label": np.arange(3)}

        split = read_batches(_Batches(element), "it", _ignore)

        assert isinstance(split.x, dict)
        assert sorted(split.x) == ["age", "image"]
        assert split.y.tolist() == [0, 1, 2]

    @pytest.mark.parametrize(
        ("elements", "rule"),
        [
            ((), "it has no examples"),
            ((np.zeros(3),), "got ndarray"),
            (({"image": np.zeros(3)},), "gives dicts of image: name the target label"),
            (((np.zeros((2, 3)), np.zeros(2)), (np.zeros((2, 4)), np.zeros(2))), "one shape"),
        ],
    )
    def test_elements_of_another_kind_are_refused(
        self, elements: tuple[Any, ...], rule: str
    ) -> None:
        with pytest.raises(DataError, match=rule):
            read_batches(_Batches(*elements), "it", _ignore)

    def test_a_data_set_that_does_not_end_is_refused(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("swarm.learning.datasets.batches.EXAMPLES_MAX", 100)

        with pytest.raises(DataError, match=r"has given 120 examples, .* limit it with take"):
            read_batches(_Batches(*[(np.zeros((40, 2)), np.zeros(40))] * 9), "it", _ignore)


class TestPack:
    def test_a_folder_becomes_one_file_that_reads_the_same(self, tmp_path: Path) -> None:
        for number in range(6):
            picture(tmp_path / "in" / "ab"[number % 2] / f"{number}.png", number)

        main(tmp_path / "in", tmp_path / "out.npz")

        one, other = (
            own.load(DataConfig("own", str(tmp_path / name)), None) for name in ("in", "out.npz")
        )
        assert one.description == other.description
        np.testing.assert_array_equal(
            one.train.x.take(np.arange(4)), other.train.x.take(np.arange(4))
        )

    def test_what_is_left_out_is_said(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for number in range(6):
            picture(tmp_path / "in" / "ab"[number % 2] / f"{number}.png", number)
        damaged = tmp_path / "in" / "a" / "0.png"
        damaged.write_bytes(b"no picture")

        main(tmp_path / "in", tmp_path / "out.npz")

        said = capsys.readouterr().out.splitlines()
        left_out = f"unreadable pictures left out: 1, first {damaged}"
        assert said == [left_out, f"wrote {tmp_path / 'out.npz'}"]

    def test_several_inputs_texts_and_a_test_split_are_kept(self, tmp_path: Path) -> None:
        x = {"text": ["longer text", "short"], "age": [[1], [2]]}

        path = pack(x, tmp_path / "out.npz", ["a", "b"], x_test=x, y_test=["b", "a"])
        raw = own.read(DataConfig("own", str(path)))

        assert isinstance(raw.train.x, dict)
        assert raw.train.x["text"].tolist() == x["text"]
        assert raw.test is not None
        assert raw.test.y.tolist() == ["b", "a"]
