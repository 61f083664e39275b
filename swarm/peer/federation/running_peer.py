"""RunningPeer: a peer in a thread of its own, for scripts and notebooks that know no trio."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import trio
from numpy.typing import ArrayLike

from swarm.core.errors import ConfigurationError
from swarm.network.addresses import parse_bootstrap
from swarm.peer.federation.peer import Peer
from swarm.peer.federation.peer_settings import SESSION_FIELDS, PeerSettings
from swarm.peer.host.logs import configure_logs
from swarm.peer.host.trio_thread import Background, TrioThread


class RunningPeer(Background):
    """A peer that takes part in the background; `stop` it, or use it in a `with` block."""

    def __init__(self, settings: PeerSettings) -> None:
        self._settings = settings
        self._peer: Peer | None = None
        self._thread = TrioThread("swarm-peer", self._main, self._leave)

    @property
    def address(self) -> str:
        """`ip:port` that others give as their bootstrap."""
        return self._peer.address if self._peer is not None else ""

    @property
    def round(self) -> int | None:
        """Round of the global model held now; 0 is the initial weights, None is no model yet."""
        driver = self._peer.driver if self._peer is not None else None
        held = driver.machine.held if driver is not None else None
        return held.round if held is not None else None

    @property
    def finished(self) -> bool:
        """Whether the session's last round is done."""
        driver = self._peer.driver if self._peer is not None else None
        return driver is not None and driver.machine.finished

    @property
    def accuracy(self) -> float | None:
        """Test accuracy of the newest global model measured on this peer's test examples."""
        evaluation = self._peer.board.evaluation if self._peer is not None else None
        return evaluation.accuracy if evaluation is not None else None

    def wait_round(self, number: int, timeout_s: float | None = None) -> int:
        """Wait until the global model of round `number` is held; return the round that is.

        Raises:
            TimeoutError: It took longer than `timeout_s`.
            SwarmError: The peer ended.
        """
        limit_s = timeout_s if timeout_s is not None else float("inf")
        self._thread.call(self._wait_round, number, limit_s)
        return self.round or 0

    def wait_finished(self, timeout_s: float | None = None) -> None:
        """Wait until the session's last round is done and measured; see `wait_round`."""
        limit_s = timeout_s if timeout_s is not None else float("inf")
        self._thread.call(self._wait_finished, limit_s)

    def save_model(self, path: str | Path) -> Path:
        """Write the global model held now as a `.keras` file; waits for a training under way.

        Raises:
            LearningError: There is no model yet.
        """
        target = Path(path).absolute()
        if self._peer is None:
            raise ConfigurationError("the peer has not started")
        self._thread.call(self._peer.export, target)
        return target

    def model(self) -> Any:
        """The global model held now, as a `keras.Model`; imports Keras."""
        import keras  # noqa: PLC0415 - seconds, and only who asks for a model needs it

        with tempfile.TemporaryDirectory() as folder:
            return keras.models.load_model(self.save_model(Path(folder) / "model.keras"))

    async def _main(self, ready: Callable[[], None]) -> None:
        self._peer = Peer(self._settings, say=_say_nothing)
        async with trio.open_nursery() as nursery:
            await nursery.start(self._peer.run)
            ready()

    def _leave(self) -> None:
        if self._peer is not None:
            self._peer.leave()

    async def _wait_round(self, number: int, timeout_s: float) -> None:
        with trio.fail_after(timeout_s):
            while self.round is None or self.round < number:
                await self._change()

    async def _wait_finished(self, timeout_s: float) -> None:
        with trio.fail_after(timeout_s):
            while True:
                driver = self._peer.driver if self._peer is not None else None
                if driver is not None and driver.machine.final_metrics is not None:
                    return
                await self._change()

    async def _change(self) -> None:
        driver = self._peer.driver if self._peer is not None else None
        if driver is None:
            await trio.sleep(0.1)  # no session yet: nothing to wait on
        else:
            await driver.changed.wait()


def start_peer(  # noqa: PLR0913 - a facade: one keyword per thing a user may say
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
    """Start a peer in the background: on own arrays, or on a part of a named data set.

    Args:
        x_train: Examples, shape (n, *input_shape); float, or uint8 for images.
        y_train: Labels 0..C-1, shape (n,), integers.
        x_test: Examples to measure the global model on; without them a fifth is held out.
        y_test: Their labels.
        bootstrap: Peers to join, as `ip:port`; none starts a swarm, see `RunningPeer.address`.
        ip: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        state: Folder for identity and resumable state; a temporary one if None.
        name: What others see this peer as.
        partition: (k, n), to take part k of n of a named data set.
        data_dir: Folder that may hold `cifar-10-batches-bin/`.
        model: A built-in name, a `.keras` file or `module:function`; the starter decides.
        allow_model: Whether code that the session names may run here.
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
    is_file = model is not None and str(model).endswith(".keras")
    if model is not None and not is_file:
        session["model"] = str(model)
    bootstraps = (bootstrap,) if isinstance(bootstrap, str) else tuple(bootstrap)
    return RunningPeer(
        PeerSettings(
            ip=ip,
            port=port,
            state_dir=folder,
            bootstraps=tuple(parse_bootstrap(text) for text in bootstraps),
            name=name,
            session=session,
            data=_save_arrays(folder, x_train, y_train, x_test, y_test),
            data_dir=Path(data_dir) if data_dir is not None else None,
            cache_dir=Path(platformdirs.user_cache_dir("swarm", appauthor=False)),
            partition=partition,
            model_path=Path(str(model)) if is_file else None,
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
    """Hand the arrays to the worker process as a file."""
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


def _say_nothing(_line: str) -> None:
    """A notebook prints what its user asks for."""
