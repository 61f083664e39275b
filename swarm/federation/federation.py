"""Federation: one peer's part in a session of federated training.

`handle` is the one way in: its table gives each kind of event to the part of the machine that it
is for. Afterwards, the machine looks at what follows from what it knows now: whether it can make
head 0, adopt a greater head, or go on with the round. What the parts share, and which part changes
what, is in `shared_state`.
"""

from collections.abc import Callable, Iterable

from swarm.commanding.commands import RelayedCommands
from swarm.commanding.registers import CommandRegisters
from swarm.core.effects import (
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
from swarm.federation.command_following import CommandFollowing
from swarm.federation.effects import (
    Combined,
    CombineFailed,
    EvaluationFinished,
    LearnerFailed,
    LearnerReady,
    LeaveRequested,
    Note,
    SaveLedger,
    Started,
    TrainingFailed,
    TrainingFinished,
    TrainingProgressed,
    WeightsCreated,
    brings,
)
from swarm.federation.founding import Founding
from swarm.federation.head_weights import HeadWeights
from swarm.federation.heartbeats import Heartbeats
from swarm.federation.ledger_entries import Introduction, LedgerEntry, LedgerPage, LedgerRequest
from swarm.federation.messages import (
    Contribution,
    Goodbye,
    HeadHistory,
    HeadRequest,
    Heartbeat,
    JoinRequest,
    SessionQuery,
)
from swarm.federation.participation import Participation
from swarm.federation.records import Aggregate, GlobalModel, Metrics
from swarm.federation.round import Round, Sign
from swarm.federation.screening import Screening
from swarm.federation.session_ledger import SessionLedger
from swarm.federation.shared_state import SharedState
from swarm.federation.topics import session_topic
from swarm.federation.training import RETRY_TRAINING, Training
from swarm.federation.validity import InvalidRecordError

HEARTBEAT = "federation.heartbeat"
HEARTBEAT_EVERY_S = 1.0
LATE_AFTER_S = 1.0
"""This peer stood still if its heartbeat is due for longer than this."""
REPEAT = "federation.repeat"
REPEAT_EVERY_S = 2.0
NAMELESS = Introduction()


class Federation:
    """Holds a head, takes part in its round, and adopts the greatest valid head it can get.

    Invariants:
        The held head only moves up the head order, and its weights are in the store.
        At most one own contribution per base head is ever announced.
        Messages of other sessions, stale and invalid ones change nothing.
        A peer obeys only the operators that it was started with.
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
        self._command_following = CommandFollowing(spec.id, me, operators, held=held)
        self._waiting_since_s: float | None = None
        self._heartbeat_due_s = float("inf")
        shared = self._shared = SharedState(me, spec, self._command_following.registers)
        self.lineage = shared.lineage
        self._introduction = introduction
        self._ledger = SessionLedger(spec.id, me, sign)
        self._answering = Answering(shared, self._ledger)
        self._screening = Screening(shared)
        self._heartbeats = Heartbeats(me, spec, self.lineage)
        self._participation = Participation(shared, self._screening, self._heartbeats, sign)
        self._founding = Founding(shared, sign)
        self._training = Training(shared, introduction.site)
        self._announcements = Announcements(shared, self._screening)
        self._catching_up = CatchingUp(shared, self._training, self._screening)
        self._weights = HeadWeights(shared)
        self._adoption = Adoption(
            shared,
            self._heartbeats,
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
        """The round on the held head; None while that head does not name this peer."""
        return self._shared.round

    @property
    def final_metrics(self) -> Metrics | None:
        """How the last head did on this peer's test shard, once measured."""
        return self._training.final_metrics

    @property
    def rejections(self) -> int:
        """Messages, records and contributions turned down."""
        return self._screening.rejections

    @property
    def finished(self) -> bool:
        """Whether the session's last head is held, or an operator stopped the session."""
        return self._shared.finished

    @property
    def ledger_entries(self) -> tuple[LedgerEntry, ...]:
        """All entries of the ledger, own ones and those of the cluster."""
        return self._ledger.entries

    @property
    def registers(self) -> CommandRegisters:
        """The operators' commands that this peer obeys."""
        return self._command_following.registers

    @property
    def names(self) -> dict[PeerId, str]:
        """The names by which peers of the session introduced themselves."""
        return self._ledger.names

    def asking(self, now_s: float) -> tuple[PeerId, ...]:
        """Peers outside the cohort that ask to join."""
        return self._shared.joiners.current(now_s)

    def settled(self, now_s: float) -> bool:
        """Whether the session is finished, here and at every peer that this one watches."""
        if self.held is None or not self.finished or self.final_metrics is None:
            return False
        presence, head_holders = self._shared.presence, self._shared.head_holders
        return all(
            presence.lost(peer, now_s) or head_holders.holds(peer, self.held.key)
            for peer in presence.watched
        )

    def handle(self, event: Event, now_s: float) -> list[Effect]:
        """Apply one event; see `swarm.core.machine.Machine.handle`."""
        if getattr(event, "session", self._session) != self._session:
            return []
        self._note_standstill(now_s)
        sender = event.peer if isinstance(event, Contribution) else getattr(event, "sender", None)
        if sender is not None:
            # Heads are taken from any author: a peer that ignores a head which others adopt stays
            # behind alone.
            violations = self._screening.violations
            if violations.quarantined(sender, now_s) or sender in self.registers.removed:
                return []
            self._shared.presence.heard(sender, now_s)
        blob = brings(event)  # it is in the store, whatever becomes of the event
        if blob is not None:
            self._shared.blobs.arrived(blob, now_s)
        try:
            handler = self._handlers.get(type(event))
            effects = handler(event, now_s) if handler is not None else []
        except InvalidRecordError as error:
            effects = self._screening.reject(event, error, now_s)
        if self.held is None or not isinstance(event, _CHANGES_NO_DUTY):
            effects += self._advance(now_s)  # silence and deadlines are checked at each heartbeat
        number, unix_s = self._shared.round_number, self._shared.unix_s(now_s)
        for effect in effects:
            if isinstance(effect, Note):
                self._ledger.note(effect, number, unix_s)
        return effects

    def quarantined(self, now_s: float) -> frozenset[PeerId]:
        """Peers from which nothing is taken now, because of what they sent."""
        return self._screening.violations.all_quarantined(now_s)

    def _note_standstill(self, now_s: float) -> None:
        """If this peer stood still, do not hold that against others: neither silence nor work."""
        late_s = now_s - self._heartbeat_due_s
        if late_s > LATE_AFTER_S:
            self._shared.presence.stood_still(late_s, now_s)
            if self.round is not None and not self.registers.waits:
                self.round.postpone(self._heartbeat_due_s, now_s)
            self._heartbeat_due_s = now_s

    # -- events

    def _table(self) -> dict[type[Event], Callable[..., list[Effect]]]:
        return {
            Started: self._on_started,
            LearnerReady: self._on_learner_ready,
            WeightsCreated: self._founding.created,
            TrainingFinished: self._training.trained,
            TrainingFailed: self._training.failed,
            LearnerFailed: self._training.give_up,
            TrainingProgressed: self._training.progressed,
            EvaluationFinished: self._training.measured,
            Combined: self._participation.combined,
            CombineFailed: self._participation.combine_failed,
            Contribution: self._announcements.take,
            Aggregate: self._announcements.take,
            GlobalModel: self._catching_up.learn,
            HeadHistory: self._catching_up.take_history,
            HeadRequest: self._answering.heads,
            LedgerRequest: self._answering.ledger,
            LedgerPage: self._on_ledger_page,
            RelayedCommands: self._on_commands,
            SessionQuery: self._answering.session,
            Heartbeat: self._on_heartbeat,
            JoinRequest: self._on_join_request,
            Goodbye: self._on_goodbye,
            PeerConnected: self._on_connected,
            PeerUnreachable: self._on_unreachable,
            BlobMissing: self._weights.missing,
            LeaveRequested: self._on_leave,
            TimerFired: self._on_timer,
        }

    def _on_started(self, event: Started, now_s: float) -> list[Effect]:
        shared = self._shared
        shared.unix_offset_s = event.unix_s - now_s
        self._ledger.resume(event.entries)
        self._ledger.introduce(self._introduction.facts, event.unix_s)
        self._command_following.resume(event.commands)
        if self.registers.waits:
            self._waiting_since_s = now_s
        shared.exchange.trust(event.offered_by)
        effects: list[Effect] = [Subscribe(session_topic(self._session))]
        if event.heads:
            shared.exchange.resume(event.heads, event.adopted_unix_s)
            shared.blobs.arrived(event.heads[-1].blob, now_s)
            shared.presence.restart(now_s)
            if event.contribution is not None:
                self._training.resume(event.contribution, now_s)
            effects += self._adoption.begin(event.heads[-1], None, now_s)
        self._heartbeat_due_s = now_s + HEARTBEAT_EVERY_S
        effects += [SetTimer(HEARTBEAT, self._heartbeat_due_s), SetTimer(REPEAT, now_s)]
        for peer in event.offered_by[:1]:
            effects += shared.exchange.ask_newest(peer, now_s)
        return effects

    def _on_learner_ready(self, event: LearnerReady, now_s: float) -> list[Effect]:
        effects = self._training.learner_ready(event) + self._catching_up.ask_to_join(now_s)
        return effects + (
            self._training.work() if self.held is not None else self._founding.ready()
        )

    def _on_ledger_page(self, event: LedgerPage, _now_s: float) -> list[Effect]:
        self._ledger.take_page(event, self.round.home.peers if self.round is not None else ())
        return []

    def _on_commands(self, event: RelayedCommands, now_s: float) -> list[Effect]:
        news, effects = self._command_following.hear(event, self._shared.unix_s(now_s))
        return effects + (self._obey(now_s) if any(c.register == "run" for c in news) else [])

    def _obey(self, now_s: float) -> list[Effect]:
        """Wait, go on or end, after an operator's command about the run."""
        if self.registers.waits:
            if self._waiting_since_s is None:
                self._waiting_since_s = now_s
            return []
        since_s, self._waiting_since_s = self._waiting_since_s, None
        if since_s is not None and self.round is not None:
            self.round.postpone(since_s, now_s)
        ended = self._shared.branches.ended() if self.finished else []
        return ended + self._training.go_on()

    def _on_heartbeat(self, event: Heartbeat, now_s: float) -> list[Effect]:
        current = self.round
        is_here = current is not None and event.sender in current.base.members
        if current is not None and is_here and event.head == current.base.key:
            current.efforts.hear(event.sender, event.progress, now_s)
        return self._catching_up.note_head(event.sender, event.head, now_s)

    def _on_join_request(self, event: JoinRequest, now_s: float) -> list[Effect]:
        self._announcements.note_outsiders([event.sender], event.branches, now_s)
        effects: list[Effect] = []
        if self.held is not None and (event.head is None or event.head < self.held.key):
            effects = [Send(event.sender, self._shared.exchange.history((self.held,)))]
        return effects + self._catching_up.note_head(event.sender, event.head, now_s)

    def _on_goodbye(self, event: Goodbye, _now_s: float) -> list[Effect]:
        self._shared.presence.left(event.sender)
        self._shared.joiners.forget([event.sender])
        if event.reason == "disk":
            return [Note("disk", f"{event.sender} left because its disk failed", event.sender)]
        if event.reason == "training":
            text = f"{event.sender} left because its learner failed again and again"
            return [Note("failed", text, event.sender)]
        return [Note("left", f"{event.sender} left the session", event.sender)]

    def _on_connected(self, event: PeerConnected, now_s: float) -> list[Effect]:
        self._shared.presence.heard(event.peer, now_s)
        return []

    def _on_unreachable(self, event: PeerUnreachable, now_s: float) -> list[Effect]:
        self._shared.presence.unreachable(event.peer, now_s)
        self._shared.joiners.forget([event.peer])
        return []

    def _on_leave(self, event: LeaveRequested, _now_s: float) -> list[Effect]:
        return self._new_entries() + self._heartbeats.goodbye(event.reason)

    def _on_timer(self, event: TimerFired, now_s: float) -> list[Effect]:
        if event.name == HEARTBEAT:
            return self._send_heartbeats(now_s)
        if event.name == REPEAT:
            return self._repeat(now_s)
        if event.name == RETRY_TRAINING and not self.finished:
            return self._training.work()
        return []

    def _send_heartbeats(self, now_s: float) -> list[Effect]:
        current = self.round
        trained = self._training.progress()
        progress = current.progress(trained, now_s) if current is not None else ()
        self._heartbeat_due_s = now_s + HEARTBEAT_EVERY_S
        effects = [
            *self._heartbeats.cluster_heartbeats(current, progress),
            SetTimer(HEARTBEAT, self._heartbeat_due_s),
        ]
        return effects + self._new_entries()

    def _new_entries(self) -> list[Effect]:
        """Pass new entries of the ledger to the home cluster, if there are any."""
        topic = self.round.home_topic if self.round is not None else None
        page = self._ledger.next_page(topic) if topic is not None else None
        return [Publish(topic, page)] if topic is not None and page is not None else []

    def _repeat(self, now_s: float) -> list[Effect]:
        current = self.round
        effects = current.repeat() if current is not None else []
        effects += self._catching_up.ask_to_join(now_s) + self._catching_up.widen(now_s)
        if current is not None:
            self._shared.branches.claim(current.base, self.lineage)
        session_heartbeat = self._heartbeats.session_heartbeat()
        home = current.home_topic if current is not None else None
        # Before head 0 there are no session heartbeats: the starter passes commands on.
        founding = self.held is None and self.me == self.spec.starter
        session = session_topic(self._session) if session_heartbeat or founding else None
        effects += [*session_heartbeat, *self._command_following.remind(home, session)]
        unsaved = self._ledger.unsaved()
        if unsaved is not None:
            effects.append(SaveLedger(unsaved))
        return [*effects, SetTimer(REPEAT, now_s + REPEAT_EVERY_S)]

    # -- what follows from the state

    def _advance(self, now_s: float) -> list[Effect]:
        effects = self._founding.found(now_s) + self._adoption.adopt(now_s)
        if self.round is not None and not self.finished and not self.registers.waits:
            effects += self._participation.advance(self.round, now_s)
        return effects


_CHANGES_NO_DUTY = (
    Heartbeat, HeadRequest, SessionQuery, JoinRequest, LedgerRequest, LedgerPage,
    TrainingProgressed,
)  # fmt: skip
"""Most messages; none of them alone makes a head or an aggregate due."""
