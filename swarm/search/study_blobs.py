"""StudyBlobs: the submitter's data, and checkpoints that open trials may go on from."""

from collections.abc import Callable, Iterable

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

    def __init__(self, me: PeerId, spec: StudySpec, emit: Callable[[Effect], None]) -> None:
        self.data_is_here = spec.data is None
        self._me = me
        self._spec = spec
        self._emit = emit
        self._here: dict[TrialId, BlobRef] = {}
        self._wanted: dict[TrialId, BlobRef] = {}
        self._keeps: frozenset[BlobRef] = frozenset()
        self._fetched_s = float("-inf")

    def fetch_data(self, members: Iterable[PeerId], now_s: float) -> None:
        """Ask for the data, now and then until it is here."""
        data = self._spec.data
        if data is None or self.data_is_here or now_s < self._fetched_s + FETCH_AGAIN_AFTER_S:
            return
        self._fetched_s = now_s
        self._keep()
        holders = dict.fromkeys((self._spec.submitter, *members))
        others = tuple(peer for peer in holders if peer not in {self._me, NOBODY})
        self._emit(FetchBlob(data, others, FETCH_WAIT_S))

    def arrived(self, blob: BlobRef) -> bool:
        """A blob is here; say whether it is the data that was waited for."""
        for trial, wanted in list(self._wanted.items()):
            if wanted == blob:
                del self._wanted[trial]
                self._here[trial] = blob
                self._keep()
        is_news = blob == self._spec.data and not self.data_is_here
        self.data_is_here = self.data_is_here or is_news
        return is_news

    def keep_checkpoint(self, report: TrialReport) -> None:
        """Hold the newest checkpoint of a trial, and fetch it if another peer wrote it."""
        if report.checkpoint is None:
            return
        if report.peer == self._me:
            self._here[report.trial] = report.checkpoint
            self._keep()
        else:
            self._want(report.trial, report.checkpoint, (report.peer,))

    def fetch_checkpoint(self, trial: TrialId, checkpoint: BlobRef, holders: Holders) -> None:
        """Hold a checkpoint that a trial was lent with."""
        self._want(trial, checkpoint, holders)

    def checkpoint_here(self, trial: TrialId) -> BlobRef | None:
        """The newest checkpoint of a trial that this peer has."""
        return self._here.get(trial)

    def forget(self, trial: TrialId) -> None:
        """A trial is over."""
        self._here.pop(trial, None)
        self._wanted.pop(trial, None)
        self._keep()

    def forget_all(self) -> None:
        """The study is over."""
        self._here.clear()
        self._wanted.clear()
        self._keep()

    def _want(self, trial: TrialId, checkpoint: BlobRef, holders: Holders) -> None:
        self._wanted[trial] = checkpoint
        self._keep()
        self._emit(FetchBlob(checkpoint, holders, FETCH_WAIT_S))

    def _keep(self) -> None:
        data = [self._spec.data] if self._spec.data is not None else []
        keeps = frozenset((*self._here.values(), *self._wanted.values(), *data))
        if keeps != self._keeps:
            self._keeps = keeps
            self._emit(KeepBlobs(keeps))
