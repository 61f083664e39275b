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
    Unsubscribe,
)
from swarm.core.ids import Digest, PeerId, RoundNumber
from swarm.core.machine import Effect, Event, SetTimer, TimerFired
from swarm.core.session import SessionSpec
from swarm.federation.blob_desk import BlobDesk
from swarm.federation.early import Early
from swarm.federation.effects import (
    Combined,
    CombineFailed,
    CreateWeights,
    Evaluate,
    EvaluationFinished,
    LearnerReady,
    LeaveRequested,
    Note,
    SaveContribution,
    SaveHead,
    Started,
    Train,
    TrainingFailed,
    TrainingFinished,
    WeightsCreated,
)
from swarm.federation.enquiries import Enquiries
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
from swarm.federation.presence import Presence
from swarm.federation.records import first_head
from swarm.federation.round import Round, Sign
from swarm.federation.topics import session_topic
from swarm.federation.tree import duty_peers, succession
from swarm.federation.validity import InvalidRecordError, tree_of

BEAT = "federation.beat"
BEAT_EVERY_S = 1.0
REPEAT = "federation.repeat"
REPEAT_EVERY_S = 2.0
BEACON_EVERY_REPEATS = 3
"""Only who missed an announcement needs the beacon; everybody hears it."""
RETRY_TRAINING = "federation.retry_training"
RETRY_TRAINING_AFTER_S = 1.0
ENTRIES_MAX = 600
"""Most peers that the heads of one answer may list together, so that it fits in a message."""
HOLDERS_MAX = 8
"""Most peers to ask for a blob one after the other."""
WAIT_FOR_HOLDER_S = 2.0
"""How long a holder up the tree, which is still fetching a head's weights, may keep us waiting."""
STALENESS_MAX = 4
"""Heads for which a contributor goes on holding its weights after one of them named it."""


class Federation:
    """Holds a head, takes part in its round, and adopts the greatest valid head it can get.

    Invariants:
        The held head only moves up the head order, and its weights are in the store.
        At most one own contribution per base head is ever announced.
        Messages of other sessions, stale and invalid ones change nothing.
    """

    def __init__(self, me: PeerId, spec: SessionSpec, sign: Sign) -> None:
        self.me = me
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
        self._topics: tuple[str, ...] = ()
        self._early = Early()
        self._enquiries = Enquiries(spec.id, me)
        self._trusted: set[PeerId] = set()
        self._own: dict[Digest, Contribution] = {}
        self._approached: GlobalModel | None = None
        self._initial_asked = False
        self._initial: WeightsCreated | None = None
        self._asked = itertools.count()
        self._num_repeats = 0

    @property
    def held(self) -> GlobalModel | None:
        """The newest global model whose weights are here."""
        return self.lineage.held

    @property
    def finished(self) -> bool:
        """Whether the last round's head is held."""
        return self.held is not None and self.held.round >= self.spec.rounds

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
        sender = getattr(event, "sender", None)
        if sender is not None:
            self._presence.heard(sender, now_s)
        try:
            effects = self._dispatch(event, now_s)
        except InvalidRecordError as error:
            self.rejections += 1
            effects = [Note("rejected", f"{type(event).__name__}: {error}")]
        return effects + self._advance(now_s)

    # -- events

    def _dispatch(self, event: Event, now_s: float) -> list[Effect]:
        handler = _HANDLERS.get(type(event))
        return handler(self, event, now_s) if handler is not None else []

    def _on_started(self, event: Started, now_s: float) -> list[Effect]:
        self._trusted |= set(event.offered_by)
        effects: list[Effect] = [Subscribe(session_topic(self._session))]
        if event.heads:
            self.lineage.resume(event.heads)
            self._blobs.arrived(event.heads[-1].blob)
            self._presence.restart(now_s)
            if event.contribution is not None:
                self._own[event.contribution.base] = event.contribution
                self._blobs.arrived(event.contribution.blob)
            effects += self._begin(event.heads[-1], now_s)
        effects += [SetTimer(BEAT, now_s + BEAT_EVERY_S), SetTimer(REPEAT, now_s)]
        for peer in event.offered_by[:1]:
            effects += self._enquiries.ask(None, peer, now_s, 1)
        return effects

    def _on_learner_ready(self, _event: LearnerReady, now_s: float) -> list[Effect]:
        self.ready = True
        effects = self._wish(now_s)
        if self.held is not None:
            return effects + self._work()
        if self.spec.starter == self.me and not self._initial_asked:
            self._initial_asked = True
            effects.append(CreateWeights())
        return effects

    def _on_weights_created(self, event: WeightsCreated, _now_s: float) -> list[Effect]:
        self._blobs.arrived(event.blob)
        self._initial = event
        return []

    def _on_training_finished(self, event: TrainingFinished, _now_s: float) -> list[Effect]:
        self._blobs.arrived(event.blob)
        if self.held is None or event.base != self.held.digest or event.base in self._own:
            return []
        contribution = Contribution(
            session=self._session,
            peer=self.me,
            base=event.base,
            num_examples=min(event.num_examples, self.spec.num_examples_max),
            blob=event.blob,
            duration_s=event.duration_s,
            metrics=event.metrics,
            joiners=self._newcomers.current(_now_s),
        )
        self._own[event.base] = contribution
        announced = self.round.contribute(contribution) if self.round is not None else []
        return [SaveContribution(contribution), *announced]

    def _on_training_failed(self, event: TrainingFailed, now_s: float) -> list[Effect]:
        if self.held is None or event.base != self.held.digest:
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
        self._blobs.arrived(event.blob)
        if self.round is None or event.base != self.round.base.digest:
            return []
        self.rejections += len(event.rejected)
        joiners = frozenset(self._newcomers.current(now_s))
        effects, head = self.round.combined(event, joiners, self._sign, now_s)
        if head is not None:
            self.lineage.add(head, trusted=False)
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
        if self.round is not None and event.base == self.round.base.digest:
            if self.round.hear(event):  # not at each repetition: wishes must end
                self._hear_wishes(event.joiners, now_s)
        elif known is None or self.held is None or known.key > self.held.key:
            self._early.keep(event)
        return []

    def _on_head(self, event: GlobalModel, now_s: float) -> list[Effect]:
        return self._learn(event, event.author, now_s)

    def _on_history(self, event: HeadHistory, now_s: float) -> list[Effect]:
        effects: list[Effect] = []
        trusted = event.sender in self._trusted
        for index, head in enumerate(event.heads):
            # Only the newest is believed of a bootstrap; its ancestors are history.
            if trusted and index == 0 and self.held is None and not self.lineage.candidates():
                self.lineage.add(head, trusted=True)
        for head in reversed(event.heads):
            effects += self._learn(head, event.sender, now_s)
        return effects

    def _on_request(self, event: HeadRequest, _now_s: float) -> list[Effect]:
        newest = self.held if event.digest is None else self.lineage.get(event.digest)
        if newest is None:
            return []
        heads: list[GlobalModel] = []
        entries = 0
        for head in itertools.islice(
            self.lineage.ancestors(newest), min(event.count, HISTORY_MAX)
        ):
            entries += len(head.cohort) + len(head.contributors) + len(head.metrics)
            if heads and entries > ENTRIES_MAX:
                break
            heads.append(head)
        return [Send(event.sender, HeadHistory(self._session, self.me, tuple(heads)))]

    def _on_session_query(self, event: SessionQuery, _now_s: float) -> list[Effect]:
        return [Send(event.sender, SessionOffer(self.me, self.spec))]

    def _on_heartbeat(self, event: Heartbeat, now_s: float) -> list[Effect]:
        return self._notice_key(event.sender, event.head, now_s)

    def _on_wish(self, event: JoinWish, now_s: float) -> list[Effect]:
        self._hear_wishes([event.sender], now_s)
        return self._tell(event) + self._notice_key(event.sender, event.head, now_s)

    def _on_goodbye(self, event: Goodbye, _now_s: float) -> list[Effect]:
        self._presence.left(event.sender)
        self._newcomers.forget([event.sender])
        return [Note("left", event.sender)]

    def _on_connected(self, event: PeerConnected, now_s: float) -> list[Effect]:
        self._presence.heard(event.peer, now_s)
        return []

    def _on_unreachable(self, event: PeerUnreachable, now_s: float) -> list[Effect]:
        self._presence.unreachable(event.peer, now_s)
        self._newcomers.forget([event.peer])
        return []

    def _on_blob_arrived(self, event: BlobArrived, _now_s: float) -> list[Effect]:
        self._blobs.arrived(event.blob)
        return []

    def _on_blob_missing(self, event: BlobMissing, now_s: float) -> list[Effect]:
        self._blobs.missing(event.blob, now_s)
        return []

    def _on_leave(self, _event: LeaveRequested, _now_s: float) -> list[Effect]:
        goodbye = Goodbye(self._session, self.me)
        topics = dict.fromkeys((session_topic(self._session), *self._topics))
        return [Publish(topic, goodbye) for topic in topics]

    def _on_timer(self, event: TimerFired, now_s: float) -> list[Effect]:
        if event.name == BEAT:
            return [*self._beats(), SetTimer(BEAT, now_s + BEAT_EVERY_S)]
        if event.name == RETRY_TRAINING and not self.finished:
            return self._work()
        if event.name != REPEAT:
            return []
        effects = self.round.repeat() if self.round is not None else []
        effects += self._wish(now_s)
        self._num_repeats += 1
        if self._num_repeats % BEACON_EVERY_REPEATS == 0:
            effects += self._beacon()
        return [*effects, SetTimer(REPEAT, now_s + REPEAT_EVERY_S)]

    # -- what follows from what is known

    def _advance(self, now_s: float) -> list[Effect]:
        effects = self._found(now_s) + self._adopt(now_s)
        if self.round is not None and not self.finished:
            successors = [
                h for h in self.lineage.candidates() if h.parent == self.round.base.digest
            ]
            self.round.facts.successors = successors
            effects += self.round.advance(self._presence, self._blobs, now_s)
        return effects

    def _found(self, now_s: float) -> list[Effect]:
        """As the starter: publish head 0 once enough peers wish to join."""
        if self._initial is None or self.held is not None or self.lineage.candidates():
            return []
        wishing = self._newcomers.current(now_s)
        if len({*wishing, self.me}) < self.spec.min_peers:
            return []
        blob = self._initial.blob
        head = first_head(self._session, blob, wishing, self.me, self.spec.cohort_max)
        head = head.signed(self._sign(head.digest))
        self.lineage.add(head, trusted=True)
        return [Publish(session_topic(self._session), head, blob if blob.is_small else None)]

    def _adopt(self, now_s: float) -> list[Effect]:
        """Adopt the greatest valid head whose weights are here; ask for a greater one's."""
        effects: list[Effect] = []
        coming = False
        for head in self.lineage.candidates():
            if self._blobs.has(head.blob):
                self.lineage.adopt(head)
                return effects + self._begin(head, now_s)
            if not coming and not self._blobs.absent(head.blob, now_s):
                coming = True
                sources = self._sources(head)
                effects += self._blobs.want(head.blob, sources, WAIT_FOR_HOLDER_S, now_s)
                effects += self._approach(head, now_s)
        return effects

    def _begin(self, head: GlobalModel, now_s: float) -> list[Effect]:
        """Begin the round on a head just adopted, or finish."""
        self._newcomers.forget(head.cohort)
        self.final_metrics = None
        self.round = Round(head, self.spec, self.me, now_s) if self.me in head.cohort else None
        neighbours = self.round.neighbours if self.round is not None else ()
        leaving = self._presence.watched if self.finished else ()  # they want the last head, too
        self._presence.watch({*neighbours, *leaving}, now_s)
        effects: list[Effect] = [SaveHead(head), KeepConnected(neighbours), *self._retopic()]
        effects += [Note("head", f"round {head.round} by {head.author}"), *self._beats()]
        self._take_early(head.digest, now_s)
        self._own = {
            h.digest: self._own[h.digest]
            for h in itertools.islice(self.lineage.ancestors(head), 1 + STALENESS_MAX)
            if h.digest in self._own
        }
        return [*effects, *self._work(), self._keep_blobs(head)]

    def _work(self) -> list[Effect]:
        """Train from the held head, or measure it if it is the last."""
        head = self.held
        if head is None:
            return []
        if self.finished:
            return [Evaluate(head.digest, head.blob, head.round)] if self.ready else []
        if self.round is None:
            return []
        earlier = self._own.get(head.digest)
        if earlier is not None:  # after a restart this needs no learner
            return self.round.contribute(earlier) if self.round.mine is None else []
        return [Train(head.digest, head.blob, RoundNumber(head.round + 1))] if self.ready else []

    def _take_early(self, base: Digest, now_s: float) -> None:
        for message in self._early.take(base):
            try:
                self._on_announcement(message, now_s)
            except InvalidRecordError:
                self.rejections += 1

    def _hear_wishes(self, peers: Iterable[PeerId], now_s: float) -> None:
        asked = self.held.cohort if self.held is not None else ()
        self._newcomers.wish([p for p in peers if p not in asked and p != self.me], now_s)

    def _approach(self, head: GlobalModel, now_s: float) -> list[Effect]:
        """Be heard in the clusters of a head whose weights are on their way, however long."""
        if head is self._approached:
            return []
        self._approached = head
        before = self._topics
        topics = Round(head, self.spec, self.me, now_s).topics if self.me in head.cohort else ()
        effects = self._retopic(topics)
        new = [topic for topic in self._topics if topic not in before]
        return effects + [Publish(topic, self._heartbeat()) for topic in new]

    def _retopic(self, more: tuple[str, ...] = ()) -> list[Effect]:
        current = self.round.topics if self.round is not None else ()
        wanted = tuple(dict.fromkeys((*current, *more)))
        effects: list[Effect] = [Subscribe(t) for t in wanted if t not in self._topics]
        effects += [Unsubscribe(t) for t in self._topics if t not in wanted]
        self._topics = wanted
        return effects

    def _keep_blobs(self, head: GlobalModel) -> KeepBlobs:
        recent = itertools.islice(self.lineage.ancestors(head), 2)
        kept = {h.blob for h in recent} | {c.blob for c in self._own.values()}
        kept |= {h.blob for h in self.lineage.candidates()}
        kept |= self._early.blobs()
        if self.round is not None:
            kept |= self.round.blobs()
        if self.spec.model_file is not None:
            kept.add(self.spec.model_file)
        self._blobs.keep_only(frozenset(kept))
        return KeepBlobs(frozenset(kept))

    def _beats(self) -> list[Effect]:
        """Tell the neighbours that this peer is alive; not twice where all listen one tier up."""
        covered = self.round.covered_topics if self.round is not None else frozenset()
        return [
            Publish(topic, self._heartbeat()) for topic in self._topics if topic not in covered
        ]

    def _beacon(self) -> list[Effect]:
        """Tell the whole session of the held head, for those that missed its announcement.

        They may listen on the topics of an older cohort, where nobody else is left. The head's
        author does it, and the first of the next root's succession in case it is gone.
        """
        head = self.held
        if head is None:
            return []
        root = tree_of(head, self.spec).root
        if self.me not in (head.author, *duty_peers(head.digest, root, frozenset(head.slow))):
            return []
        return [Publish(session_topic(self._session), self._heartbeat())]

    def _heartbeat(self) -> Heartbeat:
        return Heartbeat(self._session, self.me, self.held.key if self.held else None)

    def _wish(self, now_s: float) -> list[Effect]:
        """Ask to be in the cohort, as long as the held head does not name this peer."""
        if not self.ready or self.finished:
            return []
        if self.held is not None and self.me in self.held.cohort:
            return []
        wish = JoinWish(self._session, self.me, self.held.key if self.held else None)
        effects: list[Effect] = [Publish(session_topic(self._session), wish)]
        known = self.held.cohort if self.held is not None else tuple(sorted(self._trusted))
        others = [peer for peer in known if peer != self.me]
        if others:  # announcements get lost: ask another peer each time
            peer = others[next(self._asked) % len(others)]
            effects += [Send(peer, wish), *self._enquiries.ask(None, peer, now_s, 1)]
        return effects

    def _learn(self, head: GlobalModel, source: PeerId, now_s: float) -> list[Effect]:
        if self.lineage.add(head, trusted=False):
            return []
        missing = self.lineage.missing_ancestor(head)
        if missing is None or (self.held is not None and head.key <= self.held.key):
            return []
        return self._enquiries.ask(missing, source, now_s, HISTORY_MAX)

    def _notice_key(self, sender: PeerId, key: HeadKey | None, now_s: float) -> list[Effect]:
        if key is None:
            return []
        self._enquiries.heard(sender, key)
        if self.held is not None and key <= self.held.key:
            return []
        known = self.lineage.get(key.digest)
        if known is None:
            return self._enquiries.ask(key.digest, sender, now_s, 1)
        if self.held is not None and known.key <= self.held.key:
            return []  # the key is a lie
        return self._blobs.want(known.blob, (sender,), 0.0, now_s)

    def _tell(self, wish: JoinWish) -> list[Effect]:
        """Send the held head to who wishes on an older one; one or two peers do, not all."""
        head = self.held
        if head is None or (wish.head is not None and wish.head >= head.key):
            return []
        tellers = {head.author}
        if self.round is not None and (home := self.round.tree.home(wish.sender)) is not None:
            tellers.add(succession(head.digest, home, frozenset(head.slow))[0])
        if self.me not in tellers:
            return []
        return [Send(wish.sender, HeadHistory(self._session, self.me, (head,)))]

    def _sources(self, head: GlobalModel) -> tuple[PeerId, ...]:
        """Whom to ask for a head's weights: down the tree, then the author, then any holder."""
        tree = self.round.sources() if self.round and self.round.base.digest == head.parent else ()
        climb = tree[tree.index(self.me) + 1 :] if self.me in tree else tree
        home = self.round.home.peers if self.round is not None else ()
        saying = self._enquiries.holders(head.key)
        contributors = tuple(c.peer for c in head.contributors)
        order = dict.fromkeys((*climb, head.author, *saying, *home, *contributors, *head.cohort))
        return tuple(peer for peer in order if peer != self.me)[:HOLDERS_MAX]


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
