"""Duty: one cluster that this peer aggregates, or stands by for, in one round.

Every peer in a cluster's succession has a duty for the cluster. Its place in the succession is its
term: term 0 is the aggregator, the others are standbys. A duty acts when all peers before it are
given up, or silent `term * TAKEOVER_STEP_S` seconds after they should have been done. They should
be done when the deadline is over, all inputs are announced, and their own progress has ended. A
peer whose output cannot be pulled counts as silent.

A duty that acts goes through these steps, each time the round advances:

pull       fetch the weights of members as they are announced
close      when all members are in or lost; or with a quorum, once the deadline is over and no
           member that is missing works; or with a quorum at the latest time
combine    ask the learner to gate and average the inputs
output     the combined weights; nothing more to do

A member that is lost, a straggler or rejected is not waited for. Its contribution counts all the
same if it is in time and passed the gates. A failed combination is tried again without the
rejected inputs. Duties read the round through `RoundView` and change nothing in it.
"""

import itertools
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from swarm.core.blobs import BlobRef
from swarm.core.ids import Digest, PeerId, Term, listed
from swarm.core.machine import Effect
from swarm.core.session import SessionSpec
from swarm.federation.ancestry import Window
from swarm.federation.blob_tracker import BlobTracker
from swarm.federation.branches import Mergeable
from swarm.federation.durations import Deadline
from swarm.federation.effects import Combine, CombineInput, MergeInput, Note
from swarm.federation.efforts import Efforts
from swarm.federation.messages import Contribution
from swarm.federation.records import Aggregate, GlobalModel
from swarm.federation.round_view import RoundView
from swarm.federation.tree import Cluster, duty_peers
from swarm.federation.validity import is_majority

TAKEOVER_STEP_S = 5.0
"""Each standby waits this much longer than the one before it."""
RETRY_COMBINING_AFTER_S = 1.0
"""A failed combination is tried again after this many seconds."""
STALE_SHARE = 4
"""A cluster takes one stale contribution for this many members, but at least one."""


@dataclass(slots=True)
class _Member:
    source: Contribution | Aggregate | None
    holder: PeerId | None
    lost: bool
    """Whether it is not waited for."""
    peers: tuple[PeerId, ...]
    """Peers whose progress is its own."""


class Duty:
    """Decides when to act for a cluster, whose weights to pull, and when to combine them.

    Invariants:
        Combines at most once at a time, and not again once an output exists.
        Standby k acts only while every peer before it is given up, or silent past the deadline.
    """

    def __init__(
        self,
        cluster: Cluster,
        ranking: tuple[PeerId, ...],
        me: PeerId,
        deadline: Deadline,
        *,
        is_root: bool,
        last_resort: bool = False,
    ) -> None:
        self.cluster = cluster
        self.term = Term(ranking.index(me))
        self.is_root = is_root
        self.inputs: dict[str, Contribution | Aggregate] = {}
        """What is or was combined: by peer at tier 1, by cluster above it."""
        self.merge: Mergeable | None = None
        """The branch that is or was merged."""
        self.output: BlobRef | None = None
        self.acting = False
        """Whether this peer acts for the cluster, rather than one before it in the succession."""
        self._me = me
        self._predecessors = ranking[: self.term]
        self._deadline = deadline
        self._last_resort = last_resort
        self._quorum_s = math.inf
        """When a quorum of the members had announced their work."""
        self._ready_s = math.inf
        """When all members that are waited for had announced it."""
        self._num_busy = 0
        """Heartbeats sent while this peer pulled or combined weights for the cluster."""
        self._pulling = False
        self._combining = False
        self._retry_s = float("-inf")
        self._rejected: set[Digest] = set()
        self._announced_takeover = False

    def advance(
        self, view: RoundView, blobs: BlobTracker, spec: SessionSpec, now_s: float
    ) -> list[Effect]:
        """Do what is due: pull members' weights, and combine them when the round closes."""
        if self.output is not None or self._combining or now_s < self._retry_s:
            return []
        members = self._members(view, blobs, now_s)
        self._note_announced(members, view, blobs, spec, now_s)
        self.acting = self._is_due(view, blobs, now_s)
        if not self.acting:
            self._pulling = False
            return []
        effects: list[Effect] = []
        for member in members.values():
            if member.source is not None and member.holder is not None:
                effects += blobs.want(member.source.blob, (member.holder,), 0.0, now_s)
        sources = [member.source for member in members.values() if member.source is not None]
        self._pulling = any(blobs.is_coming(source.blob) for source in sources)
        settled: dict[str, Contribution | Aggregate] = {
            name: member.source
            for name, member in members.items()
            if member.source is not None and blobs.has(member.source.blob)
        }
        stale, wanted = self._stale(view, blobs, now_s)
        effects += wanted
        inputs = dict(sorted({**settled, **stale}.items()))
        closes = self._closes(
            settled.keys(), self._awaited(members, view, blobs, now_s), spec, now_s
        )
        if inputs and closes and self._is_allowed(inputs.values(), view, spec, now_s):
            self._combining = True
            self.inputs = _timed(inputs, blobs)
            self.merge = self._mergeable(view)
            effects += [*self._note_takeover(view), self._combine(view.window)]
        return effects

    def is_turn(self, view: RoundView, blobs: BlobTracker, now_s: float) -> bool:
        """Whether this peer, as the last resort, is to listen: it cannot know more before."""
        patience_s = self._deadline.due_s + self.term * TAKEOVER_STEP_S
        return all(
            peer in view.given_up
            or (now_s >= patience_s and self._silent(peer, view, blobs, now_s))
            for peer in self._predecessors
        )

    def progress(self, efforts: Efforts, base: GlobalModel) -> float:
        """How far this duty is; what counts is whether the number grows.

        While it pulls or combines weights, which reports no progress, it grows with each call.
        """
        self._num_busy += self._pulling or self._combining
        tier, slow = self.cluster.tier, frozenset(base.slow)
        children = (duty_peers(base.digest, child, slow) for child in self.cluster.children)
        members = [*self.cluster.peers, *itertools.chain.from_iterable(children)]
        return efforts.done(members, tier - 1) + self._num_busy + (self.output is not None)

    def postpone(self, length_s: float) -> None:
        """Move all times by the length of a pause."""
        self._deadline = self._deadline.later(length_s)
        self._quorum_s += length_s
        self._ready_s += length_s

    def combined(self, blob: BlobRef, rejected: frozenset[str]) -> None:
        """Take the combined weights; `rejected` names the inputs that failed a gate."""
        self._combining = False
        self.output = blob
        self.inputs = {k: source for k, source in self.inputs.items() if k not in rejected}
        if self.merge is not None and self.merge.name in rejected:
            self.merge = None

    def failed(self, rejected: frozenset[str], now_s: float) -> None:
        """Leave the rejected inputs out, and try again a moment later."""
        self._combining = False
        self._retry_s = now_s + RETRY_COMBINING_AFTER_S
        self._rejected |= {s.blob.digest for k, s in self.inputs.items() if k in rejected}

    def _combine(self, window: Window) -> Combine:
        inputs = tuple(_input(name, source, window) for name, source in self.inputs.items())
        merge = None
        if self.merge is not None:
            merge = MergeInput(self.merge.name, self.merge.head.blob, self.merge.relation.share)
        return Combine(window.base.digest, window.base.blob, self.cluster.id, inputs, merge)

    def _mergeable(self, view: RoundView) -> Mergeable | None:
        """The branch to merge, unless an input names a contribution of it."""
        if not self.is_root or view.mergeable is None:
            return None
        named = {c.key for source in self.inputs.values() for c in source.contributors}
        clear = view.mergeable.relation.only_theirs.isdisjoint(named)
        return view.mergeable if clear else None

    def _is_allowed(
        self,
        inputs: Iterable[Contribution | Aggregate],
        view: RoundView,
        spec: SessionSpec,
        now_s: float,
    ) -> bool:
        """Whether these inputs may become a head.

        With the majority policy a head needs a majority. Besides, before the deadline a peer makes
        no head of its own work alone while the weights of a greater head are on their way: the
        others are not gone, its link is slow.
        """
        if not self.is_root:
            return True
        named = [c for source in inputs for c in source.contributors]
        overtaken = view.overtaken and now_s < self._deadline.due_s
        if overtaken and {c.peer for c in named} == {self._me}:
            return False
        return spec.partition_policy != "majority" or is_majority(
            {c.peer for c in named if c.base == view.base.digest}, view.base.cohort
        )

    def _is_due(self, view: RoundView, blobs: BlobTracker, now_s: float) -> bool:
        """Whether this peer is to act."""
        return all(
            peer in view.given_up
            or (now_s >= self._patience_s(peer, view) and self._silent(peer, view, blobs, now_s))
            for peer in self._predecessors
        )

    def _patience_s(self, predecessor: PeerId, view: RoundView) -> float:
        """Until when a predecessor is left alone. The last resort has waited for its turn."""
        progressed_s = view.efforts.grew_s(predecessor, self.cluster.tier)
        since_s = self._deadline.takeover_s(self._quorum_s, self._ready_s, progressed_s)
        return since_s + TAKEOVER_STEP_S * (1 if self._last_resort else self.term)

    def _silent(self, peer: PeerId, view: RoundView, blobs: BlobTracker, now_s: float) -> bool:
        outputs: Sequence[GlobalModel | Aggregate] = (
            view.successors if self.is_root else view.aggregates.get(self.cluster.id, ())
        )
        return not any(
            output.author == peer and not blobs.absent(output.blob, now_s) for output in outputs
        )

    def _note_takeover(self, view: RoundView) -> list[Effect]:
        """Note, once, that this peer combines what others were to combine, and why."""
        if self.term == 0 or self._announced_takeover:
            return []
        self._announced_takeover = True
        what = f"the model of round {view.base.round + 1}" if self.is_root else self.cluster.title
        lost = [peer for peer in self._predecessors if peer in view.given_up]
        late = [peer for peer in self._predecessors if peer not in view.given_up]
        reasons = [
            f"{listed(peers)}, which {reason}"
            for peers, reason in (
                (lost, "stopped answering"),
                (late, "had nothing to show in time"),
            )
            if peers
        ]
        text = f"{self._me} combined {what} instead of {', and '.join(reasons)}"
        return [Note("takeover", text, self._me)]

    def _members(self, view: RoundView, blobs: BlobTracker, now_s: float) -> Mapping[str, _Member]:
        if self.cluster.children:
            return {c.id: self._child(c, view, blobs, now_s) for c in self.cluster.children}
        return {peer: self._peer(peer, view) for peer in self.cluster.peers}

    def _peer(self, peer: PeerId, view: RoundView) -> _Member:
        contribution = view.contributions.get(peer)
        lost = peer in view.given_up or peer in view.stragglers
        if peer in view.quarantined:
            return _Member(None, None, lost=True, peers=(peer,))
        if contribution is None:
            return _Member(None, None, lost, (peer,))
        if contribution.blob.digest in self._rejected:
            return _Member(None, None, lost=True, peers=(peer,))
        return _Member(contribution, peer, lost, (peer,))

    def _child(self, child: Cluster, view: RoundView, blobs: BlobTracker, now_s: float) -> _Member:
        ranking = duty_peers(view.base.digest, child, frozenset(view.base.slow))
        lost = all(peer in view.given_up for peer in ranking)
        offers = [
            offer
            for offer in view.aggregates.get(child.id, [])
            if offer.blob.digest not in self._rejected and offer.author not in view.quarantined
        ]
        here = [offer for offer in offers if blobs.has(offer.blob)]
        coming = [offer for offer in offers if not blobs.absent(offer.blob, now_s)]
        for offer in (*here, *coming):
            return _Member(offer, offer.author, lost, ranking)
        return _Member(None, None, lost, ranking)

    def _stale(
        self, view: RoundView, blobs: BlobTracker, now_s: float
    ) -> tuple[dict[str, Contribution], list[Effect]]:
        """Stale contributions whose weights are here, together with those of their bases."""
        if self.cluster.children:
            return {}, []
        here: dict[str, Contribution] = {}
        effects: list[Effect] = []
        num_max = max(1, self.cluster.num_members // STALE_SHARE)
        for (peer, digest), contribution in sorted(view.stale.items()):
            base = view.window.find(digest)
            useless = peer in view.quarantined or contribution.blob.digest in self._rejected
            claimed = contribution.contributor.key in view.claimed
            if base is None or useless or claimed or len(here) == num_max:
                continue
            for blob in (contribution.blob, base.blob):
                effects += blobs.want(blob, (peer,), 0.0, now_s)
            if blobs.has(contribution.blob) and blobs.has(base.blob):
                here[f"{peer} on {digest[:12]}"] = contribution
        return here, effects

    def _note_announced(
        self,
        members: Mapping[str, _Member],
        view: RoundView,
        blobs: BlobTracker,
        spec: SessionSpec,
        now_s: float,
    ) -> None:
        """Note when a quorum of the members, and all that are waited for, had announced."""
        announced = {name for name, member in members.items() if member.source is not None}
        if len(announced) >= self._quorum(spec):
            self._quorum_s = min(self._quorum_s, now_s)
        awaited = self._awaited(members, view, blobs, now_s)
        if self._closes(announced, awaited, spec, now_s):
            self._ready_s = min(self._ready_s, now_s)

    def _awaited(
        self,
        members: Mapping[str, _Member],
        view: RoundView,
        blobs: BlobTracker,
        now_s: float,
    ) -> dict[str, bool]:
        """Members that are waited for until the deadline, and whether each of them works."""
        place = self.cluster.tier - 1
        return {
            name: blobs.is_coming(member.source.blob)
            if member.source is not None
            else view.efforts.works(member.peers, place, now_s)
            for name, member in members.items()
            if not member.lost
        }

    def _closes(
        self, there: Collection[str], awaited: Mapping[str, bool], spec: SessionSpec, now_s: float
    ) -> bool:
        """Whether the cluster may close with the members that are there."""
        missing = [works for name, works in awaited.items() if name not in there]
        if not missing:
            return True
        if now_s < self._deadline.due_s or len(there) < self._quorum(spec):
            return False
        return not any(missing) or now_s >= self._deadline.latest_s(self._quorum_s)

    def _quorum(self, spec: SessionSpec) -> int:
        return math.ceil(spec.quorum * self.cluster.num_members)


def _timed(
    inputs: Mapping[str, Contribution | Aggregate], blobs: BlobTracker
) -> dict[str, Contribution | Aggregate]:
    """Add to contributions the time it took to pull their weights, which only this peer knows.

    The least time of several pulls is the share of this peer's own link.
    """
    pulled = {n: s for n, s in inputs.items() if isinstance(s, Contribution)}
    took_s = {n: took for n, s in pulled.items() if (took := blobs.took_s(s.blob)) > 0}
    ours_s = min(took_s.values()) if len(took_s) > 1 else 0.0
    timed = {
        name: replace(pulled[name], transfer_s=pulled[name].transfer_s + took - ours_s)
        for name, took in took_s.items()
    }
    return {**inputs, **timed}


def _input(name: str, source: Contribution | Aggregate, window: Window) -> CombineInput:
    weight = window.weight(source.contributors)
    base = window.find(source.base)
    stale = base is not None and base is not window.base
    return CombineInput(name, source.blob, weight, base.blob if base and stale else None)
