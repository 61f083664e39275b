"""RoundView: what was announced for a round, and the view of the round that its duties read."""

from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from swarm.core.ids import ClusterId, Digest, PeerId
from swarm.federation.ancestry import Key, Window
from swarm.federation.branches import Mergeable
from swarm.federation.efforts import Efforts
from swarm.federation.messages import Contribution
from swarm.federation.records import Aggregate, GlobalModel

OFFERS_MAX = 2
"""Newest aggregates kept per author and cluster: a restarted author may have lost its first."""


class Announced:
    """The valid announcements for the round on one base head; owned by `Round`.

    Invariant: at most one contribution per key, and `OFFERS_MAX` aggregates per author and
    cluster.
    """

    def __init__(self, base: Digest) -> None:
        self._base = base
        self.contributions: dict[PeerId, Contribution] = {}
        """The first one announced by each peer of the home cluster."""
        self.stale: dict[Key, Contribution] = {}
        """Contributions of the home cluster to earlier heads, which no head names yet."""
        self.aggregates: dict[ClusterId, list[Aggregate]] = {}
        """By cluster, in order of their terms."""

    def add_contribution(self, contribution: Contribution) -> None:
        """Keep a valid contribution, unless there is one of its key already."""
        if contribution.base == self._base:
            self.contributions.setdefault(contribution.peer, contribution)
        else:
            self.stale.setdefault(contribution.contributor.key, contribution)

    def knows(self, aggregate: Aggregate) -> bool:
        """Whether exactly this aggregate was announced before."""
        offers = self.aggregates.get(aggregate.cluster, ())
        return any(offer.digest == aggregate.digest for offer in offers)

    def add_aggregate(self, aggregate: Aggregate) -> None:
        """Keep a valid aggregate; of its author's older ones keep only the newest."""
        offers = self.aggregates.setdefault(aggregate.cluster, [])
        earlier = [offer for offer in offers if offer.author == aggregate.author]
        for offer in earlier[: 1 - OFFERS_MAX]:
            offers.remove(offer)
        insort(offers, aggregate, key=lambda offer: offer.term)


@dataclass(frozen=True, slots=True)
class RoundView:
    """What a peer knows as its round advances. `Participation` builds it; duties only read it."""

    window: Window
    contributions: Mapping[PeerId, Contribution] = field(default_factory=dict)
    """As in `Announced`, like the next two."""
    stale: Mapping[Key, Contribution] = field(default_factory=dict)
    aggregates: Mapping[ClusterId, Sequence[Aggregate]] = field(default_factory=dict)
    stragglers: frozenset[PeerId] = frozenset()
    """Peers that are expected to miss the deadline; the round does not wait for them."""
    given_up: frozenset[PeerId] = frozenset()
    """Peers found lost during this round; only their contribution brings them back into it."""
    quarantined: frozenset[PeerId] = frozenset()
    """Peers whose work is not taken, because of what they sent or by an operator's command."""
    successors: tuple[GlobalModel, ...] = ()
    """Heads announced on top of the base."""
    claimed: frozenset[Key] = frozenset()
    """Contributions that known branches name: they will count with those."""
    mergeable: Mergeable | None = None
    """A branch whose weights are here, for the peer that composes the next head."""
    efforts: Efforts = field(default_factory=Efforts)
    """How far the peers of the round are, as they say."""
    overtaken: bool = False
    """Whether the weights of a greater head are on their way and no request for them failed."""

    @property
    def base(self) -> GlobalModel:
        """The head the round starts from."""
        return self.window.base
