"""HeadWeights: which peers to ask for a head's weights, and which blobs to keep."""

import itertools

from swarm.core.blobs import BlobRef
from swarm.core.effects import BlobMissing, KeepBlobs
from swarm.core.ids import PeerId
from swarm.core.machine import Effect
from swarm.federation.records import GlobalModel
from swarm.federation.shared_state import SharedState

HOLDERS_MAX = 8
"""Most peers to ask for a blob, one after the other."""
WAIT_FOR_HOLDER_S = 2.0
"""A peer up the tree may still be fetching the weights; it may answer this many seconds late."""


class HeadWeights:
    """Brings the weights of heads down the tree, and drops blobs that are no longer needed."""

    def __init__(self, shared: SharedState) -> None:
        self._shared = shared

    def want(self, head: GlobalModel, now_s: float) -> list[Effect]:
        """Ask for the weights of a head, unless they are on their way."""
        blobs = self._shared.blobs
        if blobs.is_coming(head.blob):
            return []
        return blobs.want(head.blob, self._sources(head), WAIT_FOR_HOLDER_S, now_s)

    def missing(self, event: BlobMissing, now_s: float) -> list[Effect]:
        """Note that no peer gave a blob."""
        self._shared.blobs.missing(event.blob, now_s)
        return []

    def keep(self, head: GlobalModel, others: frozenset[BlobRef]) -> KeepBlobs:
        """Keep what the round on `head` needs, and `others`; nothing else."""
        shared = self._shared
        lineage = shared.lineage
        recent = itertools.islice(lineage.ancestors(head), 2)
        kept = {h.blob for h in recent} | others
        kept |= {h.blob for h in lineage.candidates()}
        kept |= shared.branches.blobs(lineage)
        if head.best is not None:
            kept.add(head.best.blob)
        if shared.round is not None:
            kept |= shared.round.blobs()
        if shared.spec.model_file is not None:
            kept.add(shared.spec.model_file)
        shared.blobs.keep_only(frozenset(kept))
        return KeepBlobs(frozenset(kept))

    def _sources(self, head: GlobalModel) -> tuple[PeerId, ...]:
        """Peers to ask for a head's weights: down the tree, then the author, then any holder.

        Peers that the head calls slow are left out of the tree.
        """
        current, me = self._shared.round, self._shared.me
        tree = current.sources() if current and current.base.digest == head.parent else ()
        above = tree[tree.index(me) + 1 :] if me in tree else tree
        above = tuple(peer for peer in above if peer not in head.slow)
        home = current.home.peers if current is not None else ()
        others = self._shared.head_holders.holders(head.key)
        contributors = tuple(c.peer for c in head.contributors)
        order = dict.fromkeys((*above, head.author, *others, *home, *contributors, *head.cohort))
        return tuple(peer for peer in order if peer != me)[:HOLDERS_MAX]
