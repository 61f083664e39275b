"""start_peer() and RunningPeer: a peer in the background, for scripts and notebooks."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import trio
from numpy.typing import ArrayLike

from swarm.core.errors import ConfigurationError
from swarm.peer.federation.peer import Peer
from swarm.peer.federation.peer_settings import SESSION_FIELDS, PeerSettings
from swarm.peer.host.host_settings import parse_bootstraps
from swarm.peer.host.logs import configure_logs
from swarm.peer.host.trio_thread import InBackground, TrioThread


class RunningPeer(InBackground):
    """A peer that trains in the background."""

    def __init__(self, settings: PeerSettings) -> None:
        self._peer = Peer(settings, say=lambda _line: None)  # a notebook prints what its user asks
        self._thread = TrioThread("swarm-peer", self._main, self._peer.leave)

    @property
    def address(self) -> str:
        """`ip:port` that other peers give as their bootstrap."""
        return self._peer.address

    @property
    def round(self) -> int | None:
        """Round of the current global model; 0 is the initial weights, None is no model yet."""
        driver = self._peer.driver
        held = driver.machine.held if driver is not None else None
        return held.round if held is not None else None

    @property
    def finished(self) -> bool:
        """Whether the session's last round is done."""
        driver = self._peer.driver
        return driver is not None and driver.machine.finished

    @property
    def accuracy(self) -> float | None:
        """Accuracy of the newest global model that this peer measured on its test data."""
        evaluation = self._peer.status.evaluation
        return evaluation.accuracy if evaluation is not None else None

    def wait_round(self, number: int, timeout_s: float | None = None) -> int:
        """Wait for the global model of round `number` or a later one; return its round.

        Raises:
            TimeoutError: It took longer than `timeout_s`.
            SwarmError: The peer ended.
        """
        self._wait(lambda: self.round is not None and self.round >= number, timeout_s)
        return self.round or 0

    def wait_finished(self, timeout_s: float | None = None) -> None:
        """Wait until the model of the last round is measured; see `wait_round`."""
        self._wait(
            lambda: (
                self._peer.driver is not None
                and self._peer.driver.machine.final_metrics is not None
            ),
            timeout_s,
        )

    def save_model(self, path: str | Path) -> Path:
        """Write the current global model as a `.keras` file, after the training under way.

        Raises:
            LearningError: There is no model yet.
        """
        target = Path(path).absolute()
        self._thread.call(self._peer.export, target)
        return target

    def model(self) -> Any:
        """The current global model as a `keras.Model`; imports Keras."""
        import keras  # noqa: PLC0415 - it takes seconds, and few scripts ask for a model

        with tempfile.TemporaryDirectory() as folder:
            return keras.models.load_model(self.save_model(Path(folder) / "model.keras"))

    async def _main(self, ready: Callable[[], None]) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(self._peer.run)
            ready()

    def _wait(self, condition: Callable[[], bool], timeout_s: float | None) -> None:
        limit_s = timeout_s if timeout_s is not None else float("inf")
        self._thread.call(self._wait_until, condition, limit_s)

    async def _wait_until(self, condition: Callable[[], bool], timeout_s: float) -> None:
        with trio.fail_after(timeout_s):
            while not condition():
                driver = self._peer.driver
                if driver is None:
                    await trio.sleep(0.1)  # there is no session yet, so nothing to wait on
                else:
                    await driver.changed.wait()


def start_peer(  # noqa: PLR0913 - one keyword for each setting
    x_train: ArrayLike | None = None,
    y_train: ArrayLike | None = None,
    *,
    x_test: ArrayLike | None = None,
    y_test: ArrayLike | None = None,
    bootstrap: str | Sequence[str] = (),
    ip: str = "127.0.0.1",
    port: int = 0,
    state: str | Path | None = None,
    name: str = "",
    partition: tuple[int, int] | None = None,
    data_dir: str | Path | None = None,
    model: str | Path | None = None,
    allow_model: bool = False,
    log_level: str = "warning",
    **session: Any,
) -> RunningPeer:
    """Start a peer in the background, on your own arrays or on a part of a named data set.

    Args:
        x_train: Examples, shape (n, *input_shape); float, or uint8 for images.
        y_train: Labels 0..C-1, shape (n,), integers.
        x_test: Examples to measure the global model on; by default a fifth of `x_train`.
        y_test: Labels of `x_test`.
        bootstrap: Peers to join, as `ip:port`. Without any, this peer starts a swarm; others
            join it at `RunningPeer.address`.
        ip: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        state: Folder for identity and resumable state; a temporary one if None.
        name: Name of this peer, shown to other peers.
        partition: (k, n), to train on part k of n parts of a named data set.
        data_dir: Folder that may contain `cifar-10-batches-bin/`.
        model: A built-in name, a `.keras` file or `module:function`; the peer that starts the
            session decides.
        allow_model: Whether code that the session's model names may run here.
        log_level: `debug`, `info`, `warning` or `error`.
        **session: Further fields of `swarm.SessionSpec`, such as `rounds=5, min_peers=2`.

    Raises:
        ConfigurationError: A value breaks a rule.
    """
    configure_logs(log_level, "text")
    unknown = sorted(set(session) - set(SESSION_FIELDS))
    if unknown:
        raise ConfigurationError(
            f"unknown setting {unknown[0]!r}; a session has {', '.join(SESSION_FIELDS)}"
        )
    folder = Path(state) if state is not None else Path(tempfile.mkdtemp(prefix="swarm-peer-"))
    if model is not None:
        session["model"] = str(model)
    return RunningPeer(
        PeerSettings(
            ip=ip,
            port=port,
            state_dir=folder,
            bootstraps=parse_bootstraps(bootstrap),
            name=name,
            session=session,
            data=_save_arrays(folder, x_train, y_train, x_test, y_test),
            data_dir=Path(data_dir) if data_dir is not None else None,
            partition=partition,
            allow_model=allow_model,
        )
    )


def _save_arrays(
    folder: Path,
    x_train: ArrayLike | None,
    y_train: ArrayLike | None,
    x_test: ArrayLike | None,
    y_test: ArrayLike | None,
) -> Path | None:
    """Write the arrays to a file, for the learner process."""
    if (x_train is None) != (y_train is None) or (x_test is None) != (y_test is None):
        raise ConfigurationError("x and y must be given together")
    if x_train is None or y_train is None:
        if x_test is not None:
            raise ConfigurationError("x_test needs x_train")
        return None
    arrays = {"x_train": np.asarray(x_train), "y_train": np.asarray(y_train)}
    if x_test is not None and y_test is not None:
        arrays |= {"x_test": np.asarray(x_test), "y_test": np.asarray(y_test)}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "data.npz"
    with path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # its stub takes the keywords for flags
    return path
