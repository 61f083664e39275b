import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from swarm.core.errors import ConfigurationError, DataError
from swarm.learning.data_config import DataConfig
from swarm.learning.datasets import (
    cifar10,
    cifar_binary,
    describe,
    digits,
    load_dataset,
    npz,
    resolve_dataset,
    synthetic10,
)
from swarm.learning.progress import Progress

FILES = cifar_binary.TRAIN_FILES + cifar_binary.TEST_FILES


def _ignore(progress: Progress) -> None:
    pass


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that holds synthetic10, generated once for this module."""
    cache = tmp_path_factory.mktemp("cache")
    synthetic10.find_or_generate(str(cache), _ignore)
    return cache


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SWARM_DATA_DIR", raising=False)
    monkeypatch.setattr(cifar10, "URL", (tmp_path / "nowhere.tar.gz").as_uri())


class TestDigits:
    def test_pixels_are_floats_in_0_to_1_and_the_split_is_fixed(self) -> None:
        data = digits.load()
        x = data.train.x.take(np.arange(len(data.train.y)))

        assert x.shape == (1438, 8, 8, 1)
        assert x.dtype == np.float32
        assert (x.min(), x.max()) == (0.0, 1.0)
        assert len(data.test.y) == 359
        assert np.array_equal(digits.load().test.y, data.test.y)

    def test_it_equals_what_scikit_learn_loads(self) -> None:
        from sklearn.datasets import load_digits  # noqa: PLC0415 - slow to import

        ours = digits.load()
        theirs = load_digits()

        x = np.concatenate(
            [s.x.take(np.arange(len(s.y))).reshape(-1, 64) for s in (ours.train, ours.test)]
        )
        assert sorted((x * 16).tolist()) == sorted(theirs.data.tolist())


class TestCifarBinary:
    def test_rows_become_images_with_channels_last(self, tmp_path: Path) -> None:
        row = np.zeros((10_000, 3073), np.uint8)
        row[3, 0] = 7
        row[3, 1 + 0 * 1024 + 5 * 32 + 9] = 11  # red at y = 5, x = 9
        row[3, 1 + 2 * 1024 + 6 * 32 + 8] = 13  # blue at y = 6, x = 8
        (tmp_path / "a.bin").write_bytes(row.tobytes())

        split = cifar_binary.read_split(tmp_path, ("a.bin",))
        image = split.x.take(np.array([3]))[0]

        assert split.y[3] == 7
        assert (image[5, 9, 0], image[6, 8, 2], image.sum()) == (11, 13, 24)

    def test_examples_come_in_the_order_asked_for_across_files(self, generated: Path) -> None:
        split = synthetic10.load(str(generated), _ignore).train
        indices = np.array([30_001, 2, 49_999, 10_000])

        together = split.x.take(indices)

        for position, index in enumerate(indices):
            alone = split.x.take(np.array([index]))[0]
            np.testing.assert_array_equal(together[position], alone)

    def test_a_file_of_the_wrong_size_is_refused_by_name(
        self, tmp_path: Path, generated: Path
    ) -> None:
        folder = _copy(generated, tmp_path)
        (folder / "data_batch_3.bin").unlink()
        (folder / "data_batch_3.bin").write_bytes(b"\0" * 3073)

        with pytest.raises(DataError, match=r"data_batch_3.bin is damaged.*30730000.*3073"):
            resolve_dataset("cifar10", str(tmp_path), str(tmp_path), _ignore)

    def test_a_missing_file_is_refused_by_name(self, tmp_path: Path, generated: Path) -> None:
        folder = _copy(generated, tmp_path)
        (folder / "test_batch.bin").unlink()

        with pytest.raises(DataError, match=r"test_batch\.bin"):
            resolve_dataset("cifar10", str(tmp_path), str(tmp_path), _ignore)

    def test_a_label_of_ten_or_more_is_refused_by_name(
        self, tmp_path: Path, generated: Path
    ) -> None:
        folder = _copy(generated, tmp_path)
        (folder / "data_batch_2.bin").unlink()
        (folder / "data_batch_2.bin").write_bytes(b"\xff" * cifar_binary.FILE_BYTES)

        with pytest.raises(DataError, match=r"data_batch_2\.bin.*below 10, got 255"):
            cifar_binary.read(folder, "cifar10", stand_in=False)


class TestCifar10:
    def test_a_data_folder_is_found_before_anything_else(
        self, tmp_path: Path, generated: Path
    ) -> None:
        _copy(generated, tmp_path)

        resolved = resolve_dataset("cifar10", str(tmp_path), str(tmp_path / "cache"), _ignore)

        assert (resolved.name, resolved.label, resolved.stand_in) == ("cifar10", "cifar10", False)

    def test_the_environment_may_name_the_folder(
        self, tmp_path: Path, generated: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _copy(generated, tmp_path)
        monkeypatch.setenv("SWARM_DATA_DIR", str(tmp_path))

        assert not resolve_dataset("cifar10", None, str(tmp_path / "cache"), _ignore).stand_in

    @pytest.mark.usefixtures("offline")
    def test_generated_data_replaces_it_where_it_is_unavailable_and_says_so(
        self, generated: Path
    ) -> None:
        resolved = resolve_dataset("cifar10", None, str(generated), _ignore)

        assert resolved.name == "synthetic10"
        assert resolved.label == "synthetic10 (generated stand-in for CIFAR-10)"
        assert resolved.stand_in
        assert "could not be downloaded" in resolved.reason

    @pytest.mark.usefixtures("offline")
    def test_loading_never_replaces_what_the_session_names(self, generated: Path) -> None:
        config = DataConfig(dataset="cifar10", cache_dir=str(generated))

        with pytest.raises(cifar10.UnavailableError, match="could not be downloaded"):
            load_dataset(config, _ignore)

    @pytest.mark.usefixtures("offline")
    def test_an_archive_with_a_wrong_checksum_is_refused_and_leaves_no_files(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        archive = tmp_path / "archive.tar.gz"
        archive.write_bytes(b"not it")
        monkeypatch.setattr(cifar10, "URL", archive.as_uri())

        with pytest.raises(cifar10.UnavailableError, match="md5"):
            cifar10.find_or_download(None, str(tmp_path / "cache"), _ignore)

        assert list((tmp_path / "cache").iterdir()) == []

    @pytest.mark.usefixtures("offline")
    def test_only_the_expected_files_of_an_archive_are_unpacked_into_the_cache(
        self, tmp_path: Path, generated: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        archive = tmp_path / "archive.tar.gz"
        _write_archive(archive, generated)
        monkeypatch.setattr(cifar10, "URL", archive.as_uri())
        monkeypatch.setattr(cifar10, "ARCHIVE_MD5", _md5(archive))
        monkeypatch.setattr(cifar10, "ARCHIVE_BYTES", archive.stat().st_size)
        reports: list[Progress] = []

        folder = cifar10.find_or_download(None, str(tmp_path / "cache"), reports.append)

        assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
        assert not (tmp_path / "escaped").exists()
        assert {report.phase for report in reports} == {"downloading"}
        assert cifar10.find_or_download(None, str(tmp_path / "cache"), _ignore) == folder


class TestSynthetic10:
    def test_it_has_the_shape_and_size_of_cifar10_and_balanced_classes(
        self, generated: Path
    ) -> None:
        data = synthetic10.load(str(generated), _ignore)

        assert data.train.x.take(np.array([0, 49_999])).shape == (2, 32, 32, 3)
        assert np.bincount(data.train.y).tolist() == [5_000] * 10
        assert np.bincount(data.test.y).tolist() == [1_000] * 10

    def test_it_is_the_same_on_every_machine(self) -> None:
        first, again = (synthetic10.generate_file(5)[:100] for _ in range(2))

        assert np.array_equal(first, again)

    @pytest.mark.slow
    def test_a_linear_classifier_learns_the_colours_and_stays_under_half(
        self, generated: Path
    ) -> None:
        data = synthetic10.load(str(generated), _ignore)
        x, x_test = (
            split.x.take(np.arange(10_000)).reshape(10_000, -1) / np.float32(255) - 0.5
            for split in (data.train, data.test)
        )
        targets = np.eye(10, dtype=np.float32)[data.train.y[:10_000]]

        ridge = x.T @ x + 100 * np.eye(3072, dtype=np.float32)
        predicted = (x_test @ np.linalg.solve(ridge, x.T @ targets)).argmax(axis=1)

        assert 0.25 < (predicted == data.test.y).mean() < 0.5


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="cifar11"):
        describe(DataConfig("cifar11"))


def _copy(generated: Path, target: Path) -> Path:
    """A folder in CIFAR-10's layout, of links to generated files."""
    folder = target / cifar_binary.FOLDER
    folder.mkdir()
    for name in FILES:
        (folder / name).symlink_to(_source(generated) / name)
    return folder


def _source(generated: Path) -> Path:
    return generated / synthetic10.CACHE_FOLDER / cifar_binary.FOLDER


def _write_archive(path: Path, generated: Path) -> None:
    with tarfile.open(path, "w:gz", compresslevel=0) as tar:
        for name in FILES:
            tar.add((_source(generated) / name), f"{cifar_binary.FOLDER}/{name}")
        evil = tarfile.TarInfo("../../escaped")
        evil.size = 4
        tar.addfile(evil, io.BytesIO(b"evil"))


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def test_a_damaged_archive_is_a_data_error_wherever_the_damage_is(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    chance = np.random.default_rng(0)
    np.savez_compressed(path, x_train=chance.normal(size=(40, 3)), y_train=np.arange(40) % 2)
    whole = path.read_bytes()
    errors: list[str] = []

    for place in range(0, len(whole) - 4, 7):
        path.write_bytes(whole[:place] + bytes(4) + whole[place + 4 :])
        try:
            npz.load_training(path, "mine.npz")
        except DataError as error:
            errors.append(str(error))

    assert len(errors) > 10
    assert all(error.startswith("mine.npz") for error in errors)


def test_empty_examples_and_members_that_are_not_arrays_are_refused(
    tmp_path: Path,
) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, x_train=np.zeros((4, 0)), y_train=np.arange(4))
    with pytest.raises(DataError, match="must not be empty"):
        npz.load_training(path, "mine.npz")

    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_train", b"nothing")
        archive.writestr("y_train", b"nothing")
    with pytest.raises(DataError, match="y_train must be an array"):
        npz.load_training(path, "mine.npz")
