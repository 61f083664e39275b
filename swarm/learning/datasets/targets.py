"""Targets: which task they make, and labels of any type as class numbers.

The peer that starts a session recognises task and classes; a joiner encodes by the session.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import DataError
from swarm.learning.datasets.description import DataDescription
from swarm.learning.datasets.finite import check_finite

CLASSES_MAX = 1_000
"""More different whole numbers than this are no labels unless the user says so."""
WHOLE_FLOATS_MAX = 100
SHOWN_MAX = 20


@dataclass(frozen=True, slots=True)
class Target:
    """What the targets of all splits have in common."""

    task: str
    num_classes: int
    classes: tuple[str, ...] = ()
    """Labels as text, in order; empty if the labels are 0, 1, 2, ..."""
    note: str = ""
    """How it was recognised, where that might surprise."""


def recognise(
    called: str, y: NDArray[Any], task: str | None, class_names: Sequence[str] = ()
) -> Target:
    """Recognise the task and its classes.

    Args:
        called: The data's name in messages.
        y: Targets of all splits.
        task: What the user asked for; None means that the targets decide.
        class_names: Meaning of the labels 0, 1, 2, ..., if the data says it.

    Raises:
        DataError: The targets fit no task, or not this one; the message says why.
    """
    y = _flat(called, y)
    if y.ndim == 2:
        return _recognise_columns(called, y, task)
    if task == "multi-label":
        raise DataError(f"{called}: multi-label needs targets of shape (n, K), got {y.shape}")
    if y.dtype.kind == "f":
        check_finite(called, "y", y)
        if task == "regression" or (task is None and not _are_labels(y)):
            return Target("regression", 1, note="y holds fractions: a regression")
        if not (y == np.floor(y)).all():
            raise DataError(f"{called}: labels of a classification must be whole, y has fractions")
        y = y.astype(np.int64)
    if task == "regression":
        _check_numbers(called, y)
        return Target("regression", 1)
    if class_names:
        return Target("classification", len(class_names), tuple(class_names))
    return _classes(called, y, asked=task is not None)


def encode(called: str, y: NDArray[Any], session: DataDescription) -> NDArray[Any]:
    """Targets as a session takes them: see `swarm.learning.datasets.dataset.Split.y`.

    Raises:
        DataError: A label is unknown to the session, or targets have another shape or type.
    """
    y = _flat(called, y)
    if session.task == "classification":
        if y.ndim == 2:
            _check_one_hot(called, y, session.num_classes)
            return np.asarray(y.argmax(axis=1), np.int64)
        return _numbers(called, y, session)
    _check_numbers(called, y)
    values = y.astype(np.float32).reshape(len(y), -1)
    check_finite(called, "y", values)
    if values.shape[1] != session.num_classes:
        raise DataError(
            f"{called}: y has {values.shape[1]} columns, the session has {session.num_classes}"
        )
    if session.task == "multi-label" and not _is_binary(values):
        raise DataError(f"{called}: targets of a multi-label session must be 0 or 1")
    return values


def texts(y: NDArray[Any]) -> NDArray[Any]:
    """Labels as text, shape (n,): whole numbers without a fraction, `true` and `false`."""
    if y.dtype.kind == "f":
        y = y.astype(np.int64)
    if y.dtype.kind == "b":
        return np.asarray(np.where(y, "true", "false"))
    if y.dtype.kind == "S":
        y = np.char.decode(y, "utf-8", "replace")
    return np.asarray(y.astype(str))


def _flat(called: str, y: NDArray[Any]) -> NDArray[Any]:
    """Check the shape and the type; (n, 1) becomes (n,)."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim not in (1, 2):
        raise DataError(f"{called}: y must have shape (n,) or (n, K), got {y.shape}")
    if len(y) == 0:
        raise DataError(f"{called}: y must have at least 1 label, got 0")
    if y.dtype.kind == "O":
        y = _checked_objects(called, y)
    if y.dtype.kind not in "biufUS":
        raise DataError(f"{called}: y must hold labels or numbers, got {y.dtype}")
    return y


def _checked_objects(called: str, y: NDArray[Any]) -> NDArray[Any]:
    for place, label in enumerate(y.ravel()):
        if not isinstance(label, str | int | np.integer | bool | np.bool_):
            raise DataError(
                f"{called}: y must hold labels, example {place} has {label!r:.40} "
                f"({type(label).__name__})"
            )
    return y.astype(str)


def _recognise_columns(called: str, y: NDArray[Any], task: str | None) -> Target:
    _check_numbers(called, y)
    check_finite(called, "y", y)
    num_columns = y.shape[1]
    if _is_binary(y) and task != "regression":
        if task != "multi-label" and (y.sum(axis=1) == 1).all():
            return Target(
                "classification", num_columns, note="each row of y has a single 1: one-hot classes"
            )
        if task != "classification":
            return Target("multi-label", num_columns, note="y holds 0 and 1: several labels each")
    if task in ("classification", "multi-label"):
        raise DataError(
            f"{called}: y of shape {y.shape} is not for {task}: "
            + ("each row needs a single 1" if task == "classification" else "it must be 0 or 1")
        )
    return Target("regression", num_columns, note=f"y has {num_columns} columns: a regression")


def _classes(called: str, y: NDArray[Any], *, asked: bool) -> Target:
    found = np.unique(y)
    many = len(found) > WHOLE_FLOATS_MAX and 2 * len(found) > len(y)
    if y.dtype.kind in "iu" and not asked and (many or len(found) > CLASSES_MAX):
        raise DataError(
            f"{called}: y has {len(found)} different whole numbers: set the task to "
            "regression if they are quantities, or to classification if they are labels"
        )
    if y.dtype.kind in "iu" and found[0] == 0 and found[-1] < 2 * len(found):
        return Target("classification", int(found[-1]) + 1)
    names = tuple(map(str, texts(found)))
    return Target("classification", len(names), names)


def _numbers(called: str, y: NDArray[Any], session: DataDescription) -> NDArray[np.int64]:
    """Class numbers of labels, shape (n,)."""
    if y.dtype.kind == "f" and not (y == np.floor(y)).all():
        raise DataError(f"{called}: labels of a classification must be whole, y has fractions")
    if session.classes:
        if y.dtype.kind in "iu" and not _is_numeric(session.classes):
            raise DataError(
                f"{called}: labels are numbers, the session's are {shown(session.classes)}"
            )
        return _places(called, texts(y), session.classes)
    if y.dtype.kind in "US" and not all(text.isdecimal() for text in np.unique(texts(y))):
        raise DataError(
            f"{called}: labels are texts such as {texts(y).tolist()[0]!r:.60}, "
            f"the session's are numbers 0..{session.num_classes - 1}"
        )
    numbers: NDArray[np.int64] = (
        texts(y).astype(np.int64) if y.dtype.kind in "US" else y.astype(np.int64)
    )
    outside = (numbers < 0) | (numbers >= session.num_classes)
    if outside.any():
        raise DataError(
            f"{called}: {int(outside.sum())} examples have labels that are not in "
            f"0..{session.num_classes - 1}, the first is {numbers[outside][0]}"
        )
    return numbers


def _places(called: str, labels: NDArray[Any], classes: Sequence[str]) -> NDArray[np.int64]:
    places = {name: place for place, name in enumerate(classes)}
    unknown = Counter(label for label in labels.tolist() if label not in places)
    if unknown:
        label, count = unknown.most_common(1)[0]
        more = f", and {len(unknown) - 1} other unknown labels" if len(unknown) > 1 else ""
        raise DataError(
            f"{called}: the session does not know label {label!r:.60}, which {count} examples "
            f"have{more}; it knows {shown(classes)}"
        )
    return np.array([places[label] for label in labels.tolist()], np.int64)


def shown(classes: Sequence[str]) -> str:
    """A list of classes for a message, cut after `SHOWN_MAX`."""
    listed = ", ".join(repr(name) for name in classes[:SHOWN_MAX])
    return listed + (f" and {len(classes) - SHOWN_MAX} more" if len(classes) > SHOWN_MAX else "")


def _check_numbers(called: str, y: NDArray[Any]) -> None:
    if y.dtype.kind not in "biuf":
        raise DataError(f"{called}: y must hold numbers for this task, got {y.dtype}")


def _check_one_hot(called: str, y: NDArray[Any], num_classes: int) -> None:
    _check_numbers(called, y)
    if y.shape[1] != num_classes or not _is_binary(y) or not (y.sum(axis=1) == 1).all():
        raise DataError(
            f"{called}: y of shape {y.shape} must be one-hot with {num_classes} columns, as the "
            "session is a classification"
        )


def _is_binary(y: NDArray[Any]) -> bool:
    return bool(((y == 0) | (y == 1)).all())


def _are_labels(y: NDArray[Any]) -> bool:
    """Whether floats are labels: few, and whole."""
    return bool((y == np.floor(y)).all()) and len(np.unique(y)) <= WHOLE_FLOATS_MAX


def _is_text(y: NDArray[Any]) -> bool:
    return y.dtype.kind in "USb"


def _is_numeric(classes: Sequence[str]) -> bool:
    return all(name.lstrip("-").isdecimal() for name in classes)
