"""ModelFiles: writes a session's last model, and its best, as `.keras` files."""

from pathlib import Path

import structlog

from swarm.core.blobs import BlobRef
from swarm.core.errors import LearningError, NetworkError, WorkerDiedError
from swarm.federation.federation import Federation
from swarm.network.store import FileBlobStore
from swarm.peer.federation.best_model import best_model, best_path
from swarm.peer.federation.learning_jobs import LearningJobs

UNTRAINED = "no round is done yet: the model is untrained"

log = structlog.get_logger()


class ModelFiles:
    """The files to which one session's models were written.

    Invariant: the untrained model is never written.
    """

    def __init__(self, machine: Federation, learning: LearningJobs, store: FileBlobStore) -> None:
        self.rounds: dict[str, int] = {}
        """Round of the model in each file that `write_all` wrote."""
        self._written: dict[Path, BlobRef] = {}
        self._machine = machine
        self._learning = learning
        self._store = store

    async def write(self, path: Path, *, best: bool = False) -> int:
        """Write the held model, or the best measured one; return its round.

        Raises:
            LearningError: There is no such model here, or the learner failed.
        """
        held = self._machine.held
        if held is None or held.round == 0:
            raise LearningError(UNTRAINED)
        model = best_model(self._machine) if best else held
        if model is None:
            raise LearningError("no model is measured yet: the next round measures this one")
        await self._export(path, model.round, model.blob)
        return model.round

    async def write_all(self, path: Path) -> None:
        """Write the held model, and the best measured one beside it, if it is another.

        Files that hold these models already are left alone. A failure is logged.
        """
        held, best = self._machine.held, best_model(self._machine)
        beside = best_path(path)
        try:
            if held is None or held.round == 0:
                raise LearningError(UNTRAINED)
            await self._write_once(path, held.round, held.blob)
            if best is None or best.round == held.round:
                beside.unlink(missing_ok=True)
            else:
                await self._write_once(beside, best.round, best.blob)
        except (LearningError, NetworkError, WorkerDiedError) as error:
            log.warning("not exported", reason=str(error))

    async def _write_once(self, path: Path, number: int, blob: BlobRef) -> None:
        if self._written.get(path) != blob:
            await self._export(path, number, blob)
            self._written[path] = blob
            self.rounds[str(path)] = number
            log.info("exported", path=str(path), round=number)

    async def _export(self, path: Path, number: int, blob: BlobRef) -> None:
        if not self._store.has(blob):
            raise LearningError(
                f"the weights of round {number} are not here: this peer joined later"
            )
        await self._learning.export(blob, path)
