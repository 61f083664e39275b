"""SharedState: where one peer stands: what it knows of its session, and the round it is in."""

from swarm.commanding.registers import CommandRegisters
from swarm.core.ids import PeerId, RoundNumber
from swarm.core.session import SessionSpec
from swarm.federation.blob_tracker import BlobTracker
from swarm.federation.branches import Branches
from swarm.federation.head_exchange import Exchange
from swarm.federation.head_holders import HeadHolders
from swarm.federation.joiners import Joiners
from swarm.federation.lineage import Lineage
from swarm.federation.presence import Presence
from swarm.federation.records import GlobalModel
from swarm.federation.round import Round


class SharedState:
    """What the parts of the machine share; each thing in it keeps its own invariants.

    Invariant: `round` is on the held head, and only `Adoption` begins another.
    """

    def __init__(self, me: PeerId, spec: SessionSpec, orders: CommandRegisters) -> None:
        self.me = me
        self.spec = spec
        self.orders = orders
        """What operators ordered, as far as this peer obeys."""
        self.lineage = Lineage(spec)
        self.round: Round | None = None
        """None as long as the held head does not name this peer."""
        self.presence = Presence()
        self.joiners = Joiners()
        self.branches = Branches(me)
        self.blobs = BlobTracker()
        self.head_holders = HeadHolders(spec.id, me)
        self.exchange = Exchange(spec.id, me, self.lineage, self.head_holders)
        self.unix_offset_s = 0.0

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
    def round_number(self) -> RoundNumber:
        """The round being worked on; 0 until a head is held."""
        return RoundNumber(self.held.round + 1 if self.held is not None else 0)

    def unix_s(self, now_s: float) -> float:
        """Seconds since 1970."""
        return now_s + self.unix_offset_s
