"""Adoption: decides which head is adopted, and does what follows."""

import itertools

from swarm.core.effects import KeepConnected
from swarm.core.machine import Effect
from swarm.federation.announcements import Announcements
from swarm.federation.catching_up import CatchingUp
from swarm.federation.effects import Note, SaveHead
from swarm.federation.head_weights import HeadWeights
from swarm.federation.heartbeats import Heartbeats
from swarm.federation.messages import HISTORY_MAX
from swarm.federation.records import GlobalModel
from swarm.federation.round import Round
from swarm.federation.shared_state import SharedState
from swarm.federation.training import Training


class Adoption:
    """Adopts the greatest valid head whose weights are here, and begins the round on it.

    Invariant: the held head only moves up the head order, and its weights are in the store.
    """

    def __init__(
        self,
        shared: SharedState,
        heartbeats: Heartbeats,
        announcements: Announcements,
        training: Training,
        catching_up: CatchingUp,
        weights: HeadWeights,
    ) -> None:
        self._shared = shared
        self._heartbeats = heartbeats
        self._announcements = announcements
        self._training = training
        self._catching_up = catching_up
        self._weights = weights

    def adopt(self, now_s: float) -> list[Effect]:
        """Adopt the greatest valid head whose weights are here; ask for those of a greater one."""
        lineage, blobs = self._shared.lineage, self._shared.blobs
        effects: list[Effect] = []
        coming = overtaken = False
        for head in lineage.candidates():
            if blobs.has(head.blob):
                before = lineage.held
                lineage.adopt(head)
                self._shared.overtaken = False
                return effects + self.begin(head, before, now_s)
            if not coming and not blobs.absent(head.blob, now_s):
                coming, overtaken = True, not blobs.has_failed(head.blob)
                effects += self._weights.want(head, now_s)
                effects += self._heartbeats.listen_ahead(head, self._shared.round, now_s)
        self._shared.overtaken = overtaken
        return effects

    def begin(self, head: GlobalModel, before: GlobalModel | None, now_s: float) -> list[Effect]:
        """Begin the round on a head just adopted, or end the session if it is the last."""
        shared = self._shared
        lineage, branches = shared.lineage, shared.branches
        window = lineage.window(head)
        shared.joiners.forget(head.cohort)
        asked = shared.me in head.members
        current = Round(window, shared.spec, shared.me, now_s) if asked else None
        shared.round = current
        neighbours = current.neighbours if current is not None else ()
        leaving = shared.presence.watched if shared.finished else ()
        # Peers watched so far need the last head, too. A set has another order in each process.
        shared.presence.watch(dict.fromkeys((*neighbours, *leaving)), now_s)
        effects: list[Effect] = [SaveHead(head), KeepConnected(neighbours)]
        effects += self._heartbeats.listen(current)
        effects.append(Note("head", f"round {head.round} by {head.author}"))
        effects += self._heartbeats.cluster_heartbeats(current)
        effects += branches.adopted(head, before, lineage)
        effects += self._note_parting(head, before)
        shared.exchange.adopted(head, shared.unix_s(now_s))
        self._announcements.take_early(head.digest, now_s)
        if shared.finished:
            effects += branches.ended()
        elif current is not None:
            branches.claim(head, lineage)
        effects += [*self._training.begin(window), *self._catching_up.ask_to_join(now_s)]
        others = self._training.blobs() | self._announcements.blobs()
        return [*effects, self._weights.keep(head, others)]

    def _note_parting(self, head: GlobalModel, before: GlobalModel | None) -> list[Effect]:
        """Note a partition if the adopted head does not descend from the one held before.

        If the two lineages part at the head held before, and one contributor is named there by
        both, then peers heard each other: a standby also made a head of that round.
        """
        if before is None or head.parent in (before.digest, before.parent):
            return []  # a child, or a standby's head of the same round
        ours = {c.peer for c in before.contributors}
        for step in itertools.islice(self._shared.lineage.ancestors(head), HISTORY_MAX):
            sibling = step.parent == before.parent
            if step.digest == before.digest or (
                sibling and not ours.isdisjoint(c.peer for c in step.contributors)
            ):
                return []
        text = (
            f"the swarm was split: {self._shared.me} had gone on apart from {head.author} up to "
            f"round {before.round}, and follows it since round {head.round}"
        )
        return [Note("partition", text)]
