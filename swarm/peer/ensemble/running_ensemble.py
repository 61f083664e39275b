"""Ensemble: asks an ensemble from a script or notebook, in the background."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import trio

from swarm.core.errors import ConfigurationError, EndedError
from swarm.core.suggestions import names_misspelt_options
from swarm.ensemble.spec import EnsembleSpec
from swarm.peer.ensemble.asked_rows import AskedRows, read_rows, read_rows_file
from swarm.peer.ensemble.asking import DEFAULT_COVERAGE, Asking
from swarm.peer.ensemble.fit_orders import FIT_WITHIN_S, order_fit
from swarm.peer.ensemble.open_asking import FIND_WITHIN_S, open_asker, wait_members
from swarm.peer.ensemble.overview import Matrix
from swarm.peer.ensemble.prediction import Prediction
from swarm.peer.host.host_settings import HostSettings, parse_bootstraps
from swarm.peer.host.logs import configure_logs
from swarm.peer.host.trio_thread import InBackground, Scratch, open_scratch
from swarm.watching.ensemble.members import MemberRow

R = TypeVar("R")


class Ensemble(InBackground):
    """An ensemble to ask; each method may be called from any thread, also at once.

    Requests of several threads that come together are asked in one question.
    """

    def __init__(
        self,
        settings: HostSettings,
        name: str = "",
        within_s: float = FIND_WITHIN_S,
        scratch: Scratch | None = None,
    ) -> None:
        """Join; returns once a member can answer. See `join_ensemble`."""
        self._settings = settings
        self._name = name
        self._within_s = within_s
        self._asking: Asking | None = None
        self._leaving = trio.Event()
        super().__init__("swarm-ensemble", self._main, self._leaving.set, scratch)

    def __repr__(self) -> str:
        if self._asking is None or not self._thread.running:
            return "<Ensemble: ended>"
        spec = self.spec
        return f"<Ensemble {spec.name}: {spec.task}, {len(self.members)} members>"

    @property
    def spec(self) -> EnsembleSpec:
        """What the ensemble predicts, and by which rules."""
        return self.asking.spec

    @property
    def members(self) -> list[MemberRow]:
        """The members, present and lost: version, rows, training time, skill, drift."""
        return self._thread.call_sync(self.asking.members)

    def predict(
        self, rows: Any, coverage: float = DEFAULT_COVERAGE, *, detail: bool = False
    ) -> Prediction:
        """Ask all members about rows.

        Args:
            rows: For a table a data frame, or mappings from column names to cells: one, or a list
                with one for each row. For arrays numbers of shape (n, *input_shape). Or the path
                of a file. The target may be there; it is not sent, but judges the answers.
            coverage: Share of rows whose truth the intervals or sets are to contain, in (0, 1).
            detail: Whether the prediction has each member's own answer.

        Raises:
            DataError: The rows break a rule; the message names column, row and value.
            ConfigurationError: The coverage is not between 0 and 1.
            NoQuorumError: Too few members answered in time; the message says why.
            OverloadedError: Too many rows wait already; ask again later.
        """
        asked = self._read(rows)

        async def ask() -> Prediction:
            return await self.asking.predict(asked, coverage, detail=detail)

        return self.call(ask)

    def matrix(self) -> Matrix:
        """The cross-validation matrix: how each member scored each model on its own rows."""
        return self._thread.call_sync(self.asking.matrix)

    def fit(self, timeout_s: float = FIT_WITHIN_S) -> list[MemberRow]:
        """Have all members fit at once, each on its own rows; return the members afterwards.

        Raises:
            TimeoutError: A member was not done in time; it goes on fitting.
        """
        self.call(order_fit, self.asking, timeout_s)
        return self.members

    def distill(self, rows: Any, learner: str = "gbr", output: str | Path = "model.skops") -> Path:
        """Train one model on the ensemble's answers to rows, and write it to a file.

        Args:
            rows: As in `predict`; a few thousand are usual. They need no labels.
            learner: Name of a learner, as in `gbr`, `forest` or `mlp`.
            output: The file; its name ends in `.skops`, for Keras models as well.

        Returns:
            The file.

        Raises:
            ConfigurationError: Learner or file name break a rule.
            DataError: The rows break a rule.
            NoQuorumError: Too few members answered in time.
        """
        # Imported here: it brings scikit-learn, which asking does not need.
        from swarm.peer.ensemble.distilling import Distillation  # noqa: PLC0415

        return Distillation(self.spec, learner, Path(output)).ask_and_fit(
            self._read(rows), self.predict
        )

    def call(self, function: Callable[..., Awaitable[R]], *args: Any) -> R:
        """Run an asynchronous function in the peer's thread; see `TrioThread.call`."""
        return self._thread.call(function, *args)

    @property
    def asking(self) -> Asking:
        """What asks for all callers; only the peer's own thread changes it."""
        if self._asking is None:
            raise EndedError("the peer has ended")
        return self._asking

    def _read(self, rows: Any) -> AskedRows:
        """Read rows in the caller's thread: the others' questions go on."""
        if isinstance(rows, AskedRows):
            return rows
        is_path = isinstance(rows, str | Path)
        return read_rows_file(Path(rows), self.spec) if is_path else read_rows(rows, self.spec)

    async def _main(self, ready: Callable[[], None]) -> None:
        async with open_asker(self._settings, self._name, self._within_s) as asking:
            await wait_members(asking, self._within_s)
            self._asking = asking
            ready()
            await self._leaving.wait()


@names_misspelt_options
def join_ensemble(  # noqa: PLR0913 - one keyword for each setting
    bootstrap: str | Sequence[str],
    name: str = "",
    *,
    ip: str = "127.0.0.1",
    port: int = 0,
    state: str | Path | None = None,
    timeout_s: float = FIND_WITHIN_S,
    log_level: str = "warning",
) -> Ensemble:
    """Join a swarm to ask one of its ensembles.

    Args:
        bootstrap: Peers to join, as `ip:port`.
        name: The ensemble's name, or the beginning of its id. Optional if there is only one.
        ip: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        state: Folder of this asker's identity. Members that answer only askers they know need it
            to stay the same; a new identity each time if None.
        timeout_s: How long to look for the ensemble and a member that can answer.
        log_level: `debug`, `info`, `warning` or `error`.

    Example:
        with swarm.join_ensemble("192.168.1.5:4001") as ensemble:
            print(ensemble.predict({"LotArea": 9000, "Neighborhood": "NAmes"}))

    Raises:
        ConfigurationError: A value breaks a rule, or several ensembles fit.
        SwarmError: No such ensemble was found in time; the message says what was.
    """
    configure_logs(log_level, "text")
    addresses = parse_bootstraps(bootstrap)
    if not addresses:
        raise ConfigurationError("bootstrap must name a peer, as in '192.168.1.5:4001', got none")
    with ExitStack() as undo:
        scratch = open_scratch("swarm-ensemble-")
        undo.enter_context(scratch)
        folder = Path(state if state is not None else scratch.name)
        settings = HostSettings(ip=ip, port=port, state_dir=folder, bootstraps=addresses)
        ensemble = Ensemble(settings, name, timeout_s, scratch)
        undo.pop_all()  # the ensemble removes the folder when it ends
    return ensemble
