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


class StudyBlobs:
    """Which blobs of a study this peer has, wants and keeps.

    Invariant: of each open trial the newest checkpoint this peer should hold is kept.
    """

    def __init__(self, me: PeerId, spec: StudySpec, emit: Callable[[Effect], None]) -> None:
        self.data_is_here = spec.data is None
        self._me = me
        self._spec = spec
        self._emit = emit
        self._checkpoints: dict[TrialId, BlobRef] = {}
        self._keeps: frozenset[BlobRef] | None = None
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
        is_news = blob == self._spec.data and not self.data_is_here
        self.data_is_here = self.data_is_here or is_news
        return is_news

    def keep_checkpoint(self, report: TrialReport) -> None:
        """Hold the newest checkpoint of a trial, and fetch it if another peer wrote it."""
        if report.checkpoint is None:
            return
        self._checkpoints[report.trial] = report.checkpoint
        self._keep()
        if report.peer != self._me:
            self._emit(FetchBlob(report.checkpoint, (report.peer,), FETCH_WAIT_S))

    def keep_leased(self, trial: TrialId, checkpoint: BlobRef) -> None:
        """Hold a checkpoint that a trial is lent with; whoever goes on from it fetches it."""
        self._checkpoints[trial] = checkpoint
        self._keep()

    def forget(self, trial: TrialId) -> None:
        """A trial is over."""
        if self._checkpoints.pop(trial, None) is not None:
            self._keep()

    def forget_all(self) -> None:
        """The study is over."""
        self._checkpoints.clear()
        self._keep()

    def _keep(self) -> None:
        data = [self._spec.data] if self._spec.data is not None else []
        keeps = frozenset((*self._checkpoints.values(), *data))
        if keeps != self._keeps:
            self._keeps = keeps
            self._emit(KeepBlobs(keeps))
