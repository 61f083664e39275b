"""Federation: one peer's part in a session of federated training."""

from collections.abc import Callable, Iterable

from swarm.commanding.commands import Command, Orders
from swarm.commanding.registers import CommandBook
from swarm.core.effects import (
    BlobArrived,
    BlobMissing,
    PeerConnected,
    PeerUnreachable,
    Publish,
    Send,
    Subscribe,
)
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event, SetTimer, TimerFired
from swarm.core.session import SessionSpec
from swarm.federation.adoption import Adoption
from swarm.federation.announcements import Announcements
from swarm.federation.answering import Answering
from swarm.federation.catching_up import CatchingUp
from swarm.federation.command_following import Obedience
from swarm.federation.effects import (
    Combined,
    CombineFailed,
    EvaluationFinished,
    LearnerReady,
    LeaveRequested,
    Note,
    SaveLedger,
    Started,
    TrainingFailed,
    TrainingFinished,
    WeightsCreated,
)
from swarm.federation.founding import Founding
from swarm.federation.head_weights import Weights
from swarm.federation.heartbeats import Voice
from swarm.federation.ledger_entries import Introduction, LedgerPage, LedgerRequest
from swarm.federation.messages import (
    Contribution,
    Goodbye,
    HeadHistory,
    HeadRequest,
    Heartbeat,
    JoinWish,
    SessionQuery,
)
from swarm.federation.participation import Participation
from swarm.federation.records import Aggregate, GlobalModel, Metrics
from swarm.federation.round import Round, Sign
from swarm.federation.screening import Judging
from swarm.federation.session_ledger import Ledger
from swarm.federation.shared_state import Situation
from swarm.federation.topics import session_topic
from swarm.federation.training import RETRY_TRAINING, Training
from swarm.federation.validity import InvalidRecordError

BEAT = "federation.beat"
BEAT_EVERY_S = 1.0
REPEAT = "federation.repeat"
REPEAT_EVERY_S = 2.0
NAMELESS = Introduction()


class Federation:
    """Holds a head, takes part in its round, and adopts the greatest valid head it can get.

    Invariants:
        The held head only moves up the head order, and its weights are in the store.
        At most one own contribution per base head is ever announced.
        Messages of other sessions, stale and invalid ones change nothing.
        Operators are obeyed only if this peer was told to trust them.
    """

    def __init__(
        self,
        me: PeerId,
        spec: SessionSpec,
        sign: Sign,
        operators: Iterable[PeerId] = (),
        *,
        held: bool = False,
        introduction: Introduction = NAMELESS,
    ) -> None:
        self.me = me
        self.spec = spec
        self._session = spec.id
        self._obedience = Obedience(spec.id, me, operators, held=held)
        self._waiting_since_s: float | None = None
        situation = self._situation = Situation(me, spec, self._obedience.book)
        self.lineage = situation.lineage
        self._introduction = introduction
        self._ledger = Ledger(spec.id, me, sign)
        self._answering = Answering(situation, self._ledger)
        self._judging = Judging(situation)
        self._voice = Voice(me, spec, self.lineage)
        self._participation = Participation(situation, self._judging, self._voice, sign)
        self._founding = Founding(situation, sign)
        self._training = Training(situation, introduction.site)
        self._announcements = Announcements(situation, self._judging)
        self._catching_up = CatchingUp(situation, self._training, self._judging)
        self._weights = Weights(situation)
        self._adoption = Adoption(
            situation,
            self._voice,
            self._announcements,
            self._training,
            self._catching_up,
            self._weights,
        )
        self._handlers = self._table()

    @property
    def held(self) -> GlobalModel | None:
        """The newest global model whose weights are here."""
        return self.lineage.held

    @property
    def round(self) -> Round | None:
        """The round on the held head; None as long as that does not name this peer."""
        return self._situation.round

    @property
    def ready(self) -> bool:
        """Whether the learner is there."""
        return self._training.ready

    @property
    def final_metrics(self) -> Metrics | None:
        """How the last head did here, once it was measured."""
        return self._training.final_metrics

    @property
    def rejections(self) -> int:
        """Messages, records and contributions turned down."""
        return self._judging.rejections

    @property
    def finished(self) -> bool:
        """Whether the last round's head is held, or an operator stopped the session."""
        return self._situation.finished

    @property
    def orders(self) -> CommandBook:
        """What operators ordered, as far as this peer obeys."""
        return self._obedience.book

    def settled(self, now_s: float) -> bool:
        """Whether the session is finished, here and at every peer this one watches."""
        if self.held is None or not self.finished or self.final_metrics is None:
            return False
        presence, enquiries = self._situation.presence, self._situation.enquiries
        return all(
            presence.lost(peer, now_s) or enquiries.holds(peer, self.held.key)
            for peer in presence.watched
        )

    def handle(self, event: Event, now_s: float) -> list[Effect]:
        """Apply one event; see `swarm.core.machine.Machine.handle`."""
        if getattr(event, "session", self._session) != self._session:
            return []
        sender = event.peer if isinstance(event, Contribution) else getattr(event, "sender", None)
        if sender is not None:
            # Not so with heads: whoever disregards one that others adopt stays behind alone.
            offences = self._judging.offences
            if offences.quarantined(sender, now_s) or sender in self.orders.removed:
                return []
            self._situation.presence.heard(sender, now_s)
        try:
            handler = self._handlers.get(type(event))
            effects = handler(event, now_s) if handler is not None else []
        except InvalidRecordError as error:
            effects = self._judging.reject(event, error, now_s)
        if self.held is None or not isinstance(event, _LEADS_TO_NOTHING):
            effects += self._advance(now_s)  # silence and deadlines are looked at on every beat
        number, unix_s = self._situation.round_number, self._situation.unix_s(now_s)
        for effect in effects:
            if isinstance(effect, Note):
                self._ledger.note(effect, number, unix_s)
        return effects

    def quarantined(self, now_s: float) -> frozenset[PeerId]:
        """Peers that nothing is taken from now, for what they sent."""
        return self._judging.offences.all_quarantined(now_s)

    # -- events

    def _table(self) -> dict[type[Event], Callable[..., list[Effect]]]:
        return {
            Started: self._on_started,
            LearnerReady: self._on_learner_ready,
            WeightsCreated: self._founding.created,
            TrainingFinished: self._training.trained,
            TrainingFailed: self._training.failed,
            EvaluationFinished: self._training.measured,
            Combined: self._participation.combined,
            CombineFailed: self._participation.combine_failed,
            Contribution: self._announcements.hear,
            Aggregate: self._announcements.hear,
            GlobalModel: self._catching_up.learn,
            HeadHistory: self._catching_up.take_history,
            HeadRequest: self._answering.heads,
            LedgerRequest: self._answering.ledger,
            LedgerPage: self._on_ledger_page,
            Orders: self._on_orders,
            SessionQuery: self._answering.session,
            Heartbeat: self._on_heartbeat,
            JoinWish: self._on_wish,
            Goodbye: self._on_goodbye,
            PeerConnected: self._on_connected,
            PeerUnreachable: self._on_unreachable,
            BlobArrived: self._weights.arrived,
            BlobMissing: self._weights.missing,
            LeaveRequested: self._on_leave,
            TimerFired: self._on_timer,
        }

    def _on_started(self, event: Started, now_s: float) -> list[Effect]:
        situation = self._situation
        situation.unix_offset_s = event.unix_s - now_s
        self._ledger.resume(event.entries)
        self._ledger.introduce(self._introduction.facts, event.unix_s)
        self.orders.resume(event.commands)
        if self.orders.waits:
            self._waiting_since_s = now_s
        situation.exchange.trust(event.offered_by)
        effects: list[Effect] = [Subscribe(session_topic(self._session))]
        if event.heads:
            self.lineage.resume(event.heads)
            for head, unix_s in zip(event.heads, event.adopted_unix_s, strict=False):
                situation.exchange.adopted(head, unix_s)
            situation.blobs.arrived(event.heads[-1].blob, now_s)
            situation.presence.restart(now_s)
            if event.contribution is not None:
                self._training.resume(event.contribution, now_s)
            effects += self._adoption.begin(event.heads[-1], None, now_s)
        effects += [SetTimer(BEAT, now_s + BEAT_EVERY_S), SetTimer(REPEAT, now_s)]
        for peer in event.offered_by[:1]:
            effects += situation.exchange.ask_newest(peer, now_s)
        return effects

    def _on_learner_ready(self, _event: LearnerReady, now_s: float) -> list[Effect]:
        self._training.ready = True
        effects = self._catching_up.wish(now_s)
        return effects + (
            self._training.work() if self.held is not None else self._founding.ready()
        )

    def _on_ledger_page(self, event: LedgerPage, _now_s: float) -> list[Effect]:
        self._ledger.hear(event, self.round.home.peers if self.round is not None else ())
        return []

    def _on_orders(self, event: Orders, now_s: float) -> list[Effect]:
        news, effects = self._obedience.hear(event, self._situation.unix_s(now_s))
        return effects + (self._obey(now_s) if any(_is_of_the_run(c) for c in news) else [])

    def _obey(self, now_s: float) -> list[Effect]:
        """Wait, go on or end, now that an operator ordered something else."""
        if self.orders.waits:
            if self._waiting_since_s is None:
                self._waiting_since_s = now_s
            return []
        since_s, self._waiting_since_s = self._waiting_since_s, None
        if since_s is not None and self.round is not None:
            self.round.postpone(since_s, now_s)
        self._training.final_metrics = None
        ended = self._situation.branches.ended() if self.finished else []
        return ended + self._training.work()

    def _on_heartbeat(self, event: Heartbeat, now_s: float) -> list[Effect]:
        return self._catching_up.notice(event.sender, event.head, now_s)

    def _on_wish(self, event: JoinWish, now_s: float) -> list[Effect]:
        self._announcements.hear_wishes([event.sender], now_s)
        self._situation.branches.hear(event.branches)
        effects: list[Effect] = []
        if self.held is not None and (event.head is None or event.head < self.held.key):
            effects = [Send(event.sender, self._situation.exchange.history((self.held,)))]
        return effects + self._catching_up.notice(event.sender, event.head, now_s)

    def _on_goodbye(self, event: Goodbye, _now_s: float) -> list[Effect]:
        self._situation.presence.left(event.sender)
        self._situation.newcomers.forget([event.sender])
        if event.reason == "disk":
            return [Note("disk", f"{event.sender} left: its disk failed", event.sender)]
        return [Note("left", event.sender, event.sender)]

    def _on_connected(self, event: PeerConnected, now_s: float) -> list[Effect]:
        self._situation.presence.heard(event.peer, now_s)
        return []

    def _on_unreachable(self, event: PeerUnreachable, now_s: float) -> list[Effect]:
        self._situation.presence.unreachable(event.peer, now_s)
        self._situation.newcomers.forget([event.peer])
        return []

    def _on_leave(self, event: LeaveRequested, _now_s: float) -> list[Effect]:
        return self._voice.goodbye(event.reason)

    def _on_timer(self, event: TimerFired, now_s: float) -> list[Effect]:
        if event.name == BEAT:
            return self._beat(now_s)
        if event.name == REPEAT:
            return self._repeat(now_s)
        if event.name == RETRY_TRAINING and not self.finished:
            return self._training.work()
        return []

    def _beat(self, now_s: float) -> list[Effect]:
        effects = [*self._voice.beats(self.round), SetTimer(BEAT, now_s + BEAT_EVERY_S)]
        if self.round is not None:
            page = self._ledger.tell(self.round.home_topic)
            effects += [Publish(self.round.home_topic, page)] if page is not None else []
        return effects

    def _repeat(self, now_s: float) -> list[Effect]:
        current = self.round
        effects = current.repeat() if current is not None else []
        effects += self._catching_up.wish(now_s) + self._catching_up.widen(now_s)
        if current is not None:
            claimed = self._situation.branches.claimed(current.base, self.lineage)
            current.facts.claimed = claimed
        beacon = self._voice.beacon()
        home = current.home_topic if current is not None else None
        founding = self.held is None and self.me == self.spec.starter  # nobody sends beacons yet
        session = session_topic(self._session) if beacon or founding else None
        effects += [*beacon, *self._obedience.remind(home, session)]
        unsaved = self._ledger.unsaved()
        if unsaved is not None:
            effects.append(SaveLedger(unsaved))
        return [*effects, SetTimer(REPEAT, now_s + REPEAT_EVERY_S)]

    # -- what follows from what is known

    def _advance(self, now_s: float) -> list[Effect]:
        effects = self._founding.found(now_s) + self._adoption.adopt(now_s)
        if self.round is not None and not self.finished and not self.orders.waits:
            effects += self._participation.advance(self.round, now_s)
        return effects


def _is_of_the_run(command: Command) -> bool:
    return command.register == "run"


_LEADS_TO_NOTHING = (
    Heartbeat, HeadRequest, SessionQuery, JoinWish, LedgerRequest, LedgerPage,
)  # fmt: skip
"""Most of what is heard; alone it makes no head or aggregate due."""
