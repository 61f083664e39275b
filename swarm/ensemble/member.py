"""Member: one peer's part in an ensemble: it fits, has its model scored, scores others, answers.

`handle` looks up the handler of an event in the table at the end of this module. Afterwards
`_follow_up` looks at what follows from what the member knows now: a fit, a fetch, a score, a card.
What must survive a restart is saved before all other effects of the event.
"""

from collections.abc import Callable
from typing import Any

from swarm.core.effects import (
    BlobArrived,
    BlobMissing,
    PeerUnreachable,
    Publish,
    Send,
    Subscribe,
    Unsubscribe,
)
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event, SetTimer, TimerFired
from swarm.ensemble import effects, messages
from swarm.ensemble.effects import Note
from swarm.ensemble.fitting import Fitting
from swarm.ensemble.member_cards import MemberCards
from swarm.ensemble.member_models import MemberModels
from swarm.ensemble.member_settings import DEFAULT_SETTINGS, MemberSettings
from swarm.ensemble.messages import MemberCard
from swarm.ensemble.model_scores import ModelScores
from swarm.ensemble.models_at_home import ModelsAtHome
from swarm.ensemble.roster import Roster
from swarm.ensemble.serving import Serving
from swarm.ensemble.spec import EnsembleSpec
from swarm.ensemble.standing_requests import StandingRequests
from swarm.ensemble.summarising import Summarising
from swarm.ensemble.topics import ensemble_topic
from swarm.ensemble.travelling_models import TravellingModels

TICK = "member.tick"
TICK_EVERY_S = 0.5


class Member:
    """One member of one ensemble.

    Invariants:
        Card numbers grow over all lives; a card is saved before it is sent.
        One version answers at a time: the champion. A challenger answers only in the shadow.
        Rows leave this peer only as rows that the user agreed to share for validation.
    """

    def __init__(
        self, me: PeerId, spec: EnsembleSpec, settings: MemberSettings = DEFAULT_SETTINGS
    ) -> None:
        self.me = me
        self.spec = spec
        self.roster = Roster(without=me)
        """The other members."""
        self.models = MemberModels(settings)
        self.fitting = Fitting(settings)
        self.settings = settings
        self._topic = ensemble_topic(spec.id)
        self._cards = MemberCards(me, spec)
        self._scores = ModelScores(self.roster, keeps=spec.keep_models)
        self._travelling = TravellingModels(self.roster, self._scores)
        self._at_home = ModelsAtHome(me, spec.id, self._scores, shares_rows=settings.shares_rows)
        self._summarising = Summarising(me, self.roster, self.models, self._scores)
        self._serving = Serving(me, settings.serving, self.models)
        self._requests = StandingRequests()
        self._num_validated = 0
        """Rows that the champion was fitted on: the validation rows are among them."""
        self._has_left = False

    def handle(self, event: Event, now_s: float) -> list[Effect]:
        """Apply one event; see `swarm.core.machine`."""
        handler = _HANDLERS.get(type(event))
        is_ours = getattr(event, "ensemble", self.spec.id) == self.spec.id
        if handler is None or not is_ours or self._has_left:
            return []
        asked = handler(self, event, now_s) or []
        if self._has_left or isinstance(event, _WITHOUT_FOLLOW_UP):
            return asked
        return self._follow_up(asked, now_s)

    def card(self) -> MemberCard:
        """What this member says of itself now, with the number of its newest card."""
        models, fitting = self.models, self.fitting
        waiting = "serving" if models.champion is not None else "waiting"
        return MemberCard(
            ensemble=self.spec.id,
            sender=self.me,
            number=self._cards.number,
            state="fitting" if fitting.is_running else waiting,
            progress=fitting.progress,
            num_rows=fitting.num_rows,
            champion=models.champion,
            challenger=models.challenger,
            previous=models.previous,
            comparison=models.comparison,
            scores=(*models.scores, *self._scores.scores),
            refused=self._scores.refused,
            moments=self._summarising.moments,
            residuals=self._summarising.residuals,
            drift=fitting.drift,
            keeps=tuple(model.version for model in self._scores.copies.values()),
            shares_rows=self.settings.shares_rows,
            detail=fitting.detail,
            num_fits=fitting.num_fits,
        )

    # -- life

    def _on_started(self, event: effects.MemberStarted, now_s: float) -> list[Effect]:
        self._cards.number = event.card
        self.models.resume(event, now_s)
        self.fitting.resume(event, now_s)
        self._at_home.resume(event.card)
        return [
            Subscribe(self._topic),
            Publish(self._topic, messages.CardRequest(self.spec.id, self.me)),
            *self._tick(now_s),
        ]

    def _on_timer(self, event: TimerFired, now_s: float) -> list[Effect]:
        return self._tick(now_s) if event.name == TICK else []

    def _tick(self, now_s: float) -> list[Effect]:
        return [
            SetTimer(TICK, now_s + TICK_EVERY_S),
            *self._serving.tick(self._scores.copies, now_s),
            *self._cards.beat_if_due(now_s),
        ]

    def _on_leave_requested(self, _: effects.LeaveRequested, __: float) -> list[Effect]:
        self._has_left = True
        return [
            *self._serving.leave(),
            Publish(self._topic, messages.MemberGoodbye(self.spec.id, self.me)),
            Unsubscribe(self._topic),
        ]

    # -- own models

    def _on_fitted(self, event: effects.Fitted, now_s: float) -> list[Effect]:
        if not self.fitting.note_fitted(event.job):
            return []
        return self.models.take_fitted(event.model, event.score, now_s)

    def _on_fit_failed(self, event: effects.FitFailed, now_s: float) -> list[Effect]:
        if not self.fitting.note_failure(event.job, event.reason, now_s):
            return []
        return [Note("not fitted", event.reason)]

    def _on_fit_requested(self, event: effects.FitRequested, now_s: float) -> list[Effect]:
        if not event.everyone:
            self.fitting.request(now_s)
            return []
        number = self.fitting.order_everyone(self.me, now_s)
        return [Publish(self._topic, messages.FitOrder(self.spec.id, self.me, number))]

    def _on_rows_changed(self, event: effects.RowsChanged, now_s: float) -> None:
        self.fitting.take_rows(event, now_s)
        self.models.want_comparison()

    # -- other members

    def _on_heartbeat(self, beat: messages.MemberHeartbeat, now_s: float) -> list[Effect]:
        if not self.roster.take_heartbeat(beat, now_s):
            return []
        return [Send(beat.sender, messages.CardRequest(self.spec.id, self.me))]

    def _on_card(self, card: MemberCard, now_s: float) -> None:
        self.roster.take_card(card, now_s)

    def _on_goodbye(self, goodbye: messages.MemberGoodbye, _: float) -> None:
        self.roster.forget(goodbye.sender)

    def _on_scored(self, event: effects.Scored, _: float) -> None:
        if not self._travelling.take_score(event.score):
            self._at_home.take_score(event.score)

    def _on_not_scored(self, event: effects.NotScored, _: float) -> list[Effect]:
        refusal = event.refusal
        if self._travelling.take_refusal(refusal) or self._at_home.take_refusal(refusal):
            return [Note("refused a model", f"of {refusal.owner}: {refusal.reason}")]
        return []

    def _on_blob_arrived(self, event: BlobArrived, now_s: float) -> list[Effect]:
        self._travelling.take_blob(event.blob)
        self._serving.take_rows(event.blob)
        asked = self._at_home.take_blob(event.blob)
        return asked + self._serving.begin_next(self._scores.copies, now_s)

    def _on_blob_missing(self, event: BlobMissing, now_s: float) -> list[Effect]:
        self._travelling.miss_blob(event.blob, now_s)
        self._at_home.miss_blob(event, now_s)
        return self._serving.miss_rows(event)

    # -- questions

    def _on_question(self, question: messages.Question, now_s: float) -> list[Effect]:
        return self._serving.take(question, self._scores.copies, now_s)

    def _on_predicted(self, event: effects.Predicted, now_s: float) -> list[Effect]:
        asked = self._serving.take_predicted(event, now_s)
        return asked + self._serving.begin_next(self._scores.copies, now_s)

    def _on_not_predicted(self, event: effects.NotPredicted, now_s: float) -> list[Effect]:
        asked = self._serving.take_not_predicted(event)
        return asked + self._serving.begin_next(self._scores.copies, now_s)

    # -- what follows

    def _follow_up(self, asked: list[Effect], now_s: float) -> list[Effect]:
        asked += self.models.advance(now_s) + self.fitting.advance(now_s)
        self._note_validation_rows()
        self._scores.forget_old()
        self._scores.refuse_copies(self.models.fitted)
        asked += self._travelling.advance(now_s) + self._at_home.advance(now_s)
        asked += self._summarising.advance(now_s)
        requests, blobs = self._requests, self._travelling.blobs | self._at_home.blobs
        asked += requests.serve(self.models, tuple(self._scores.copies.values()))
        asked += requests.keep(self.models, blobs | self._serving.blobs)
        asked += requests.connect(self.roster.present(now_s))
        asked += self._cards.publish_if_new(self.card(), now_s)
        return requests.save(self._cards.number, self.models, self.fitting.orders) + asked

    def _note_validation_rows(self) -> None:
        """Score all models again if the champion has other validation rows than the last one."""
        champion = self.models.champion
        num_rows = champion.num_rows if champion is not None else 0
        if self._num_validated and num_rows != self._num_validated:
            self._scores.score_again()
            self._summarising.repeat()
        self._num_validated = num_rows


_HANDLERS: dict[type[Event], Callable[[Member, Any, float], list[Effect] | None]] = {
    effects.MemberStarted: Member._on_started,
    effects.LeaveRequested: Member._on_leave_requested,
    effects.Fitted: Member._on_fitted,
    effects.FitFailed: Member._on_fit_failed,
    effects.FitRequested: Member._on_fit_requested,
    effects.RowsChanged: Member._on_rows_changed,
    effects.Scored: Member._on_scored,
    effects.NotScored: Member._on_not_scored,
    effects.Predicted: Member._on_predicted,
    effects.NotPredicted: Member._on_not_predicted,
    TimerFired: Member._on_timer,
    BlobArrived: Member._on_blob_arrived,
    BlobMissing: Member._on_blob_missing,
    messages.MemberHeartbeat: Member._on_heartbeat,
    messages.MemberGoodbye: Member._on_goodbye,
    messages.Question: Member._on_question,
    messages.MemberCard: Member._on_card,
    effects.FitProgressed: lambda member, event, _: member.fitting.note_progress(event),
    effects.Compared: lambda member, event, now_s: member.models.take_comparison(event, now_s),
    effects.PromoteRequested: lambda member, *_: member.models.promote(),
    effects.RollbackRequested: lambda member, *_: member.models.roll_back(),
    effects.RowsShared: lambda member, event, now_s: member._at_home.take_rows(event, now_s),
    effects.Summarised: lambda member, event, _: member._summarising.take(event),
    PeerUnreachable: lambda member, event, _: member.roster.note_lost(event.peer),
    messages.EnsembleQuery: lambda member, query, _: member._cards.answer_query(query),
    messages.CardRequest: lambda member, request, _: member._cards.answer_request(request),
    messages.FitOrder: lambda member, order, now_s: member.fitting.take_order(order, now_s),
    messages.Answer: lambda member, answer, _: member._at_home.take_answer(answer),
    messages.Refusal: lambda member, refusal, now_s: member._at_home.take_question_refusal(
        refusal, now_s
    ),
}
_WITHOUT_FOLLOW_UP = (
    effects.FitProgressed,
    effects.NotPredicted,
    effects.Predicted,
    messages.CardRequest,
    messages.EnsembleQuery,
    messages.MemberHeartbeat,
    messages.Question,
)
"""They are frequent; what follows from them waits for the next tick."""
