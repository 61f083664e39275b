"""Round: what one peer does between adopting a head and adopting the next.

The base head fixes the round: its cohort is cut into a tree of clusters, and each cluster has a
succession of peers that may aggregate it. A peer contributes to its home cluster at tier 1. For
each cluster on the path from there to the root it may have a `Duty`, as aggregator or standby.

A round begins when its base is adopted and ends when another head is; nothing is carried over but
the stale contributions, which are announced again. The round keeps what was announced
(`Announced`), the peers that it gave up, and its duties. It repeats its own announcements until a
head is adopted, because pubsub may lose them.

Aggregates go one tier up at a time. At the root the combined weights become the next head. A peer
of the cohort that has no duty at the root still keeps one as the last resort: it comes into play
when all peers before it are gone.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from swarm.core.blobs import BlobRef
from swarm.core.effects import Publish
from swarm.core.ids import ClusterId, Digest, PeerId, Tier
from swarm.core.machine import Effect
from swarm.core.session import SessionSpec
from swarm.federation.ancestry import Window
from swarm.federation.blob_tracker import BlobTracker
from swarm.federation.branches import Mergeable
from swarm.federation.composing import compose_aggregate, compose_head, gather
from swarm.federation.durations import Deadline, deadline_after_s, stragglers
from swarm.federation.duty import Duty
from swarm.federation.effects import Combined, CombineFailed, Note, Rejection
from swarm.federation.efforts import PROGRESS_MAX, TRAINED, Efforts, Progress
from swarm.federation.messages import Contribution
from swarm.federation.presence import Presence
from swarm.federation.records import Aggregate, Branch, GlobalModel
from swarm.federation.round_view import Announced, RoundView
from swarm.federation.topics import cluster_topic, session_topic
from swarm.federation.tree import Cluster, duty_peers, root_succession, succession
from swarm.federation.validity import check_aggregate, check_contribution, tree_of

Sign = Callable[[Digest], bytes]
"""Signs a record's digest with this peer's key."""


class Round:
    """The round on one base head, at one peer of its cohort.

    Invariants:
        The first contribution per peer counts; later ones with the same key are ignored.
        At most one head is composed here.
    """

    def __init__(self, window: Window, spec: SessionSpec, me: PeerId, now_s: float) -> None:
        base = window.base
        self.base = base
        self.mine: Contribution | None = None
        """This peer's contribution to the round, once announced."""
        self._spec = spec
        self._me = me
        self._began_s = now_s
        self._slow = frozenset(base.slow)
        self.tree = tree_of(base, spec)
        self.path = self.tree.path(me)
        limit_s = deadline_after_s(base, self.home.tier, spec)
        self.window = window
        """The base and its ancestors; it grows as missing ones become known."""
        self.announced = Announced(base.digest)
        self.efforts = Efforts()
        """How far the peers of the round are, as they say."""
        self.stragglers = stragglers(self.home.peers, window.past(), limit_s)
        self.given_up: frozenset[PeerId] = frozenset()
        """Peers found lost during this round."""
        self.duties = [
            self._duty(cluster, succession(base.digest, cluster, self._slow), now_s)
            for cluster in self.path
            if me in succession(base.digest, cluster, self._slow)
        ]
        self._last_resort: Duty | None = None
        if all(duty.cluster != self.tree.root for duty in self.duties):
            ranking = root_succession(base.digest, self.tree, self._slow)
            self._last_resort = self._duty(self.tree.root, ranking, now_s, last_resort=True)
        self._repeated: list[Publish] = []
        """Own announcements of this round, sent again until another head is adopted."""

    @property
    def home(self) -> Cluster:
        """The tier-1 cluster of this peer."""
        return self.path[0]

    @property
    def home_topic(self) -> str:
        """The topic of the home cluster."""
        return cluster_topic(self.base.session, self.home.id)

    @property
    def topics(self) -> tuple[str, ...]:
        """Topics of the home cluster and of all duties, for listening and for heartbeats."""
        clusters = {self.home.id: self.home} | {d.cluster.id: d.cluster for d in self.duties}
        return tuple(cluster_topic(self.base.session, cluster) for cluster in clusters)

    @property
    def covered_topics(self) -> frozenset[str]:
        """Topics whose listeners all hear this peer on another one of its topics as well."""
        home = set(self.home.peers)
        covered = any(
            home <= set(succession(self.base.digest, duty.cluster, self._slow))
            for duty in self.duties
            if duty.cluster.id != self.home.id
        )
        topic = cluster_topic(self.base.session, self.home.id)
        return frozenset({topic}) if covered else frozenset()

    @property
    def neighbours(self) -> tuple[PeerId, ...]:
        """Peers whose loss matters here: of the home cluster, and those that share a duty."""
        peers = set(self.home.peers)
        for duty in self.duties:
            for child in duty.cluster.children:
                peers |= set(duty_peers(self.base.digest, child, self._slow))
        return tuple(sorted(peers - {self._me}))

    def sources(self) -> tuple[PeerId, ...]:
        """Aggregators above this peer, bottom up: the first to ask for the next head's weights."""
        return tuple(
            next((p for p in ranking if p not in self.given_up), ranking[0])
            for ranking in (succession(self.base.digest, c, self._slow) for c in self.path)
        )

    def progress(self, trained: float, now_s: float) -> Progress:
        """How far this peer is, for its heartbeats: its training, then its duties by tier.

        Args:
            trained: How far its training from the base is.
            now_s: The time, from which the peer counts its own progress as heard.
        """
        trained = TRAINED if self.mine is not None else trained
        by_tier = {duty.cluster.tier: duty for duty in self.duties}
        progress = [trained]
        for tier in range(1, max(by_tier, default=0) + 1):
            self.efforts.hear(self._me, tuple(progress), now_s)
            duty = by_tier.get(Tier(tier))
            progress.append(duty.progress(self.efforts, self.base) if duty is not None else 0.0)
        return tuple(round(min(done, PROGRESS_MAX), 3) for done in progress)

    @property
    def composing(self) -> bool:
        """Whether this peer is to compose the next head."""
        return any(d.is_root and d.acting and d.output is None for d in self.duties)

    def contribute(self, contribution: Contribution) -> list[Effect]:
        """Announce an own contribution, fresh or stale, to the home cluster."""
        if contribution.base == self.base.digest:
            self.mine = contribution
        self.announced.add_contribution(contribution)
        topic = cluster_topic(self.base.session, self.home.id)
        return self._announce(Publish(topic, contribution, _small(contribution.blob)))

    def concerns(self, announcement: Contribution | Aggregate) -> bool:
        """Whether an announcement is for this round, or a stale contribution to it."""
        stale = isinstance(announcement, Contribution) and self.window.find(announcement.base)
        return bool(stale) or announcement.base == self.base.digest

    def failed_inputs(
        self, event: Combined
    ) -> list[tuple[Contribution | Aggregate | Mergeable, str]]:
        """The inputs that failed a gate, with the reasons."""
        duty = self._find(event.cluster)
        if duty is None:
            return []
        named: dict[str, Contribution | Aggregate | Mergeable] = {**duty.inputs}
        if duty.merge is not None:
            named[duty.merge.name] = duty.merge
        return [(named[r.name], r.reason) for r in event.rejected if r.name in named]

    def take(self, announcement: Contribution | Aggregate) -> bool:
        """Take an announcement; return whether it is new.

        Raises:
            InvalidRecordError: It breaks a rule.
        """
        window = self.window
        unknown = any(window.find(c.base) is None for c in announcement.contributors)
        if unknown and window.missing is not None:
            return False  # its records are still to come; it will be announced again
        if isinstance(announcement, Aggregate):
            if self.announced.knows(announcement):
                return False
            check_aggregate(announcement, window, self._spec)
            self.announced.add_aggregate(announcement)
            return True
        if not self._is_news(announcement):
            return False
        check_contribution(announcement, window, self._spec)
        self.announced.add_contribution(announcement)
        return True

    def _is_news(self, contribution: Contribution) -> bool:
        if contribution.peer not in self.home.peers:
            return False  # meant for another cluster, and delivered late
        if contribution.base == self.base.digest:
            return contribution.peer not in self.announced.contributions
        known = contribution.contributor.key in self.announced.stale
        return not known and self.window.may_apply_stale(contribution.contributor)

    def widen(self, window: Window) -> None:
        """Take the window anew, now that more ancestors of the base are known."""
        self.window = window

    def advance(
        self, view: RoundView, presence: Presence, blobs: BlobTracker, now_s: float
    ) -> list[Effect]:
        """Do what is due for each duty, from the bottom up."""
        effects: list[Effect] = []
        resort = self._last_resort
        if resort is not None and resort.is_turn(view, blobs, now_s):
            self.duties.append(resort)
            self._last_resort = None
        if lost := [peer for peer in presence.losses(now_s) if peer not in self.given_up]:
            self.given_up |= frozenset(lost)
            view = replace(view, given_up=self.given_up)
            effects += [Note("lost", presence.explain(peer), peer) for peer in lost]
        for duty in self.duties:
            effects += duty.advance(view, blobs, self._spec, now_s)
        return effects

    def combined(
        self,
        event: Combined,
        joiners: frozenset[PeerId],
        branches: tuple[Branch, ...],
        sign: Sign,
        now_s: float,
    ) -> tuple[list[Effect], GlobalModel | None]:
        """Turn combined weights into an aggregate one tier up, or into the next head."""
        duty = self._find(event.cluster)
        if duty is None:
            return [], None
        rejected = frozenset(r.name for r in event.rejected)
        if not duty.inputs.keys() - rejected:
            failed = CombineFailed(
                event.base, event.cluster, "no input passed the gates", event.rejected
            )
            return self.combine_failed(failed, now_s), None
        effects = _note_rejections(event.rejected, duty.inputs)
        duty.combined(event.blob, rejected)
        gathered = gather(duty.inputs.values(), joiners, branches, self.base)
        if duty.is_root:
            head = compose_head(self.base, duty, event.blob, gathered, self._me, self._spec)
            head = head.signed(sign(head.digest))
            effects += self._note_composed(head)
            topic = session_topic(self.base.session)
            return [*effects, Publish(topic, head, _small(head.blob))], head
        aggregate = compose_aggregate(duty, self.base, event.blob, gathered, self._me)
        aggregate = aggregate.signed(sign(aggregate.digest))
        self.announced.add_aggregate(aggregate)
        return effects + self._announce_aggregate(aggregate, duty.cluster), None

    def combine_failed(self, event: CombineFailed, now_s: float) -> list[Effect]:
        """Leave out inputs that failed a gate, and go on waiting for others."""
        duty = self._find(event.cluster)
        rejections: list[Effect] = []
        if duty is not None:
            rejections = _note_rejections(event.rejected, duty.inputs)
            duty.failed(frozenset(r.name for r in event.rejected), now_s)
        return [*rejections, Note("info", f"combining failed: {event.reason}")]

    def postpone(self, since_s: float, now_s: float) -> None:
        """Move all deadlines by the length of a pause, as far as it lies in this round.

        Args:
            since_s: When the pause began, or this peer stood still.
            now_s: When it ended.
        """
        resort = [self._last_resort] if self._last_resort is not None else []
        length_s = now_s - max(since_s, self._began_s)
        for duty in (*self.duties, *resort):
            duty.postpone(length_s)
        self.efforts.postpone(length_s, now_s)

    def repeat(self) -> list[Effect]:
        """Announce again, with references to weights only."""
        return [Publish(effect.topic, effect.message) for effect in self._repeated]

    def blobs(self) -> frozenset[BlobRef]:
        """Blobs that this round still needs."""
        offers = [offer for offers in self.announced.aggregates.values() for offer in offers]
        stale = self.announced.stale.values()
        bases = (self.window.find(c.base) for c in stale)
        return frozenset(
            [c.blob for c in (*self.announced.contributions.values(), *stale)]
            + [base.blob for base in bases if base is not None]
            + [o.blob for o in offers]
            + [duty.output for duty in self.duties if duty.output is not None]
        )

    def _note_composed(self, head: GlobalModel) -> list[Effect]:
        stale = [c for c in head.contributors if c.base != self.base.digest]
        effects: list[Effect] = []
        if stale:
            text = ", ".join(f"{c.peer} on {c.base[:12]}" for c in stale)
            effects.append(Note("folded", f"round {head.round} applies stale work of {text}"))
        for merged in head.merged:
            text = f"branch {merged.head[:12]} with {merged.num_examples} examples"
            effects.append(Note("merged", f"round {head.round} merges {text}"))
        return effects

    def _duty(
        self,
        cluster: Cluster,
        ranking: tuple[PeerId, ...],
        now_s: float,
        *,
        last_resort: bool = False,
    ) -> Duty:
        due_s = now_s + deadline_after_s(self.base, cluster.tier, self._spec)
        timed = self.base.typical_duration_s is not None
        return Duty(
            cluster,
            ranking,
            self._me,
            Deadline(now_s, due_s, timed),
            is_root=cluster == self.tree.root,
            last_resort=last_resort,
        )

    def _announce_aggregate(self, aggregate: Aggregate, cluster: Cluster) -> list[Effect]:
        """Announce to the tier above, and to standbys that do not listen there."""
        base, parent = self.base, self.tree.parent(cluster)
        topic = cluster_topic(base.session, parent.id if parent else cluster.id)
        effects = self._announce(Publish(topic, aggregate, _small(aggregate.blob)))
        ranking = succession(base.digest, cluster, self._slow)
        if len(ranking) > len(duty_peers(base.digest, cluster, self._slow)):
            effects += self._announce(Publish(cluster_topic(base.session, cluster.id), aggregate))
        return effects

    def _announce(self, effect: Publish) -> list[Effect]:
        self._repeated.append(effect)
        return [effect]

    def _find(self, cluster: ClusterId) -> Duty | None:
        return next((duty for duty in self.duties if duty.cluster.id == cluster), None)


def _small(blob: BlobRef) -> BlobRef | None:
    return blob if blob.is_small else None


def _note_rejections(
    rejected: tuple[Rejection, ...], inputs: Mapping[str, Contribution | Aggregate]
) -> list[Effect]:
    effects: list[Effect] = []
    for item in rejected:
        source = inputs.get(item.name)
        about = source.peer if isinstance(source, Contribution) else None
        late = "late " if about is not None and item.name != about else ""
        what = f"the {late}work of {about}" if about is not None else f"the input {item.name}"
        effects.append(Note("rejected", f"{what} failed a check: {item.reason}", about))
    return effects
