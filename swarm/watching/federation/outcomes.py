"""Outcomes: what became of the work of each round, as far as heads tell."""

from collections.abc import Collection, Iterator, Sequence

from swarm.core.ids import PeerId, RoundNumber, listed
from swarm.federation.ancestry import STALENESS_MAX
from swarm.federation.branches import KEPT_FOR_ADOPTIONS
from swarm.federation.records import GlobalModel


class Outcomes:
    """Looks up in the chain of heads which work counted, when, and what was merged."""

    def __init__(self, chain: Sequence[GlobalModel]) -> None:
        """Make the look-up.

        Args:
            chain: The newest head and its ancestors.
        """
        self._chain = chain

    def absent(self, number: int) -> list[PeerId] | None:
        """Peers that were asked to train in a round and are not in its model; None: not known."""
        made = self._made(number)
        if made is None:
            return None
        head, parent = made
        fresh = {c.peer for c in head.contributors if c.base == parent.digest}
        return [peer for peer in parent.cohort if peer not in fresh]

    def counted_later(self, number: int, peer: PeerId) -> int | None:
        """The later round in which a peer's work of this round counted as a stale update."""
        made = self._made(number)
        if made is None:
            return None
        base = made[1].digest
        for head in self._since(number + 1, STALENESS_MAX):
            if any(c.peer == peer and c.base == base for c in head.contributors):
                return head.round
        return None

    def merged_at(self, number: int) -> int | None:
        """The round, this or soon after, into which the work of another side was merged."""
        later = self._since(number, 1 + KEPT_FOR_ADOPTIONS)
        return next((head.round for head in later if head.merged), None)

    def is_settled(self, number: int) -> bool:
        """Whether no later head can say anything new about a round."""
        return bool(self._chain) and number + KEPT_FOR_ADOPTIONS < self._chain[0].round

    def cost(self, number: RoundNumber, peers: Collection[PeerId] | None = None) -> str:
        """Say what a round lost, of these peers' work or of all; empty while it is not known."""
        absent = self.absent(number)
        if absent is None:
            return ""
        absent = [peer for peer in absent if peers is None or peer in peers]
        late = [peer for peer in absent if self.counted_later(number, peer) is not None]
        gone = [peer for peer in absent if peer not in late]
        if gone:
            return f"the work of {listed(gone)} is missing in round {number}"
        if late:
            return f"the work of {listed(late)} counted later"
        return "nothing was lost"

    def _made(self, number: int) -> tuple[GlobalModel, GlobalModel] | None:
        place = self._chain[0].round - number if self._chain else -1
        if not 0 <= place < len(self._chain) - 1:
            return None
        return self._chain[place], self._chain[place + 1]

    def _since(self, number: int, count: int) -> Iterator[GlobalModel]:
        """Up to `count` heads, from that of this round on, oldest first."""
        newest = self._chain[0].round if self._chain else -1
        for later in range(number, min(newest, number + count - 1) + 1):
            if newest - later < len(self._chain):
                yield self._chain[newest - later]
