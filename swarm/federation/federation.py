"""Federation: one peer's part in a session of federated training."""

import itertools
from collections.abc import Callable, Iterable

from swarm.core.effects import (
    BlobArrived,
    BlobMissing,
    KeepBlobs,
    KeepConnected,
    PeerConnected,
    PeerUnreachable,
    Publish,
    Send,
    Subscribe,
)
from swarm.core.ids import Digest, PeerId, RoundNumber
from swarm.core.machine import Effect, Event, SetTimer, TimerFired
from swarm.core.session import SessionSpec
from swarm.federation.ancestry import STALENESS_MAX
from swarm.federation.answering import AnswerBudget
from swarm.federation.blob_desk import BlobDesk
from swarm.federation.branches import Branches, Mergeable
from swarm.federation.command_book import CommandBook
from swarm.federation.commands import Command, Orders
from swarm.federation.early import Early
from swarm.federation.effects import (
    Combined,
    CombineFailed,
    Evaluate,
    EvaluationFinished,
    LearnerReady,
    LeaveRequested,
    Note,
    SaveContribution,
    SaveHead,
    SaveLedger,
    Started,
    Train,
    TrainingFailed,
    TrainingFinished,
    WeightsCreated,
)
from swarm.federation.enquiries import Enquiries
from swarm.federation.entries import LedgerPage, LedgerRequest
from swarm.federation.exchange import Exchange
from swarm.federation.founding import Founding
from swarm.federation.ledger import Ledger
from swarm.federation.lineage import Lineage
from swarm.federation.messages import (
    HISTORY_MAX,
    Aggregate,
    Contribution,
    GlobalModel,
    Goodbye,
    HeadHistory,
    HeadKey,
    HeadRequest,
    Heartbeat,
    JoinWish,
    Metrics,
    SessionOffer,
    SessionQuery,
)
from swarm.federation.newcomers import Newcomers
from swarm.federation.obedience import Obedience
from swarm.federation.offences import Offences
from swarm.federation.own_work import OwnWork
from swarm.federation.presence import Presence
from swarm.federation.round import Round, Sign
from swarm.federation.topics import session_topic
from swarm.federation.validity import InvalidRecordError
from swarm.federation.voice import Voice
from swarm.federation.wishing import Wishing

BEAT = "federation.beat"
BEAT_EVERY_S = 1.0
REPEAT = "federation.repeat"
REPEAT_EVERY_S = 2.0
RETRY_TRAINING = "federation.retry_training"
RETRY_TRAINING_AFTER_S = 1.0
BACKFILL_EVERY_REPEATS = 2
"""So often a newcomer asks for 32 more of the heads before it came."""
HOLDERS_MAX = 8
"""Most peers to ask for a blob one after the other."""
WAIT_FOR_HOLDER_S = 2.0
"""How long a holder up the tree, which is still fetching a head's weights, may keep us waiting."""


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
        site: str = "",
    ) -> None:
        self.me = me
        self.site = site
        self.spec = spec
        self.lineage = Lineage(spec)
        self.round: Round | None = None
        self.ready = False
        self.final_metrics: Metrics | None = None
        self.rejections = 0
        self._sign = sign
        self._session = spec.id
        self._presence = Presence()
        self._newcomers = Newcomers()
        self._blobs = BlobDesk()
        self._voice = Voice(me, spec, self.lineage)
        self._founding = Founding(me, spec)
        self._early = Early()
        self._enquiries = Enquiries(spec.id, me)
        self._exchange = Exchange(spec.id, me, self.lineage, self._enquiries)
        self._wishing = Wishing(me, spec)
        self._branches = Branches(me)
        self._offences = Offences()
        self._own = OwnWork(me)
        self._obedience = Obedience(spec.id, me, operators, held=held)
        self._waiting_since_s: float | None = None
        self._ledger = Ledger(spec.id, me, sign)
        self._answers = AnswerBudget()
        self._unix_offset_s = 0.0
        self._asked = itertools.count()

    @property
    def held(self) -> GlobalModel | None:
        """The newest global model whose weights are here."""
        return self.lineage.held

    @property
    def finished(self) -> bool:
        """Whether the last round's head is held, or an operator stopped the session."""
        if self.held is None:
            return False
        return self.held.round >= self.spec.rounds or self.orders.stopped

    @property
    def orders(self) -> CommandBook:
        """What operators ordered, as far as this peer obeys."""
        return self._obedience.book

    def settled(self, now_s: float) -> bool:
        """Whether the session is finished, here and at every peer this one watches."""
        if self.held is None or not self.finished or self.final_metrics is None:
            return False
        return all(
            self._presence.lost(peer, now_s) or self._enquiries.holds(peer, self.held.key)
            for peer in self._presence.watched
        )

    def handle(self, event: Event, now_s: float) -> list[Effect]:
        """Apply one event; see `swarm.core.machine.Machine.handle`."""
        if getattr(event, "session", self._session) != self._session:
            return []
        sender = event.peer if isinstance(event, Contribution) else getattr(event, "sender", None)
        if sender is not None:
            # Not so with heads: whoever disregards one that others adopt stays behind alone.
            if self._offences.quarantined(sender, now_s) or sender in self.orders.removed:
                return []
            self._presence.heard(sender, now_s)
        try:
            effects = self._dispatch(event, now_s)
        except InvalidRecordError as error:
            effects = self._reject(event, error, now_s)
        if self.held is None or not isinstance(event, _LEADS_TO_NOTHING):
            effects += self._advance(now_s)  # silence and deadlines are looked at on every beat
        for effect in effects:
            if isinstance(effect, Note):
                self._ledger.note(effect, self._round_number, self._unix_s(now_s))
        return effects

    def quarantined(self, now_s: float) -> frozenset[PeerId]:
        """Peers that nothing is taken from now, for what they sent."""
        return self._offences.all_quarantined(now_s)

    # -- events

    def _dispatch(self, event: Event, now_s: float) -> list[Effect]:
        handler = _HANDLERS.get(type(event))
        return handler(self, event, now_s) if handler is not None else []

    def _on_started(self, event: Started, now_s: float) -> list[Effect]:
        self._unix_offset_s = event.unix_s - now_s
        self._ledger.resume(event.entries)
        self.orders.resume(event.commands)
        if self.orders.waits:
            self._waiting_since_s = now_s
        self._exchange.trust(event.offered_by)
        effects: list[Effect] = [Subscribe(session_topic(self._session))]
        if event.heads:
            self.lineage.resume(event.heads)
            for head, unix_s in zip(event.heads, event.adopted_unix_s, strict=False):
                self._exchange.adopted(head, unix_s)
            self._blobs.arrived(event.heads[-1].blob, now_s)
            self._presence.restart(now_s)
            mine = event.contribution
            base = self.lineage.get(mine.base) if mine is not None else None
            if mine is not None and base is not None:
                self._own.keep(mine, base)
                self._blobs.arrived(mine.blob, now_s)
            effects += self._begin(event.heads[-1], None, now_s)
        effects += [SetTimer(BEAT, now_s + BEAT_EVERY_S), SetTimer(REPEAT, now_s)]
        for peer in event.offered_by[:1]:
            effects += self._exchange.ask_newest(peer, now_s)
        return effects

    def _on_learner_ready(self, _event: LearnerReady, now_s: float) -> list[Effect]:
        self.ready = True
        effects = self._wish(now_s)
        return effects + (self._work() if self.held is not None else self._founding.ready())

    def _on_weights_created(self, event: WeightsCreated, now_s: float) -> list[Effect]:
        self._blobs.arrived(event.blob, now_s)
        self._founding.created(event)
        return []

    def _on_training_finished(self, event: TrainingFinished, now_s: float) -> list[Effect]:
        self._blobs.arrived(event.blob, now_s)
        base = self._own.ended(event.base)
        if base is None or self.held is None or self._own.of(event.base) is not None:
            return []
        contribution = Contribution(
            session=self._session,
            peer=self.me,
            base=event.base,
            num_examples=min(event.num_examples, self.spec.num_examples_max),
            blob=event.blob,
            duration_s=event.duration_s,
            metrics=event.metrics,
            joiners=self._newcomers.current(now_s),
            branches=self._branches.tell(),
            transfer_s=self._blobs.took_s(base.blob),
            site=self.site,
        )
        if base is self.held:
            return self._contribute(contribution, base)
        effects: list[Effect] = []
        if self.lineage.window(self.held).foldable(contribution.contributor):
            effects = self._contribute(contribution, base)
        return effects + self._work()

    def _contribute(self, contribution: Contribution, base: GlobalModel) -> list[Effect]:
        """Keep an own contribution, then announce it, unless no cluster is there to hear."""
        self._own.keep(contribution, base)
        announced = self.round.contribute(contribution) if self.round is not None else []
        return [SaveContribution(contribution), *announced]

    def _on_training_failed(self, event: TrainingFailed, now_s: float) -> list[Effect]:
        base = self._own.ended(event.base)
        if base is None:
            return []
        return [
            Note("info", f"training failed, trying again: {event.reason}"),
            SetTimer(RETRY_TRAINING, now_s + RETRY_TRAINING_AFTER_S),
        ]

    def _on_evaluation_finished(self, event: EvaluationFinished, _now_s: float) -> list[Effect]:
        if self.held is not None and event.head == self.held.digest:
            self.final_metrics = event.metrics
        return []

    def _on_combined(self, event: Combined, now_s: float) -> list[Effect]:
        self._blobs.arrived(event.blob, now_s)
        if self.round is None or event.base != self.round.base.digest:
            return []
        effects = self._blame(event, now_s)
        joiners = frozenset(self._newcomers.current(now_s))
        branches = self._branches.tell()
        more, head = self.round.combined(event, joiners, branches, self._sign, now_s)
        if head is not None:
            self.lineage.add(head, trusted=False)
        return effects + more

    def _blame(self, event: Combined, now_s: float) -> list[Effect]:
        """Count what failed a gate against who sent it.

        Only contributions: behind an aggregate stand others, and its author may be honest.
        """
        self.rejections += len(event.rejected)
        effects: list[Effect] = []
        for source, reason in self.round.guilty(event) if self.round is not None else ():
            if isinstance(source, Mergeable):
                effects += self._branches.rejected(source, reason)
            elif isinstance(source, Contribution):
                effects += self._offences.count(source.peer, reason, now_s)
        return effects

    def _on_combine_failed(self, event: CombineFailed, now_s: float) -> list[Effect]:
        if self.round is None or event.base != self.round.base.digest:
            return []
        self.rejections += len(event.rejected)
        return self.round.combine_failed(event, now_s)

    def _on_contribution(self, event: Contribution, now_s: float) -> list[Effect]:
        self._presence.heard(event.peer, now_s)
        return self._on_announcement(event, now_s)

    def _on_announcement(self, event: Contribution | Aggregate, now_s: float) -> list[Effect]:
        known = self.lineage.get(event.base)
        if self.round is not None and self.round.concerns(event):
            if self.round.hear(event):  # not at each repetition: wishes must end
                self._hear_wishes(event.joiners, now_s)
                self._branches.hear(event.branches)
        elif known is None or self.held is None or known.key > self.held.key:
            self._early.keep(event)
            author = event.peer if isinstance(event, Contribution) else event.author
            return self._exchange.miss(event.base, author, now_s)
        return []

    def _on_head(self, event: GlobalModel, now_s: float) -> list[Effect]:
        return self._exchange.learn(event, event.author, now_s)

    def _on_history(self, event: HeadHistory, now_s: float) -> list[Effect]:
        effects: list[Effect] = []
        self._exchange.take_on_trust(event)
        for head in reversed(event.heads):
            try:
                effects += self._exchange.learn(head, event.sender, now_s)
            except InvalidRecordError as error:
                effects += self._reject(head, error, now_s)
        self._exchange.take_times(event)
        if self.round is not None and self.round.facts.window.missing is not None:
            self.round.facts.window = self.lineage.window(self.round.base)
        return effects

    def _on_request(self, event: HeadRequest, now_s: float) -> list[Effect]:
        member = self.held is not None and event.sender in self.held.members
        if event.count > 1 + STALENESS_MAX and not member and not self._answers.allows(now_s):
            return []
        return self._exchange.answer(event)

    def _on_ledger_request(self, event: LedgerRequest, now_s: float) -> list[Effect]:
        if not self._answers.allows(now_s):
            return []
        return [Send(event.sender, self._ledger.answer(event))]

    def _on_ledger_page(self, event: LedgerPage, _now_s: float) -> list[Effect]:
        self._ledger.hear(event, self.round.home.peers if self.round is not None else ())
        return []

    def _on_orders(self, event: Orders, now_s: float) -> list[Effect]:
        news, effects = self._obedience.hear(event, self._unix_s(now_s))
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
        self.final_metrics = None
        return (self._branches.ended() if self.finished else []) + self._work()

    def _on_session_query(self, event: SessionQuery, _now_s: float) -> list[Effect]:
        return [Send(event.sender, SessionOffer(self.me, self.spec))]

    def _on_heartbeat(self, event: Heartbeat, now_s: float) -> list[Effect]:
        return self._notice_key(event.sender, event.head, now_s)

    def _on_wish(self, event: JoinWish, now_s: float) -> list[Effect]:
        self._hear_wishes([event.sender], now_s)
        self._branches.hear(event.branches)
        effects: list[Effect] = []
        if self.held is not None and (event.head is None or event.head < self.held.key):
            effects = [Send(event.sender, self._exchange.history((self.held,)))]
        return effects + self._notice_key(event.sender, event.head, now_s)

    def _on_goodbye(self, event: Goodbye, _now_s: float) -> list[Effect]:
        self._presence.left(event.sender)
        self._newcomers.forget([event.sender])
        if event.reason == "disk":
            return [Note("disk", f"{event.sender} left: its disk failed", event.sender)]
        return [Note("left", event.sender, event.sender)]

    def _on_connected(self, event: PeerConnected, now_s: float) -> list[Effect]:
        self._presence.heard(event.peer, now_s)
        return []

    def _on_unreachable(self, event: PeerUnreachable, now_s: float) -> list[Effect]:
        self._presence.unreachable(event.peer, now_s)
        self._newcomers.forget([event.peer])
        return []

    def _on_blob_arrived(self, event: BlobArrived, now_s: float) -> list[Effect]:
        self._blobs.arrived(event.blob, now_s)
        return []

    def _on_blob_missing(self, event: BlobMissing, now_s: float) -> list[Effect]:
        self._blobs.missing(event.blob, now_s)
        return []

    def _on_leave(self, event: LeaveRequested, _now_s: float) -> list[Effect]:
        return self._voice.goodbye(event.reason)

    def _on_timer(self, event: TimerFired, now_s: float) -> list[Effect]:
        if event.name == BEAT:
            return self._beat(now_s)
        if event.name == REPEAT:
            return self._repeat(now_s)
        if event.name == RETRY_TRAINING and not self.finished:
            return self._work()
        return []

    def _beat(self, now_s: float) -> list[Effect]:
        effects = [*self._voice.beats(self.round), SetTimer(BEAT, now_s + BEAT_EVERY_S)]
        if self.round is not None:
            page = self._ledger.tell()
            effects += [Publish(self.round.home_topic, page)] if page is not None else []
        return effects

    def _repeat(self, now_s: float) -> list[Effect]:
        effects = self.round.repeat() if self.round is not None else []
        effects += self._wish(now_s) + self._widen(now_s)
        if self.round is not None:
            claimed = self._branches.claimed(self.round.base, self.lineage)
            self.round.facts.claimed = claimed
        beacon = self._voice.beacon()
        home = self.round.home_topic if self.round is not None else None
        founding = self.held is None and self.me == self.spec.starter  # nobody sends beacons yet
        session = session_topic(self._session) if beacon or founding else None
        effects += [*beacon, *self._obedience.remind(home, session)]
        unsaved = self._ledger.unsaved()
        if unsaved is not None:
            effects.append(SaveLedger(unsaved))
        return [*effects, SetTimer(REPEAT, now_s + REPEAT_EVERY_S)]

    # -- what follows from what is known

    def _advance(self, now_s: float) -> list[Effect]:
        effects = self._found(now_s) + self._adopt(now_s)
        if self.round is not None and not self.finished and not self.orders.waits:
            effects += self._advance_round(self.round, now_s)
        return effects

    def _advance_round(self, current: Round, now_s: float) -> list[Effect]:
        effects: list[Effect] = []
        facts = current.facts
        facts.successors = [
            head for head in self.lineage.candidates() if head.parent == current.base.digest
        ]
        facts.quarantined = self._offences.all_quarantined(now_s) | self.orders.removed
        if current.composing:
            effects, facts.mergeable = self._branches.pursue(
                current.base, self.lineage, self._blobs, self._enquiries, now_s
            )
        num_duties = len(current.duties)
        effects += current.advance(self._presence, self._blobs, now_s)
        return effects + (self._voice.tune(current) if len(current.duties) > num_duties else [])

    def _found(self, now_s: float) -> list[Effect]:
        """As the starter: publish head 0 once enough peers wish to join."""
        if self.held is not None or self.lineage.candidates() or self.orders.waits:
            return []
        effects, head = self._founding.found(self._newcomers, now_s)
        if head is None:
            return effects
        head = head.signed(self._sign(head.digest))
        self.lineage.add(head, trusted=True)
        attached = head.blob if head.blob.is_small else None
        return [Publish(session_topic(self._session), head, attached)]

    def _adopt(self, now_s: float) -> list[Effect]:
        """Adopt the greatest valid head whose weights are here; ask for a greater one's."""
        effects: list[Effect] = []
        coming = False
        for head in self.lineage.candidates():
            if self._blobs.has(head.blob):
                before = self.held
                self.lineage.adopt(head)
                return effects + self._begin(head, before, now_s)
            if not coming and not self._blobs.absent(head.blob, now_s):
                coming = True
                if not self._blobs.is_coming(head.blob):
                    sources = self._sources(head)
                    effects += self._blobs.want(head.blob, sources, WAIT_FOR_HOLDER_S, now_s)
                effects += self._voice.approach(head, self.round, now_s)
        return effects

    def _begin(self, head: GlobalModel, before: GlobalModel | None, now_s: float) -> list[Effect]:
        """Begin the round on a head just adopted, or finish."""
        window = self.lineage.window(head)
        self._newcomers.forget(head.cohort)
        self.final_metrics = None
        self.round = Round(window, self.spec, self.me, now_s) if self.me in head.members else None
        neighbours = self.round.neighbours if self.round is not None else ()
        leaving = self._presence.watched if self.finished else ()  # they want the last head, too
        self._presence.watch({*neighbours, *leaving}, now_s)
        effects: list[Effect] = [SaveHead(head), KeepConnected(neighbours)]
        effects += self._voice.tune(self.round)
        effects.append(Note("head", f"round {head.round} by {head.author}"))
        effects += self._voice.beats(self.round)
        effects += self._branches.adopted(head, before, self.lineage)
        effects += self._note_parting(head, before)
        self._exchange.adopted(head, self._unix_s(now_s))
        self._take_early(head.digest, now_s)
        self._own.forget_counted(window)
        self._own.give_up_useless(window)
        if self.finished:
            effects += self._branches.ended()
        elif self.round is not None:
            claimed = self.round.facts.claimed = self._branches.claimed(head, self.lineage)
            for contribution in self._own.foldable(window):
                if contribution.contributor.key not in claimed:
                    effects += self.round.contribute(contribution)
        return [*effects, *self._work(), *self._wish(now_s), self._keep_blobs(head)]

    def _work(self) -> list[Effect]:
        """Train from the held head, or measure it if it is the last."""
        head = self.held
        if head is None:
            return []
        if self.finished:
            self._own.stops()
            return [Evaluate(head.digest, head.blob, head.round)] if self.ready else []
        if self.round is None:
            return []
        earlier = self._own.of(head.digest)
        if earlier is not None:  # after a restart this needs no learner
            return self.round.contribute(earlier) if self.round.mine is None else []
        if not self.ready or self.orders.waits or self._own.busy_elsewhere(head):
            return []  # starting anew each time, a slow peer would never finish anything
        self._own.starts(head)
        return [Train(head.digest, head.blob, RoundNumber(head.round + 1))]

    def _take_early(self, base: Digest, now_s: float) -> None:
        for message in self._early.take(base):
            try:
                self._on_announcement(message, now_s)
            except InvalidRecordError:
                self.rejections += 1

    def _hear_wishes(self, peers: Iterable[PeerId], now_s: float) -> None:
        asked = self.held.members if self.held is not None else frozenset()
        asked |= self.orders.removed
        self._newcomers.wish([p for p in peers if p not in asked and p != self.me], now_s)

    def _keep_blobs(self, head: GlobalModel) -> KeepBlobs:
        recent = itertools.islice(self.lineage.ancestors(head), 2)
        kept = {h.blob for h in recent} | self._own.blobs()
        kept |= {h.blob for h in self.lineage.candidates()}
        kept |= self._branches.blobs(self.lineage)
        kept |= self._early.blobs()
        if self.round is not None:
            kept |= self.round.blobs()
        if self.spec.model_file is not None:
            kept.add(self.spec.model_file)
        self._blobs.keep_only(frozenset(kept))
        return KeepBlobs(frozenset(kept))

    def _wish(self, now_s: float) -> list[Effect]:
        """Ask to be in the cohort, as long as the held head does not name this peer."""
        if not self.ready or self.finished or self._own.busy_elsewhere(self.held):
            return []
        trusted = self._exchange.trusted
        effects = self._wishing.wish(self.held, trusted, self._branches.tell())
        if self.held is None and trusted:
            peer = trusted[next(self._asked) % len(trusted)]
            effects += self._exchange.ask_newest(peer, now_s)
        return effects

    def _widen(self, now_s: float) -> list[Effect]:
        """Get the ancestors of the held head that stale contributions may refer to; then all."""
        others = [p for p in self.held.cohort if p != self.me] if self.held is not None else []
        if self.held is None or not others:
            return []
        turn = next(self._asked)
        peer = others[turn % len(others)]
        if self.lineage.window(self.held).missing is not None:
            return self._exchange.widen(self.held, peer, now_s)
        if turn % BACKFILL_EVERY_REPEATS:
            return []
        return self._exchange.backfill(self.held, peer, now_s)

    def _note_parting(self, head: GlobalModel, before: GlobalModel | None) -> list[Effect]:
        """Tell when the head that was held is on another lineage than the one adopted."""
        if before is None or head.parent in (before.digest, before.parent):
            return []  # a child, or a standby's head of the same round
        recent = itertools.islice(self.lineage.ancestors(head), HISTORY_MAX)
        if any(step.digest == before.digest for step in recent):
            return []
        text = f"two sides went on apart: left head {before.round} for head {head.round}"
        return [Note("partition", f"{text} of {head.author}")]

    @property
    def _round_number(self) -> RoundNumber:
        return RoundNumber(self.held.round + 1 if self.held is not None else 0)

    def _unix_s(self, now_s: float) -> float:
        return now_s + self._unix_offset_s

    def _reject(self, event: Event, error: InvalidRecordError, now_s: float) -> list[Effect]:
        """Count an invalid record against who wrote it, not against who passed it on."""
        self.rejections += 1
        text = f"{type(event).__name__}: {error}"
        match event:
            case GlobalModel(author=peer) | Aggregate(author=peer) | Contribution(peer=peer):
                note = Note("rejected", text, peer)
                return [note, *self._offences.count(peer, str(error), now_s)]
            case _:
                return [Note("rejected", text)]

    def _notice_key(self, sender: PeerId, key: HeadKey | None, now_s: float) -> list[Effect]:
        if key is None:
            return []
        self._enquiries.heard(sender, key)
        if self.held is not None and key <= self.held.key:
            return []
        known = self.lineage.get(key.digest)
        if known is None:
            return self._exchange.notice(sender, key, now_s)
        if self.held is not None and known.key <= self.held.key:
            return []  # the key is a lie
        return self._blobs.want(known.blob, (sender,), 0.0, now_s)

    def _sources(self, head: GlobalModel) -> tuple[PeerId, ...]:
        """Whom to ask for a head's weights: down the tree, then the author, then any holder."""
        tree = self.round.sources() if self.round and self.round.base.digest == head.parent else ()
        climb = tree[tree.index(self.me) + 1 :] if self.me in tree else tree
        home = self.round.home.peers if self.round is not None else ()
        saying = self._enquiries.holders(head.key)
        contributors = tuple(c.peer for c in head.contributors)
        order = dict.fromkeys((*climb, head.author, *saying, *home, *contributors, *head.cohort))
        return tuple(peer for peer in order if peer != self.me)[:HOLDERS_MAX]


def _is_of_the_run(command: Command) -> bool:
    return command.register == "run"


_LEADS_TO_NOTHING = (
    Heartbeat, HeadRequest, SessionQuery, JoinWish, LedgerRequest, LedgerPage,
)  # fmt: skip
"""Most of what is heard; alone it makes no head or aggregate due."""

_HANDLERS: dict[type[Event], Callable[..., list[Effect]]] = {
    Started: Federation._on_started,
    LearnerReady: Federation._on_learner_ready,
    WeightsCreated: Federation._on_weights_created,
    TrainingFinished: Federation._on_training_finished,
    TrainingFailed: Federation._on_training_failed,
    EvaluationFinished: Federation._on_evaluation_finished,
    Combined: Federation._on_combined,
    CombineFailed: Federation._on_combine_failed,
    Contribution: Federation._on_contribution,
    Aggregate: Federation._on_announcement,
    GlobalModel: Federation._on_head,
    HeadHistory: Federation._on_history,
    HeadRequest: Federation._on_request,
    LedgerRequest: Federation._on_ledger_request,
    LedgerPage: Federation._on_ledger_page,
    Orders: Federation._on_orders,
    SessionQuery: Federation._on_session_query,
    Heartbeat: Federation._on_heartbeat,
    JoinWish: Federation._on_wish,
    Goodbye: Federation._on_goodbye,
    PeerConnected: Federation._on_connected,
    PeerUnreachable: Federation._on_unreachable,
    BlobArrived: Federation._on_blob_arrived,
    BlobMissing: Federation._on_blob_missing,
    LeaveRequested: Federation._on_leave,
    TimerFired: Federation._on_timer,
}
