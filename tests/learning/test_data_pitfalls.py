"""Data that looks right but is not: it is refused, or read as its owner means it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from swarm.core.errors import ConfigurationError, DataError
from swarm.core.inputs import InputSpec
from swarm.learning.data_config import DataConfig
from swarm.learning.datasets import (
    DataDescription,
    examples,
    hugging_face,
    images,
    npz,
    own,
    targets,
)
from swarm.learning.datasets.batches import read_batches
from swarm.learning.datasets.pack import pack
from swarm.learning.tables import limits
from swarm.learning.tables.csv_file import read_csv
from swarm.learning.tables.reading import read_sheet
from swarm.peer.federation.own_data import frame_target, save_data


class TestHiddenLabels:
    @pytest.fixture
    def saved(self, tmp_path: Path) -> Any:
        datasets = pytest.importorskip("datasets")
        kinds = datasets.Features(
            {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])}
        )

        def save(**splits: list[int]) -> Path:
            path = tmp_path / "saved"
            data = {
                name: datasets.Dataset.from_dict(
                    {"text": [f"text {n}" for n in labels], "label": labels}, features=kinds
                )
                for name, labels in splits.items()
            }
            datasets.DatasetDict(data).save_to_disk(str(path))
            return path

        return save

    def test_a_test_split_without_labels_is_left_out(self, saved: Any) -> None:
        path = saved(train=[0, 1] * 5, test=[-1, -1], validation=[1, 1, 0])

        raw = hugging_face.read(path, None, lambda progress: None)

        assert raw.test is not None
        assert raw.test.y.tolist() == [1, 1, 0]
        assert raw.notes == ("split 'test' is left out: none of its examples has a label",)

    def test_a_label_without_a_name_is_refused(self, saved: Any) -> None:
        path = saved(train=[0, 1, -1, -1])

        with pytest.raises(DataError, match=r"2 examples have labels .* such as -1.*0\.\.1"):
            own.load(DataConfig("own", data_path=str(path)), None)

    @pytest.mark.parametrize(
        ("file", "content"),
        [
            ("dataset_dict.json", {"splits": []}),
            ("dataset_dict.json", []),
            ("train/state.json", []),
            ("train/dataset_info.json", []),
        ],
    )
    def test_a_damaged_description_is_refused(self, saved: Any, file: str, content: Any) -> None:
        path = saved(train=[0, 1] * 5)
        (path / file).write_text(json.dumps(content))

        with pytest.raises(DataError, match="is no data set on disk"):
            hugging_face.read(path, None, lambda progress: None)

    def test_a_description_without_features_is_enough(self, saved: Any) -> None:
        path = saved(train=[0, 1] * 5)
        (path / "train" / "dataset_info.json").write_text('{"features": null}')

        raw = hugging_face.read(path, None, lambda progress: None)

        assert raw.train.y.tolist() == [0, 1] * 5


class TestBatches:
    def test_a_third_element_is_refused(self) -> None:
        three = (np.ones((2, 3)), np.ones((2, 3)), np.zeros(2))

        with pytest.raises(DataError, match=r"a pair \(inputs, targets\), got tuple of 3"):
            read_batches([three], "the data", lambda progress: None)

    def test_inputs_without_names_are_refused(self) -> None:
        pair = ((np.ones((2, 3)), np.ones((2, 3))), np.zeros(2))

        with pytest.raises(DataError, match="must be a dict by name"):
            read_batches([pair], "the data", lambda progress: None)

    def test_texts_in_a_tuple_are_one_input(self) -> None:
        found = read_batches([(("a", "b"), np.zeros(2))], "the data", lambda progress: None)

        assert np.asarray(found.x).tolist() == ["a", "b"]

    def test_as_many_examples_as_targets(self) -> None:
        class Batches(list[Any]):
            batch_sampler = "always batches"

        source = Batches([(np.ones((3, 2)), np.zeros(2))])

        with pytest.raises(DataError, match="gives 3 examples but 2 targets"):
            read_batches(source, "the data", lambda progress: None)

    def test_a_subclass_of_a_loader_gives_channels_first(self) -> None:
        data = pytest.importorskip("torch.utils.data")

        class Loader(data.DataLoader):  # type: ignore[misc,name-defined]
            pass

        pictures = [(np.zeros((3, 8, 9), np.float32), 0)] * 4

        batched = read_batches(Loader(pictures, batch_size=2), "the data", lambda progress: None)
        single = read_batches(Loader(pictures, batch_size=None), "it", lambda progress: None)

        assert np.shape(batched.x) == np.shape(single.x) == (4, 8, 9, 3)


class TestFrames:
    FRAME = pd.DataFrame({"a": [1, 2, 3, 4], "b": [0.5, 1.5, 2.5, 3.5]})
    TARGET = pd.Series([0, 1, 0, 1], name="kind")

    def test_frames_of_numbers_may_bring_test_examples(self, tmp_path: Path) -> None:
        path = save_data(tmp_path, self.FRAME, self.TARGET, self.FRAME, self.TARGET)

        target = frame_target(self.FRAME, self.TARGET, self.FRAME)

        assert target is None
        own.describe(DataConfig("own", str(path), target=target), None, lambda note: None)

    def test_other_frames_may_not(self, tmp_path: Path) -> None:
        mixed = self.FRAME.assign(c=list("wxyz"))

        with pytest.raises(ConfigurationError, match="x_train must hold only numbers if x_test"):
            save_data(tmp_path, mixed, self.TARGET, mixed, self.TARGET)

    def test_a_series_of_texts_is_one_text_for_each_example(self, tmp_path: Path) -> None:
        texts = pd.Series(["good", "bad", "fine", "poor"])

        path = save_data(tmp_path, texts, self.TARGET, None, None)

        target = frame_target(texts, self.TARGET)
        config = DataConfig("own", str(path), target=target)
        described = own.describe(config, None, lambda note: None)
        assert [given.dtype for given in described.inputs] == ["string"]

    def test_a_series_of_numbers_is_a_table_of_one_column(self, tmp_path: Path) -> None:
        path = save_data(tmp_path, self.FRAME["b"], self.TARGET, None, None)

        assert path is not None
        assert path.suffix == ".csv"
        assert frame_target(self.FRAME["b"], self.TARGET) == "kind"


class TestPackedTexts:
    @pytest.mark.parametrize("kind", [list, np.array, lambda texts: np.array([texts]).T])
    def test_a_long_text_does_not_widen_the_others(self, tmp_path: Path, kind: Any) -> None:
        texts = ["word"] * 99 + ["long" * 10_000]

        path = pack(kind(texts), tmp_path / "texts.npz", np.arange(100) % 2)

        assert path.stat().st_size < 100_000
        assert np.ravel(npz.read(path).train.x).tolist() == texts

    def test_objects_in_one_column(self, tmp_path: Path) -> None:
        labels = np.array([["a"], ["b"]], object)

        path = pack(np.eye(2), tmp_path / "column.npz", labels)

        assert npz.read(path).train.y.ravel().tolist() == ["a", "b"]

    def test_a_path_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()

        with pytest.raises(DataError, match=r"cannot write .*mine\.npz"):
            pack(np.eye(2), tmp_path / "file" / "mine.npz", [0, 1])


class TestLabelsAndIds:
    def test_true_and_false_join_a_session_of_0_and_1(self) -> None:
        session = DataDescription((2,), 2)

        assert targets.encode("it", np.array([True, False]), session).tolist() == [1, 0]

    def test_objects_that_are_numbers_are_numbers(self, tmp_path: Path) -> None:
        labels = np.array([1, 0], object)

        path = pack(np.eye(2).astype(object), tmp_path / "objects.npz", labels)

        assert npz.read(path).train.y.tolist() == [1, 0]

    def test_large_ids_stay_exact(self) -> None:
        session = DataDescription((), 2, inputs=(InputSpec("ids", (1,), "int32"),))
        ids = np.array([[2**24 + 1], [2**31 - 1]])

        assert np.array_equal(np.asarray(examples.encode("it", ids, session)), ids)
        with pytest.raises(DataError, match="whole numbers of 32 bits"):
            examples.encode("it", ids + 1, session)


class TestTables:
    def test_true_reads_alike_whatever_else_a_column_holds(self) -> None:
        alone = read_csv(b"a,b\nTrue,1\nFALSE,2\n", "it").sheet()
        mixed = read_csv(b"a,b\nTrue,1\nmaybe,2\n", "it").sheet()

        assert alone.columns[0].values.tolist() == ["true", "false"]
        assert mixed.columns[0].values.tolist() == ["true", "maybe"]

    def test_far_dates_stay_far(self) -> None:
        dates = np.array(["1970-01-02", "9999-12-31"], "datetime64[s]")

        sheet = read_sheet(pd.DataFrame({"day": dates, "y": [0, 1]}))

        assert sheet.columns[0].values.tolist() == [1, 2932896]


class TestPictures:
    def test_pixels_that_are_fractions_are_scaled(self, tmp_path: Path) -> None:
        Image.fromarray(np.full((8, 8), 0.5, np.float32)).save(tmp_path / "half.tiff")

        x, _ = images.read_pictures("it", [images.from_path(tmp_path / "half.tiff")], (8, 8, 1))

        assert np.unique(x).tolist() == [128]

    def test_other_fractions_are_refused(self, tmp_path: Path) -> None:
        Image.fromarray(np.full((8, 8), 900.5, np.float32)).save(tmp_path / "far.tiff")

        with pytest.raises(DataError, match=r"must be in 0\.\.1, got 900.5"):
            images.read_pictures("it", [images.from_path(tmp_path / "far.tiff")], (8, 8, 1))

    def test_a_dark_picture_of_16_bits_stays_dark(self, tmp_path: Path) -> None:
        Image.fromarray(np.full((8, 8), 200, np.uint16)).save(tmp_path / "dark.png")

        x, _ = images.read_pictures("it", [images.from_path(tmp_path / "dark.png")], (8, 8, 1))

        assert np.unique(x).tolist() == [0]

    def test_only_common_formats_are_opened(self, tmp_path: Path) -> None:
        Image.new("L", (8, 8)).save(tmp_path / "odd.png", format="PPM")

        with pytest.raises(DataError, match="none of the pictures can be read"):
            images.common_shape("it", [images.from_path(tmp_path / "odd.png")])


class TestFoldersOfTexts:
    def test_texts_of_any_encoding(self, tmp_path: Path) -> None:
        text = "Grüße aus Köln, schöne Straße"
        for place, encoding in enumerate(("utf-8", "utf-16", "cp1252")):
            (tmp_path / str(place)).mkdir()
            (tmp_path / str(place) / "1.txt").write_bytes(text.encode(encoding))
        (tmp_path / "0" / "2.txt").mkdir()
        (tmp_path / "0" / "empty.txt").touch()

        raw = own.read(DataConfig("own", str(tmp_path)))

        assert np.asarray(raw.train.x).tolist() == [text, "", text, text]

    def test_an_unreadable_text_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "gone.txt").symlink_to(tmp_path / "nowhere")

        with pytest.raises(DataError, match=r"cannot read .*gone\.txt"):
            own.read(DataConfig("own", str(tmp_path)))


class TestPixels:
    @pytest.mark.parametrize("bright", ["x_train", "x_test"])
    def test_both_splits_have_the_scale_of_the_training_examples(
        self, tmp_path: Path, bright: str
    ) -> None:
        arrays = {"x_train": np.full((4, 8, 8, 1), 100.0), "x_test": np.full((4, 8, 8, 1), 100.0)}
        arrays[bright] += 100
        np.savez(tmp_path / "x.npz", **arrays, y_train=[0, 1, 0, 1], y_test=[0, 1, 0, 1])

        data = own.load(DataConfig("own", str(tmp_path / "x.npz")), None)

        x = [np.asarray(split.x.take(np.arange(4))) for split in (data.train, data.test)]
        assert x[0].dtype == x[1].dtype == (np.uint8 if bright == "x_train" else np.float32)


class TestPackedFiles:
    def test_a_small_file_with_huge_arrays_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(npz, "BYTES_MAX", 1 << 20)
        np.savez_compressed(tmp_path / "x.npz", x_train=np.zeros((2, 1 << 18)), y_train=[0, 1])

        with pytest.raises(DataError, match="arrays must have at most"):
            npz.read(tmp_path / "x.npz")

    def test_a_small_workbook_with_huge_sheets_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits, "UNPACKED_BYTES_MAX", 100)
        pd.DataFrame({"a": [1], "b": [2]}).to_excel(tmp_path / "x.xlsx", index=False)

        with pytest.raises(DataError, match=r"x\.xlsx unpacks to"):
            read_sheet(tmp_path / "x.xlsx")
