"""SharedState: what the parts of the machine share, and which part changes each of them."""

from swarm.commanding.registers import CommandRegisters
from swarm.core.ids import PeerId, RoundNumber
from swarm.core.session import SessionSpec
from swarm.federation.best_head import is_last
from swarm.federation.blob_tracker import BlobTracker
from swarm.federation.branches import Branches
from swarm.federation.head_exchange import HeadExchange
from swarm.federation.head_holders import HeadHolders
from swarm.federation.joiners import Joiners
from swarm.federation.lineage import Lineage
from swarm.federation.presence import Presence
from swarm.federation.records import GlobalModel
from swarm.federation.round import Round


class SharedState:
    """What one peer knows of its session, and the round it is in.

    Every part may read all of it. Each field names the parts that change it; an object here is
    changed only through its methods and keeps its own invariants.

    Invariant: `round` is on the held head.
    """

    def __init__(self, me: PeerId, spec: SessionSpec, registers: CommandRegisters) -> None:
        self.me = me
        self.spec = spec
        self.registers = registers
        """The operators' commands that this peer obeys. Changed by `CommandFollowing`."""
        self.lineage = Lineage(spec)
        """The known heads. `HeadExchange` adds records, `Adoption` adopts."""
        self.round: Round | None = None
        """Set by `Adoption`. None while the held head does not name this peer."""
        self.overtaken = False
        """Whether the weights of a greater head are on their way and no request for them failed.
        Set by `Adoption`."""
        self.presence = Presence()
        """`Federation` notes which peers are heard or gone, `Adoption` chooses the peers to
        watch."""
        self.joiners = Joiners()
        """`Announcements` notes requests; `Adoption` and `Federation` drop peers that are in or
        gone."""
        self.branches = Branches(me)
        """`Announcements` notes what others announce, `Adoption` what this peer left,
        `Participation` what can be merged, `Screening` what failed a gate; `Adoption` and
        `Federation` end them with the session."""
        self.blobs = BlobTracker()
        """`Federation` notes arrivals, `HeadWeights` failures and what is kept; any part asks."""
        self.head_holders = HeadHolders(spec.id, me)
        """`CatchingUp` notes what peers say they hold; `HeadExchange` and `Branches` ask."""
        self.exchange = HeadExchange(spec.id, me, self.lineage, self.head_holders)
        """Remembers when heads were adopted (noted by `Adoption`) and which peers offered the
        session (by `Federation`)."""
        self.unix_offset_s = 0.0
        """Seconds since 1970 when the machine's clock was 0. Set by `Federation` at the start."""

    @property
    def held(self) -> GlobalModel | None:
        """The newest global model whose weights are here."""
        return self.lineage.held

    @property
    def finished(self) -> bool:
        """Whether the session's last head is held, or an operator stopped the session."""
        if self.held is None:
            return False
        return is_last(self.held, self.spec) or self.registers.stopped

    @property
    def round_number(self) -> RoundNumber:
        """The round being worked on; 0 until a head is held."""
        return RoundNumber(self.held.round + 1 if self.held is not None else 0)

    def unix_s(self, now_s: float) -> float:
        """Seconds since 1970."""
        return now_s + self.unix_offset_s
