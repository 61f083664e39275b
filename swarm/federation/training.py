"""Training: what this peer trains and measures, and what it contributes."""

from swarm.core.blobs import BlobRef
from swarm.core.ids import Digest
from swarm.core.machine import Effect, SetTimer
from swarm.federation.ancestry import Window
from swarm.federation.effects import (
    Evaluate,
    EvaluationFinished,
    Finding,
    GiveUp,
    LearnerFailed,
    LearnerReady,
    Note,
    SaveContribution,
    Train,
    TrainingFailed,
    TrainingFinished,
    TrainingProgressed,
)
from swarm.federation.like_failures import FAILURES_MAX, LikeFailures
from swarm.federation.messages import Contribution
from swarm.federation.own_work import OwnWork
from swarm.federation.records import GlobalModel, Metrics
from swarm.federation.shared_state import SharedState

RETRY_TRAINING = "federation.retry_training"
RETRY_TRAINING_AFTER_S = 1.0
"""Seconds before the second attempt; the third waits twice as long."""


class Training:
    """Has the learner train from the held head, or measure it if it is the last.

    Invariants:
        At most one own contribution per base head is ever announced.
        After `FAILURES_MAX` failures with one reason in a row, nothing is trained any more.
    """

    def __init__(self, shared: SharedState, site: str) -> None:
        self.ready = False
        """Whether the learner is there."""
        self.final_metrics: Metrics | None = None
        """How the last head did on this peer's test shard."""
        self._shared = shared
        self._site = site
        self._own = OwnWork(shared.me)
        self._failures = LikeFailures()
        self._gave_up = False
        self._noted: set[str] = set()
        """Codes of findings that were noted and still hold."""
        self._progress: tuple[Digest, float] | None = None
        """The base of the newest training, and how far that is."""

    @property
    def busy_elsewhere(self) -> bool:
        """Whether training from another head than the held one is under way."""
        return self._own.busy_elsewhere(self._shared.held)

    def blobs(self) -> frozenset[BlobRef]:
        """Weights that own contributions need until they count."""
        return self._own.blobs()

    def learner_ready(self, event: LearnerReady) -> list[Effect]:
        """Take note that the learner is there."""
        self.ready = True
        return self._note_finding(event.finding)

    def go_on(self) -> list[Effect]:
        """Work on after an operator's command. A measurement made before it is dropped."""
        self.final_metrics = None
        return self.work()

    def resume(self, mine: Contribution, now_s: float) -> None:
        """Take back what an earlier life of this peer contributed, if its base is still known."""
        base = self._shared.lineage.get(mine.base)
        if base is not None:
            self._own.keep(mine, base)
            self._shared.blobs.arrived(mine.blob, now_s)

    def begin(self, window: Window) -> list[Effect]:
        """Turn to a head just adopted; work on earlier ones may still count."""
        current = self._shared.round
        self.final_metrics = None
        self._own.forget_counted(window)
        self._own.give_up_useless(window)
        effects: list[Effect] = []
        if current is not None and not self._shared.finished:
            for contribution in self._own.may_apply_stale(window):
                if contribution.contributor.key not in self._shared.branches.claimed:
                    effects += current.contribute(contribution)
        return effects + self.work()

    def work(self) -> list[Effect]:
        """Train from the held head, or measure it if it is the last."""
        head, current = self._shared.held, self._shared.round
        if head is None or self._gave_up:
            return []
        if self._shared.finished:
            self._own.stops()
            return [Evaluate(head.digest, head.blob, head.round)] if self.ready else []
        if current is None:
            return []
        earlier = self._own.of(head.digest)
        if earlier is not None:  # after a restart: this needs no learner
            return current.contribute(earlier) if current.mine is None else []
        if not self.ready or self._shared.registers.waits or self.busy_elsewhere:
            return []  # a slow peer that started anew each time would never finish
        self._own.starts(head)
        return [Train(head.digest, head.blob, self._shared.round_number, self._failures.number)]

    def trained(self, event: TrainingFinished, now_s: float) -> list[Effect]:
        """Contribute what was trained, if it may still count, and go on."""
        base, held = self._own.ended(event.base), self._shared.held
        if base is None or held is None or self._own.of(event.base) is not None:
            return []
        self._failures.clear()
        effects = self._note_finding(event.finding)
        contribution = self._compose(event, base, now_s)
        if base is held:
            return effects + self._contribute(contribution, base)
        if self._shared.lineage.window(held).may_apply_stale(contribution.contributor):
            effects += self._contribute(contribution, base)
        return effects + self.work()

    def progressed(self, event: TrainingProgressed, _now_s: float) -> list[Effect]:
        """Remember how far training is, for heartbeats."""
        self._progress = event.base, event.done
        return []

    def progress(self) -> float:
        """How far training from the held head is."""
        held = self._shared.held
        if held is None or self._progress is None or self._progress[0] != held.digest:
            return 0.0
        return self._progress[1]

    def failed(self, event: TrainingFailed, now_s: float) -> list[Effect]:
        """Try again, later each time; give up once it failed too often in the same way."""
        if self._own.ended(event.base) is None:
            return []
        if self._failures.count(event.reason):
            return self.give_up(LearnerFailed(event.reason), now_s)
        after_s = RETRY_TRAINING_AFTER_S * 2 ** (self._failures.number - 1)
        what = f"training failed, trying again in {after_s:g} s: {event.reason}"
        return [Note("failing", what), SetTimer(RETRY_TRAINING, now_s + after_s)]

    def give_up(self, event: LearnerFailed, _now_s: float) -> list[Effect]:
        """End this peer's part: it failed too often in the same way."""
        if self._gave_up:
            return []
        self._gave_up = True
        me = self._shared.me
        text = f"{me} left because its learner failed {FAILURES_MAX} times: {event.reason}"
        return [Note("failed", text, me), GiveUp(event.reason)]

    def measured(self, event: EvaluationFinished, _now_s: float) -> list[Effect]:
        """Note how the held head did on this peer's test shard."""
        held = self._shared.held
        if held is not None and event.head == held.digest:
            self.final_metrics = event.metrics
        return []

    def _note_finding(self, finding: Finding | None) -> list[Effect]:
        """Note why the model may not learn, unless it was noted and holds ever since."""
        noted, self._noted = self._noted, {finding.code} if finding is not None else set()
        if finding is None or finding.code in noted:
            return []
        me = self._shared.me
        return [Note("learning", f"{me} may not learn: {finding.text}", me)]

    def _compose(self, event: TrainingFinished, base: GlobalModel, now_s: float) -> Contribution:
        shared = self._shared
        return Contribution(
            session=shared.spec.id,
            peer=shared.me,
            base=event.base,
            num_examples=min(event.num_examples, shared.spec.num_examples_max),
            blob=event.blob,
            duration_s=event.duration_s,
            metrics=event.metrics,
            joiners=shared.joiners.current(now_s),
            branches=shared.branches.to_announce(),
            transfer_s=shared.blobs.took_s(base.blob),
            site=self._site,
        )

    def _contribute(self, contribution: Contribution, base: GlobalModel) -> list[Effect]:
        """Keep an own contribution, then announce it if there is a round to hear it."""
        current = self._shared.round
        self._own.keep(contribution, base)
        announced = current.contribute(contribution) if current is not None else []
        return [SaveContribution(contribution), *announced]
