"""A peer's data: checked before the peer listens, and described for a session that it starts."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from swarm.core.errors import ConfigurationError, DataError
from swarm.learning.data_config import DataConfig
from swarm.learning.model_files import input_axes
from swarm.peer.federation.peer_settings import PeerSettings

if TYPE_CHECKING:
    from swarm.learning.datasets import DataDescription

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

    try:
        return describe(data_config(settings, dataset), _model_axes(settings), say)
    except DataError as error:
        raise ConfigurationError(str(error)) from error


def check_data(settings: PeerSettings) -> None:
    """Check the peer's own data, if it has any, and that its model file exists.

    Raises:
        ConfigurationError: See `describe_data`; or there is no such model file.
    """
    path = settings.model_path
    if path is not None and not path.is_file():
        raise ConfigurationError(f"model file {path} does not exist")
    if settings.data is not None:
        describe_data(settings, "own", lambda note: None)


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


def _model_axes(settings: PeerSettings) -> int | None:
    if settings.model_path is not None:
        return input_axes(settings.model_path)
    return 3 if settings.session.get("model") in IMAGE_MODELS else None
