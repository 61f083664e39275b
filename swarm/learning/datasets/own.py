"""own: the peer's own data, by one set of rules for every kind of file.

A reader returns what it found; `targets` and `examples` then apply the rules. Without a test
split, a fifth is held out, in equal shares of each class.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import DataError
from swarm.learning.data_config import DataConfig
from swarm.learning.datasets import examples, folders, npz, targets
from swarm.learning.datasets.dataset import (
    ArrayExamples,
    Dataset,
    Inputs,
    SeveralExamples,
    Split,
    split_stratified,
)
from swarm.learning.datasets.description import DataDescription
from swarm.learning.datasets.raw import RawData, RawSplit
from swarm.learning.datasets.table import check_table, describe_table, load_table
from swarm.learning.progress import OnProgress
from swarm.learning.tables.reading import is_table_file

TEST_SHARE = 0.2
SPLIT_SEED = 0
FEW_TEST_EXAMPLES = 50
"""An accuracy measured on fewer examples moves by more than 2 % with each of them."""


@dataclass(frozen=True, slots=True, eq=False)
class _Encoded:
    x: Inputs
    y: NDArray[Any]

    def only(self, indices: NDArray[np.int64]) -> "_Encoded":
        return _Encoded(_taken(self.x, indices), self.y[indices])


def describe(
    config: DataConfig, num_axes: int | None, say: Callable[[str], None]
) -> DataDescription:
    """Describe own data; of large arrays, only the first examples are read and checked.

    Args:
        config: Names the file or folder.
        num_axes: Axes of one example that the session's model takes, if that is known.
        say: Called with what a user should know.

    Raises:
        DataError: The data breaks a rule; the message names it.
    """
    if is_table_file(path := Path(str(config.data_path))):
        return describe_table(path, config, say)
    if config.target is not None:
        raise DataError(f"{path} is no table: {config.target!r} cannot be its target column")
    raw = read(config, sample=True)
    description, notes = _description(raw, config.task, num_axes)
    for split in raw.splits.values():
        examples.encode(raw.called, split.x, description, like=raw.train.x)
        targets.encode(raw.called, labels(raw, split), description)
    for note in (*raw.notes, *notes):
        say(note)
    return description


def load(
    config: DataConfig,
    session: DataDescription | None,
    progress: OnProgress = lambda progress: None,
) -> Dataset:
    """Read and check own data, by the rules of a session if there is one.

    Raises:
        DataError: The data breaks a rule, or does not fit the session; the message names it.
    """
    if is_table_file(path := Path(str(config.data_path))):
        return _with_doubts(load_table(path, config, session))
    raw = read(config, progress, session=session)
    if session is not None and session.columns:
        raise DataError(f"{raw.called} is no table, but the session's data is: bring a table")
    if session is None:
        session, _ = _description(raw, config.task, None)
    splits = {name: _encoded(raw, split, session) for name, split in raw.splits.items()}
    notes = list(raw.notes)
    if "test" not in splits:
        splits, note = _held_out(raw.called, splits["train"], session)
        notes.append(note)
    train, test = (_split(splits[name]) for name in ("train", "test"))
    label = f"own data ({Path(str(config.data_path)).name})"
    doubts = tuple(_doubts(splits, session))
    return Dataset(label, False, session, train, test, tuple(notes), doubts)


def check(config: DataConfig, num_axes: int | None) -> None:
    """Check own data of a joiner; a table is read, but its target may not be known yet.

    Raises:
        DataError: See `describe`.
    """
    if is_table_file(path := Path(str(config.data_path))):
        check_table(path, config)
    else:
        describe(config, num_axes, lambda note: None)


def read(
    config: DataConfig,
    progress: OnProgress = lambda progress: None,
    *,
    sample: bool = False,
    session: DataDescription | None = None,
) -> RawData:
    """Read a file or folder with the reader for its kind.

    Args:
        config: Names the file or folder.
        progress: Called while pictures are read.
        sample: Whether some of the examples are enough.
        session: What the session fixes, such as the size of images.

    Raises:
        DataError: There is no reader for it, or the reader refused it.
    """
    path = Path(str(config.data_path))
    if path.suffix == ".npz":
        return npz.read(path, sample=sample)
    if not path.exists():
        raise DataError(f"{path} does not exist")
    shape = (session.input_shape or None) if session is not None else None
    if path.is_dir():
        if folders.is_hugging_face(path):
            from swarm.learning.datasets import hugging_face  # noqa: PLC0415 - pyarrow

            return hugging_face.read(path, shape, progress, sample=sample)
        return folders.read(path, shape, progress, sample=sample)
    raise DataError(f"{path} is of no kind that can be read: {KINDS}")


KINDS = (
    "an .npz file, a table (.csv, .tsv, .parquet, .xlsx), a folder with one folder of pictures or "
    "texts for each class, or a data set of Hugging Face on disk"
)


def _description(
    raw: RawData, task: str | None, num_axes: int | None
) -> tuple[DataDescription, list[str]]:
    found = [labels(raw, split) for split in raw.splits.values()]
    target = targets.recognise(raw.called, _joined(raw.called, found), task, raw.class_names)
    shapes = examples.recognise(raw.called, raw.train.x, num_axes)
    notes = [*shapes.notes, *([target.note] if target.note else [])]
    if target.classes:
        notes.append(f"{target.num_classes} classes: {targets.shown(target.classes)}")
    return (
        DataDescription(
            shapes.input_shape, target.num_classes, target.task, target.classes, shapes.inputs
        ),
        notes,
    )


def labels(raw: RawData, split: RawSplit) -> NDArray[Any]:
    """Targets, as text if the data says what its labels 0, 1, 2, ... mean.

    Raises:
        DataError: A label has no name.
    """
    if not raw.class_names:
        return split.y
    numbers = split.y.astype(np.int64)
    outside = numbers[(numbers < 0) | (numbers >= len(raw.class_names))]
    if outside.size:
        raise DataError(
            f"{raw.called}: {outside.size} examples have labels that name no class, such as "
            f"{outside[0]}; labels must be in 0..{len(raw.class_names) - 1}"
        )
    return np.array(raw.class_names, object)[numbers]


def _joined(called: str, labels: list[NDArray[Any]]) -> NDArray[Any]:
    if len({label.ndim for label in labels}) > 1 or len({label.shape[1:] for label in labels}) > 1:
        shapes = " and ".join(str(label.shape) for label in labels)
        raise DataError(f"{called}: y_train and y_test must have like shapes, got {shapes}")
    return np.concatenate(labels)


def _encoded(raw: RawData, split: RawSplit, session: DataDescription) -> _Encoded:
    x = examples.encode(raw.called, split.x, session, like=raw.train.x)
    return _Encoded(x, targets.encode(raw.called, labels(raw, split), session))


def _held_out(
    called: str, whole: _Encoded, session: DataDescription
) -> tuple[dict[str, _Encoded], str]:
    num_examples = len(whole.y)
    if num_examples < 2:
        raise DataError(f"{called} must have at least 2 examples, got {num_examples}")
    labels = whole.y if session.task == "classification" else None
    train, test = split_stratified(num_examples, labels, TEST_SHARE, SPLIT_SEED)
    note = (
        f"no test examples were given: {len(test)} of {num_examples} are held out to measure "
        f"the model, {len(train)} are for training"
    )
    return {"train": whole.only(train), "test": whole.only(test)}, note


def _doubts(splits: dict[str, _Encoded], session: DataDescription) -> list[str]:
    """What makes results of this data doubtful."""
    doubts = [examples.range_note(splits["train"].x, session)]
    num_test = len(splits["test"].y)
    if num_test < FEW_TEST_EXAMPLES:
        doubts.append(
            f"only {num_test} test examples: one of them is {1 / num_test:.0%} of the accuracy"
        )
    if session.task == "classification":
        present = np.unique(splits["train"].y)
        missing = sorted(set(range(session.num_classes)) - set(present.tolist()))
        if missing:
            names = [session.classes[k] if session.classes else str(k) for k in missing]
            doubts.append(
                f"no training examples of {len(missing)} of the session's {session.num_classes} "
                f"classes: {targets.shown(names)}"
            )
    return [doubt for doubt in doubts if doubt]


def _with_doubts(dataset: Dataset) -> Dataset:
    splits = {
        name: _Encoded(part.x.take(np.arange(len(part.y))), part.y)
        for name, part in (("train", dataset.train), ("test", dataset.test))
    }
    doubts = _doubts(splits, dataset.description)
    return replace(dataset, doubts=(*dataset.doubts, *doubts))


def _split(encoded: _Encoded) -> Split:
    if isinstance(encoded.x, dict):
        return Split(SeveralExamples(encoded.x), encoded.y)
    return Split(ArrayExamples(encoded.x), encoded.y)


def _taken(x: Inputs, indices: NDArray[np.int64]) -> Inputs:
    if isinstance(x, dict):
        return {name: array[indices] for name, array in x.items()}
    return x[indices]
