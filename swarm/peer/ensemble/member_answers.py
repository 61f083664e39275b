"""MemberAnswers: has a member's models loaded, and answers questions with them."""

import math
from pathlib import Path

import structlog
import trio

from swarm.core.blobs import BlobRef
from swarm.core.errors import DataError, StorageError, SwarmError
from swarm.core.ids import Digest
from swarm.core.machine import Event
from swarm.ensemble.effects import NotPredicted, Predict, Predicted, Serve
from swarm.ensemble.messages import Payload
from swarm.ensemble.records import TEXT_LENGTH_MAX
from swarm.peer.ensemble.member_models import MemberModels
from swarm.peer.ensemble.member_processes import MemberProcesses
from swarm.peer.host.host import Host
from swarm.peer.processes.member_frames import Answered, PredictRows, Shadowed

PREDICT_LIMIT_S = 60.0
"""A prediction that takes longer is killed with its process; other questions wait meanwhile."""

log = structlog.get_logger()


class MemberAnswers:
    """Answers with this member's own models, and with kept copies of others'.

    Invariants:
        Models are loaded before others are forgotten, so one always answers.
        Own models and copies never share a process, nor does one wait for the other.
    """

    def __init__(
        self,
        key: str,
        host: Host,
        models: MemberModels,
        processes: MemberProcesses,
        work: Path,
        copy_limit_s: float,
    ) -> None:
        """Load nothing yet.

        Args:
            key: Name of the member on this host.
            host: Its store and outbox are used.
            models: Where models are.
            processes: The member's.
            work: Folder for answers that are too large for a message.
            copy_limit_s: Loading the copy of another member's model must not take longer.
        """
        self._key = key
        self._host = host
        self._models = models
        self._processes = processes
        self._work = work
        self.spare: Digest | None = None
        """A model to have loaded beside those that answer: the one that `rollback` brings back."""
        self._num_files = 0
        self._copy_limit_s = copy_limit_s
        self._loading = trio.Lock()
        self._loading_copies = trio.Lock()
        self._wanted: Serve | None = None
        self._shadow: Digest | None = None
        self._num_shadow = 0
        self._sum_differences = 0.0
        processes.answers.on_shadow = self._note_shadow

    async def load(self, version: Digest) -> None:
        """Have one more of this member's models loaded.

        Raises:
            SwarmError: It cannot be loaded.
        """
        async with self._loading:
            load = self._models.load(version)
            worker = self._processes.answers
            if load is not None and load not in worker.loads:
                await worker.keep_loaded((*worker.loads, load))

    async def serve(self, effect: Serve) -> None:
        """Have exactly these models loaded; if they change again meanwhile, the latest count."""
        self._wanted = effect
        async with self._loading:
            if self._wanted is effect:
                await self._load_own(effect)
        async with self._loading_copies:
            if self._wanted is effect:
                await self._load_copies(effect)

    async def _load_own(self, effect: Serve) -> None:
        versions = dict.fromkeys((effect.champion, effect.challenger, self.spare))
        own = [self._models.load(version) for version in versions if version is not None]
        try:
            await self._processes.answers.keep_loaded(tuple(one for one in own if one))
        except SwarmError as error:  # questions for the model are refused with this reason
            log.warning("model not loaded", reason=str(error))

    async def _load_copies(self, effect: Serve) -> None:
        worker = self._processes.copies
        copies = [self._models.guest(record) for record in effect.copies]
        try:
            if copies or worker.loads:
                loads = tuple(one for one in copies if one)
                await worker.keep_loaded(loads, self._copy_limit_s)
        except SwarmError as error:  # the other copies answer
            log.warning("copy not loaded", reason=str(error))

    async def predict(self, effect: Predict) -> Event:
        """Answer one question."""
        worker = (
            self._processes.answers if effect.owner == self._host.me else self._processes.copies
        )
        place = self._new_file()
        try:
            job = self._job(effect, place)
            answered = await worker.call(job, Answered, PREDICT_LIMIT_S)
            if answered.abstains:
                return _refusal(effect, "abstains", answered.abstains)
            answers = self._payload(answered, place, effect.rows.num_rows)
        except DataError as error:
            return _refusal(effect, "bad-rows", error)
        except StorageError as error:
            self._host.fail(error)
            return _refusal(effect, "failed", error)
        except SwarmError as error:
            log.warning("question failed", asker=effect.asker, reason=str(error))
            return _refusal(effect, "failed", error)
        num_shadow, disagreement = self._take_shadow(effect.shadow)
        return Predicted(
            effect.asker,
            effect.number,
            effect.owner,
            effect.version,
            answers,
            num_shadow,
            disagreement,
        )

    def _note_shadow(self, shadowed: Shadowed) -> None:
        """Add up what the challenger answered; the next answered question reports it."""
        if shadowed.version != self._shadow:
            self._shadow = shadowed.version
            self._num_shadow, self._sum_differences = 0, 0.0
        if math.isfinite(shadowed.disagreement):
            self._num_shadow += shadowed.num_rows
            self._sum_differences += shadowed.num_rows * shadowed.disagreement

    def _take_shadow(self, shadow: Digest | None) -> tuple[int, float]:
        """Rows that the challenger has answered since the last report, and how differently."""
        if shadow is None or shadow != self._shadow or not self._num_shadow:
            return 0, 0.0
        num_rows, total = self._num_shadow, self._sum_differences
        self._num_shadow, self._sum_differences = 0, 0.0
        return num_rows, total / num_rows

    def _job(self, effect: Predict, place: Path) -> PredictRows:
        rows = effect.rows
        path = "" if rows.blob is None else str(self._host.store.path(rows.blob))
        return PredictRows(
            effect.version, rows.inline, path, str(place), rows.num_rows, effect.shadow
        )

    def _payload(self, answered: Answered, place: Path, num_rows: int) -> Payload:
        if answered.answers:
            return Payload(num_rows, inline=answered.answers)
        blob = BlobRef(answered.digest, answered.size_bytes)
        self._host.outbox.admit(self._key, place, blob)
        return Payload(num_rows, blob=blob)

    def _new_file(self) -> Path:
        self._num_files += 1
        return self._work / f"{self._num_files}.answers"


def _refusal(effect: Predict, reason: str, error: Exception | str) -> NotPredicted:
    detail = str(error)[:TEXT_LENGTH_MAX]
    return NotPredicted(effect.asker, effect.number, effect.owner, reason, detail)
