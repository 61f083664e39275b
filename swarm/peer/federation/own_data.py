"""A peer's data: checked before the peer listens, and described for a session that it starts."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from swarm.core.errors import ConfigurationError, DataError
from swarm.learning.data_config import DataConfig
from swarm.learning.model_files import input_axes
from swarm.peer.federation.peer_settings import PeerSettings

if TYPE_CHECKING:
    from swarm.learning.datasets import DataDescription

R = TypeVar("R")
IMAGE_MODELS = ("cnn", "lenet")


def data_config(settings: PeerSettings, dataset: str) -> DataConfig:
    """Where the peer's examples come from.

    Args:
        settings: What the user set.
        dataset: The named data set, for peers without data of their own.
    """
    index, count = settings.partition or (1, 1)
    return DataConfig(
        dataset="own" if settings.data is not None else dataset,
        data_path=str(settings.data) if settings.data is not None else None,
        task=settings.session.get("task"),
        target=settings.target,
        missing_target=settings.missing_target,
        data_dir=str(settings.data_dir) if settings.data_dir is not None else None,
        cache_dir=str(settings.cache_dir),
        partition_index=index - 1,
        partition_count=count,
    )


def describe_data(
    settings: PeerSettings, dataset: str, say: Callable[[str], None]
) -> "DataDescription":
    """Describe the peer's data as the session needs it.

    Raises:
        ConfigurationError: The data cannot be read or breaks a rule; the message names it.
    """
    # Imported here: data sets need numpy, and only peers with data or a new session need them.
    from swarm.learning.datasets import describe  # noqa: PLC0415

    config = data_config(settings, dataset)
    return _explained(lambda: describe(config, _model_axes(settings), say))


def check_data(settings: PeerSettings) -> None:
    """Check the peer's own data, if it has any, and that its model file exists.

    Raises:
        ConfigurationError: See `describe_data`; or there is no such model file, or a peer that
            would start a session has data that make none.
    """
    path = settings.model_path
    if path is not None and not path.is_file():
        raise ConfigurationError(f"model file {path} does not exist")
    if settings.data is None:
        return
    if settings.bootstraps or settings.idle:  # a joiner reads its data by the session
        from swarm.learning.datasets import check  # noqa: PLC0415 - as above

        _explained(lambda: check(data_config(settings, "own"), _model_axes(settings)))
        return
    described = describe_data(settings, "own", lambda note: None)
    if "model" not in settings.session:
        default_model(described)
    num_classes = settings.session.get("num_classes", described.num_classes)
    if described.task == "classification" and num_classes < 2:
        raise ConfigurationError(
            "all labels are equal: a peer that starts a session needs at least 2 classes, or "
            "num_classes, if other peers have more of them"
        )


def save_data(folder: Path, x_train: Any, y_train: Any, x_test: Any, y_test: Any) -> Path | None:
    """Write data from memory to a file, for the learner process.

    Args:
        folder: Where to write it.
        x_train: See `swarm.start_peer`; a path is returned as it is.
        y_train: Targets; None if `x_train` has them.
        x_test: Examples to measure the model on; None for none.
        y_test: Their targets.

    Raises:
        ConfigurationError: An array breaks a rule, or something is missing.
    """
    if x_train is None:
        if y_train is not None or x_test is not None:
            raise ConfigurationError("x and y must be given together: x_train is missing")
        return None
    if isinstance(x_train, str | Path):
        if y_train is not None or x_test is not None:
            raise ConfigurationError("a file brings its targets and test examples itself")
        return Path(x_train)
    from swarm.learning.datasets.pack import pack  # noqa: PLC0415 - as above

    if _is_table(x_train, x_test):
        return _save_frame(folder, x_train, y_train)
    if _is_pandas(x_train):
        x_train = _frame_array("x_train", x_train)
    if _is_pandas(x_test):
        x_test = _frame_array("x_test", x_test)
    try:
        return pack(x_train, folder / "data.npz", y_train, x_test=x_test, y_test=y_test)
    except DataError as error:
        raise ConfigurationError(str(error)) from error


def _is_pandas(data: Any) -> bool:
    return type(data).__module__.startswith("pandas")


def _is_table(x_train: Any, x_test: Any) -> bool:
    """Whether data becomes a table, which has no test rows; a Series of texts is an array."""
    if not _is_pandas(x_train) or x_test is not None:
        return False
    return bool(x_train.ndim == 2 or x_train.dtype.kind != "O")


def _frame_array(name: str, frame: Any) -> Any:
    if frame.ndim == 2 and not all(kind.kind in "biuf" for kind in frame.dtypes):
        raise ConfigurationError(
            f"{name} must hold only numbers if x_test is given: leave out x_test, and a fifth of "
            "x_train is held out"
        )
    return frame.to_numpy("float64", na_value=math.nan) if frame.ndim == 2 else frame.to_numpy()


def _save_frame(folder: Path, frame: Any, targets: Any) -> Path:
    """Write a data frame, with its target as the last column, as a table."""
    frame = frame.to_frame() if frame.ndim == 1 else frame
    if targets is not None:
        name = _name_of(targets)
        if len(targets) != len(frame):
            raise ConfigurationError(
                f"x_train has {len(frame)} examples but y_train has {len(targets)}"
            )
        if name in frame.columns:
            raise ConfigurationError(f"x_train must not hold the target column {name!r}")
        frame = frame.assign(**{name: getattr(targets, "to_numpy", lambda: targets)()})
    from swarm.learning.tables.canonical_csv import canonical_csv  # noqa: PLC0415 - as above
    from swarm.learning.tables.reading import read_sheet  # noqa: PLC0415

    path = folder / "data.csv"
    path.write_bytes(_explained(lambda: canonical_csv(read_sheet(frame))))
    return path


def frame_target(x_train: Any, y_train: Any, x_test: Any = None) -> str | None:
    """The column that `save_data` makes of the targets of a data frame; None for other data."""
    return _name_of(y_train) if _is_table(x_train, x_test) and y_train is not None else None


def _name_of(targets: Any) -> str:
    return str(getattr(targets, "name", None) or "target")


def default_model(described: "DataDescription") -> str:
    """The built-in model for data of this kind, for users who name none.

    Raises:
        ConfigurationError: There is none for several inputs.
    """
    if len(described.inputs) > 1:
        names = ", ".join(given.name for given in described.inputs)
        raise ConfigurationError(
            f"data with several inputs ({names}) need a model of your own: --model"
        )
    if described.inputs:
        return "text" if described.inputs[0].dtype == "string" else "mlp"
    return "cnn" if described.is_image else "mlp"


def _explained(read: Callable[[], R]) -> R:
    try:
        return read()
    except DataError as error:
        raise ConfigurationError(str(error)) from error


def _model_axes(settings: PeerSettings) -> int | None:
    if settings.model_path is not None:
        return input_axes(settings.model_path)
    return 3 if settings.session.get("model") in IMAGE_MODELS else None
