"""Folders of examples: one folder for each class, with pictures or texts.

    flowers/daisy/1.jpg            or    flowers/train/daisy/1.jpg
    flowers/rose/2.jpg                   flowers/test/daisy/9.jpg

Hidden files are left out. Everything else that is no example is counted and named.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from swarm.core.errors import DataError
from swarm.learning.datasets.raw import RawData, RawSplit
from swarm.learning.progress import OnProgress
from swarm.learning.tables import csv_file

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
TEXTS = (".txt", ".text")
SAMPLE_MAX = 200
"""Examples of each split that are read to describe a folder."""
_TRAIN = ("train", "training")
_TEST = ("test", "testing", "val", "valid", "validation")


@dataclass(frozen=True, slots=True)
class _Files:
    """Files of one split and the classes that their folders name."""

    paths: list[Path]
    labels: list[str]

    def sample(self) -> "_Files":
        step = max(1, len(self.paths) // SAMPLE_MAX)
        return _Files(self.paths[::step], self.labels[::step])


def is_hugging_face(folder: Path) -> bool:
    """Whether `save_to_disk` of the library `datasets` wrote the folder."""
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def read(
    root: Path,
    shape: tuple[int, ...] | None,
    progress: OnProgress,
    *,
    sample: bool = False,
) -> RawData:
    """Read a folder of classes.

    Args:
        root: The folder.
        shape: Of the session's pictures; None means the most common one.
        progress: Called while pictures are read.
        sample: Whether to read only some of the examples.

    Raises:
        DataError: There are no classes or no examples in it, or both pictures and texts.
    """
    splits, notes = _splits(root), []
    ending = _kind(root, [path for files in splits for path in files.paths])
    labels = [np.array(files.labels, np.str_) for files in splits]
    if sample:
        splits = [files.sample() for files in splits]
    if ending == "texts":
        read_splits = [_texts(files) for files in splits]
    else:
        from swarm.learning.datasets import images  # noqa: PLC0415 - Pillow, for pictures only

        called = str(root)
        if shape is None:
            some = [images.from_path(path) for path in splits[0].sample().paths]
            shape, note = images.common_shape(called, some)
            notes += [note] if note else []
        read_splits = []
        for files in splits:
            pictures = [images.from_path(path) for path in files.paths]
            x, good = images.read_pictures(called, pictures, shape, progress)
            read_splits.append(RawSplit(x, np.array(files.labels, np.str_)[good]))
            notes += _unreadable(files.paths, good)
    if sample:  # all labels are known from the folders' names
        read_splits = [RawSplit(part.x, y) for part, y in zip(read_splits, labels, strict=True)]
    test = read_splits[1] if len(read_splits) > 1 else None
    return RawData(str(root), read_splits[0], test, notes=tuple(notes))


def _splits(root: Path) -> list[_Files]:
    """The training split and, if there is one, the test split."""
    below = {path.name.lower(): path for path in _folders(root)}
    train = next((below[name] for name in _TRAIN if name in below), None)
    if train is None:
        return [_files(root)]
    test = next((below[name] for name in _TEST if name in below), None)
    return [_files(train)] + ([_files(test)] if test is not None else [])


def _files(folder: Path) -> _Files:
    files = _Files([], [])
    for below in _folders(folder):
        for path in _below(below):
            files.paths.append(path)
            files.labels.append(below.name)
    if not files.paths:
        raise DataError(
            f"{folder} has no examples: it must have one folder for each class, with pictures "
            f"({', '.join(PICTURES)}) or texts ({', '.join(TEXTS)})"
        )
    return files


def _folders(folder: Path) -> list[Path]:
    try:
        found = [path for path in folder.iterdir() if path.is_dir()]
    except OSError as error:
        raise DataError(f"cannot read the folder {folder}: {error.strerror}") from error
    return sorted(path for path in found if not path.name.startswith((".", "__")))


def _below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        known = path.suffix.lower() in (*PICTURES, *TEXTS) and not path.name.startswith(".")
        if known and not path.is_dir():
            yield path


def _kind(root: Path, paths: Sequence[Path]) -> str:
    kinds = {"texts" if path.suffix.lower() in TEXTS else "pictures" for path in paths}
    if len(kinds) > 1:
        raise DataError(f"{root} holds both pictures and texts: keep one kind")
    return kinds.pop()


def _texts(files: _Files) -> RawSplit:
    texts = [_text(path) for path in files.paths]
    return RawSplit(np.array(texts, object), np.array(files.labels, np.str_))


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    return csv_file.decode(data, str(path)).text if data.strip() else ""


def _unreadable(paths: Sequence[Path], good: Iterable[int]) -> list[str]:
    missing = sorted(set(range(len(paths))) - {int(place) for place in good})
    if not missing:
        return []
    return [f"unreadable pictures left out: {len(missing)}, first {paths[missing[0]]}"]
