"""TensorBoard logs: accuracy and loss of every round, as they become known.

tensorboardX writes them, because it only needs numpy and protobuf. The writers of TensorFlow and
of PyTorch would load these libraries into the dashboard.
"""

import threading
from pathlib import Path
from typing import Any

from dashboard.watching.snapshot_source import SnapshotSource
from dashboard.watching.snapshot_types import RoundRecord
from swarm.core.errors import ConfigurationError

_WAIT_S = 1.0
_ROUNDS_AT_ONCE = 100


class TensorBoardLog:
    """A thread that follows a source and writes new rounds to `folder`/<session>.

    A restarted dashboard writes all rounds again, and TensorBoard drops the earlier ones.

    Invariant: rounds are written in order, each at most once by one object.
    """

    def __init__(self, source: SnapshotSource, folder: Path) -> None:
        self._source = source
        self._folder = folder
        self._make_writer = _writer_class()
        self._writer: Any = None
        self._session = ""
        self._next = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tensorboard-log", daemon=True)

    def start(self) -> None:
        """Begin to follow. The source must have been started."""
        self._thread.start()

    def stop(self) -> None:
        """Write the remaining rounds and close the files."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()
        self.write_new()
        if self._writer is not None:
            self._writer.close()

    def write_new(self) -> int:
        """Write the rounds that were evaluated since the last call; return their number."""
        snapshot = self._source.snapshot()
        session = snapshot["session"]
        if session is None or not snapshot["history"]["complete"]:
            return 0  # rounds are written in order, so the first ones must be known
        self._begin(session["id"])
        named = [*snapshot["past_peers"], *snapshot["peers"]]
        names = {peer["id"]: peer["name"] for peer in named}
        count = 0
        while True:
            rounds = self._source.rounds(self._next, _ROUNDS_AT_ONCE)["rounds"]
            for record in rounds:
                if record["accuracy"] is None or record["loss"] is None:
                    return count
                self._write(record, names)
                self._next, count = record["round"] + 1, count + 1
            if len(rounds) < _ROUNDS_AT_ONCE:
                return count

    def _run(self) -> None:
        version = -1
        while not self._ending.is_set():
            version = self._source.wait_change(version, _WAIT_S)
            if self.write_new():
                self._writer.flush()
            self._ending.wait(_WAIT_S)

    def _begin(self, session: str) -> None:
        if session == self._session:
            return
        if self._writer is not None:
            self._writer.close()
        self._session, self._next = session, 0
        self._writer = self._make_writer(str(self._folder / session[:12]), purge_step=0)

    def _write(self, record: RoundRecord, names: dict[str, str]) -> None:
        number, unix_s = record["round"], record["unix_s"]
        values = {"global/accuracy": record["accuracy"], "global/loss": record["loss"]}
        for metric in record["metrics"]:
            peer = metric["peer"]
            tag = f"peers/{names.get(peer, 'peer').replace('/', '_')} {peer[-6:]}"
            values |= {f"{tag}/accuracy": metric["accuracy"], f"{tag}/loss": metric["loss"]}
        if number > 0:
            values["round/contributors"] = len(record["contributors"])
        for tag, value in values.items():
            self._writer.add_scalar(tag, value, number, walltime=unix_s)


def _writer_class() -> Any:
    try:
        from tensorboardX import SummaryWriter  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise ConfigurationError(
            "--tensorboard needs tensorboardX, which is not installed:"
            " pip install 'swarm[tensorboard]'"
        ) from error
    return SummaryWriter
