"""StudyBlobs: the submitter's data, and the checkpoints that open trials may resume from."""

from collections.abc import Iterable

from swarm.core.blobs import BlobRef
from swarm.core.effects import FetchBlob, KeepBlobs
from swarm.core.ids import PeerId
from swarm.core.machine import Effect
from swarm.search.study import NOBODY, StudySpec
from swarm.search.trial import TrialId, TrialReport

FETCH_AGAIN_AFTER_S = 5.0
FETCH_WAIT_S = 5.0
Holders = tuple[PeerId, ...]


class StudyBlobs:
    """Which blobs of a study this peer has, wants and keeps.

    Invariant: an older checkpoint of an open trial is kept until the newer one is here.
    """

    def __init__(self, me: PeerId, spec: StudySpec) -> None:
        self.data_is_here = spec.data is None
        self._me = me
        self._spec = spec
        self._here: dict[TrialId, BlobRef] = {}
        self._wanted: dict[TrialId, BlobRef] = {}
        self._keeps: frozenset[BlobRef] = frozenset()
        self._fetched_s = float("-inf")

    def fetch_data(self, members: Iterable[PeerId], now_s: float) -> list[Effect]:
        """Request the study's data, repeatedly until it is here."""
        data = self._spec.data
        if data is None or self.data_is_here or now_s < self._fetched_s + FETCH_AGAIN_AFTER_S:
            return []
        self._fetched_s = now_s
        holders = dict.fromkeys((self._spec.submitter, *members))
        others = tuple(peer for peer in holders if peer not in {self._me, NOBODY})
        return [*self._keep(), FetchBlob(data, others, FETCH_WAIT_S)]

    def take_blob(self, blob: BlobRef) -> list[Effect]:
        """Note that a blob is in the store."""
        effects: list[Effect] = []
        for trial, wanted in list(self._wanted.items()):
            if wanted == blob:
                del self._wanted[trial]
                self._here[trial] = blob
                effects += self._keep()
        self.data_is_here = self.data_is_here or blob == self._spec.data
        return effects

    def keep_checkpoint(self, report: TrialReport) -> list[Effect]:
        """Hold the newest checkpoint of a trial, and fetch it if another peer wrote it."""
        if report.checkpoint is None:
            return []
        if report.peer == self._me:
            self._here[report.trial] = report.checkpoint
            return self._keep()
        return self.fetch_checkpoint(report.trial, report.checkpoint, (report.peer,))

    def fetch_checkpoint(
        self, trial: TrialId, checkpoint: BlobRef, holders: Holders
    ) -> list[Effect]:
        """Fetch and hold a checkpoint of a trial, one that its lease names for example."""
        self._wanted[trial] = checkpoint
        return [*self._keep(), FetchBlob(checkpoint, holders, FETCH_WAIT_S)]

    def checkpoint_here(self, trial: TrialId) -> BlobRef | None:
        """The newest checkpoint of a trial that this peer has."""
        return self._here.get(trial)

    def forget_trial(self, trial: TrialId) -> list[Effect]:
        """Release the checkpoints of a trial that is over."""
        self._here.pop(trial, None)
        self._wanted.pop(trial, None)
        return self._keep()

    def forget_all_trials(self) -> list[Effect]:
        """Release all checkpoints: the study is over."""
        self._here.clear()
        self._wanted.clear()
        return self._keep()

    def _keep(self) -> list[Effect]:
        data = [self._spec.data] if self._spec.data is not None else []
        keeps = frozenset((*self._here.values(), *self._wanted.values(), *data))
        if keeps == self._keeps:
            return []
        self._keeps = keeps
        return [KeepBlobs(keeps)]
