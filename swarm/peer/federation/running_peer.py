"""start_peer() and RunningPeer: a peer in the background, for scripts and notebooks."""

import inspect
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import trio

from swarm.core.session import SessionSpec, score_name
from swarm.federation.federation import Federation
from swarm.federation.waiting_reasons import awaited
from swarm.learning.model_files import import_custom_objects
from swarm.peer.federation.best_model import best_model
from swarm.peer.federation.model_argument import model_name
from swarm.peer.federation.own_data import describe_data, frame_target, save_data
from swarm.peer.federation.peer import Peer
from swarm.peer.federation.peer_settings import PeerSettings, session_fields
from swarm.peer.federation.peer_view import PeerView
from swarm.peer.federation.progress_line import ProgressLine
from swarm.peer.host.host_settings import parse_bootstraps
from swarm.peer.host.logs import configure_logs
from swarm.peer.host.trio_thread import InBackground, Scratch, open_scratch

SHOW_EVERY_S = 0.5


class RunningPeer(InBackground):
    """A peer that trains in the background.

    Properties and waits raise the error that ended the peer. After `stop` they keep their values.
    """

    def __init__(self, settings: PeerSettings, scratch: Scratch | None = None) -> None:
        """Start the peer; see `start_peer`.

        Args:
            settings: What the user set.
            scratch: A folder that is removed when the peer ends.
        """
        self._peer = Peer(settings, say=lambda _line: None)  # a notebook prints what its user asks
        super().__init__("swarm-peer", self._main, self._peer.leave, scratch)

    @property
    def name(self) -> str:
        """The name by which others see this peer."""
        return self._peer.status.name or (self._peer.host.me[-6:] if self._peer.host else "")

    @property
    def address(self) -> str:
        """`ip:port` that other peers give as their bootstrap."""
        return self._peer.address

    @property
    def round(self) -> int | None:
        """Round of the current global model; 0 is the initial weights, None is no model yet."""
        machine = self._machine
        return machine.held.round if machine is not None and machine.held is not None else None

    @property
    def rounds(self) -> int | None:
        """Rounds of the session; None while there is no session."""
        machine = self._machine
        return machine.spec.rounds if machine is not None else None

    @property
    def finished(self) -> bool:
        """Whether the session's last round is done."""
        machine = self._machine
        return machine is not None and machine.finished

    @property
    def accuracy(self) -> float | None:
        """Accuracy of the newest global model that this peer measured on its test data.

        `accuracy_round` says of which round that model is.
        """
        self._thread.raise_if_failed()
        evaluation = self._peer.status.evaluation
        return evaluation.accuracy if evaluation is not None else None

    @property
    def accuracy_round(self) -> int | None:
        """Round of the model that `accuracy` is about; 0 is the untrained model."""
        self._thread.raise_if_failed()
        return self._peer.status.evaluated_round

    @property
    def num_peers(self) -> int:
        """Peers that train together now, this one included."""
        machine = self._machine
        return len(machine.held.cohort) if machine is not None and machine.held is not None else 1

    def wait_round(self, number: int, timeout_s: float | None = None) -> int:
        """Wait for the global model of round `number` or a later one; return its round.

        It returns earlier if the session stops early.

        Raises:
            TimeoutError: It took longer than `timeout_s`; the message says what is missing.
            SwarmError: The peer ended.
        """
        self._wait(
            lambda: (self.round is not None and self.round >= number) or self._is_measured(),
            f"round {number}",
            timeout_s,
        )
        return self.round or 0

    def wait_finished(self, timeout_s: float | None = None, *, progress: bool = False) -> None:
        """Wait until the model of the last round is measured; see `wait_round`.

        Args:
            timeout_s: Seconds to wait at most.
            progress: Whether to show the progress on stdout meanwhile: a line that is redrawn in
                a terminal or notebook, else one line for each round.
        """
        if progress:
            self._show_until(self._is_measured, timeout_s)
        self._wait(self._is_measured, "the last round", timeout_s)

    def watch(self, timeout_s: float | None = None) -> None:
        """Show the progress until the last round's model is measured; see `wait_finished`."""
        self.wait_finished(timeout_s, progress=True)

    @property
    def best_round(self) -> int | None:
        """Round of the best measured model; None before one is measured."""
        machine = self._machine
        best = best_model(machine) if machine is not None else None
        return best.round if best is not None else None

    def save_model(self, path: str | Path, *, best: bool = False) -> Path:
        """Write the current global model as a `.keras` file, after the training under way.

        Args:
            path: The file.
            best: Whether to write the best measured model (`best_round`) instead.

        Raises:
            LearningError: There is no such model yet, or it is untrained: no round is done.
        """
        target = Path(path).absolute()
        self._thread.call(partial(self._peer.export, best=best), target)
        return target

    def model(self, *, best: bool = False) -> Any:
        """The current global model, or the best, as a `keras.Model`; see `save_model`."""
        import keras  # noqa: PLC0415 - it takes seconds, and few scripts ask for a model

        allowed = self._peer.settings.allow_model  # then its code has run here already
        with tempfile.TemporaryDirectory() as folder:
            path = self.save_model(Path(folder) / "model.keras", best=best)
            own = import_custom_objects(path, allow_code=allowed)
            return keras.saving.load_model(path, custom_objects=own, safe_mode=not allowed)

    def __repr__(self) -> str:
        return str(self._view())

    def _repr_html_(self) -> str:
        return self._view().html()

    @property
    def _machine(self) -> Federation | None:
        """The machine of the newest session; raises what ended the peer."""
        self._thread.raise_if_failed()
        driver = self._peer.driver
        return driver.machine if driver is not None else None

    def _is_measured(self) -> bool:
        driver = self._peer.driver
        return driver is not None and driver.machine.final_metrics is not None

    def _view(self) -> PeerView:
        """The peer now; it raises nothing, so that even a peer that failed can be shown."""
        driver, status, error = self._peer.driver, self._peer.status, self._thread.error
        machine = driver.machine if driver is not None else None
        held = machine.held if machine is not None else None
        return PeerView(
            name=self.name,
            address=self.address,
            round=held.round if held is not None else None,
            rounds=machine.spec.rounds if machine is not None else None,
            num_peers=len(held.cohort) if held is not None else 1,
            accuracies=dict(status.accuracies),
            phase=status.phase,
            progress=status.progress,
            train_accuracy=status.train_accuracy,
            score=score_name(machine.spec.task) if machine is not None else "accuracy",
            uses=status.uses,
            error=(str(error) or repr(error)) if error is not None else None,
            ended=not self._thread.running,
        )

    async def _main(self, ready: Callable[[], None]) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(self._peer.run)
            ready()

    def _show_until(self, condition: Callable[[], bool], timeout_s: float | None) -> None:
        until_s = math.inf if timeout_s is None else time.monotonic() + timeout_s
        line = ProgressLine()
        try:
            while not condition() and time.monotonic() < until_s:
                line.show(self._view())
                self._thread.call(self._wait_until, condition, SHOW_EVERY_S)
            line.show(self._view())
        finally:
            line.close()

    def _wait(self, condition: Callable[[], bool], what: str, timeout_s: float | None) -> None:
        limit_s = timeout_s if timeout_s is not None else math.inf
        if not self._thread.call(self._wait_until, condition, limit_s):
            missing = self._thread.call_sync(self._missing)
            raise TimeoutError(f"waited {limit_s:g} s for {what}: {missing}")

    def _missing(self) -> str:
        driver, status = self._peer.driver, self._peer.status
        if driver is None:
            silent = self._peer.silent_bootstraps
            return f"no peer answers at {silent}" if silent else "no session was found yet"
        if status.phase == "starting":
            return "this peer still loads its data and its model"
        return awaited(driver.machine, status.progress, trio.current_time())

    async def _wait_until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until the condition holds; return whether it does within the time."""
        with trio.move_on_after(timeout_s):
            while not condition():
                driver = self._peer.driver
                if driver is None:
                    await trio.sleep(0.1)  # there is no session yet, so nothing to wait on
                else:
                    await driver.changed.wait()
        return condition()


def start_peer(  # noqa: PLR0913 - one keyword for each setting
    x_train: Any = None,
    y_train: Any = None,
    *,
    x_test: Any = None,
    y_test: Any = None,
    target: str | None = None,
    missing_target: str = "refuse",
    bootstrap: str | Sequence[str] = (),
    ip: str = "127.0.0.1",
    port: int = 0,
    state: str | Path | None = None,
    name: str = "",
    partition: tuple[int, int] | None = None,
    data_dir: str | Path | None = None,
    model: Any = None,
    rounds: int | None = None,
    min_peers: int | None = None,
    local_epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    allow_model: bool = False,
    threads: int = 0,
    log_level: str = "warning",
    **session: Any,
) -> RunningPeer:
    """Start a peer in the background, on your own data or on a part of a named data set.

    Args:
        x_train: Examples, shape (n, *input_shape); or a dict of arrays for several inputs, a
            data frame, a `tf.data.Dataset`, a `DataLoader`, or a path as `--data` takes it. See
            docs/data.md.
        y_train: Labels of any type, or numbers to predict, shape (n,) or (n, K); None if
            `x_train` has them.
        x_test: Examples to measure the global model on; by default a fifth of `x_train`.
        y_test: Labels of `x_test`.
        target: Column of a table to predict; None: one named target, label, class or y, else the
            last.
        missing_target: Rows of a table whose target is missing: `refuse` the table, or `drop`.
        bootstrap: Peers to join, as `ip:port`. Without any, this peer starts a swarm; others
            join it at `RunningPeer.address`.
        ip: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        state: Folder for identity and resumable state; a temporary one if None.
        name: Name of this peer, shown to other peers.
        partition: (k, n), to train on part k of n parts of a named data set.
        data_dir: Folder that may contain `cifar-10-batches-bin/`.
        model: A `keras.Model`, a function that returns one, a built-in name, a `.keras` file or
            `module:function`; the peer that starts the session decides.
        rounds: Rounds to train. This and the next four are settings of the session, too.
        min_peers: Round 1 waits for this number of peers.
        local_epochs: Passes over a peer's own data in each round.
        batch_size: Examples in each training step.
        learning_rate: Learning rate of round 1.
        allow_model: Whether code that the session's model names may run here.
        threads: Threads that train; 0 takes one for each core.
        log_level: `debug`, `info`, `warning` or `error`.
        **session: Further fields of `swarm.SessionSpec`, such as `seed=1`.

    Raises:
        ConfigurationError: A value breaks a rule, or the data cannot be read.
    """
    configure_logs(log_level, "text")
    usual = {
        "rounds": rounds,
        "min_peers": min_peers,
        "local_epochs": local_epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
    }
    session |= {field: value for field, value in usual.items() if value is not None}
    fields = session_fields(session, known=tuple(inspect.signature(start_peer).parameters))
    with ExitStack() as undo:
        scratch = open_scratch("swarm-peer-")
        folder = Path(undo.enter_context(scratch))
        settings = PeerSettings(
            ip=ip,
            port=port,
            state_dir=Path(state) if state is not None else folder / "state",
            bootstraps=parse_bootstraps(bootstrap),
            name=name,
            session=fields,
            data=save_data(folder, x_train, y_train, x_test, y_test),
            target=frame_target(x_train, y_train, x_test) if target is None else target,
            missing_target=missing_target,
            data_dir=Path(data_dir) if data_dir is not None else None,
            partition=partition,
            allow_model=allow_model,
            threads=threads,
        )
        if model is not None:
            named = model_name(model, folder, lambda: _shapes(settings))
            settings = replace(settings, session={**fields, "model": named})
        peer = RunningPeer(settings, scratch)
        undo.pop_all()  # the peer removes the folder when it ends
    return peer


def _shapes(settings: PeerSettings) -> tuple[Any, int]:
    """Shape of an example and number of outputs, for a function that builds a model."""
    dataset = settings.session.get("dataset", SessionSpec().dataset)
    described = describe_data(settings, dataset, lambda _: None)
    return described.example_shape, described.num_classes
