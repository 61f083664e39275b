"""StandingRequests: what the driver is to keep, serve and connect to, said when it changes."""

from swarm.core.blobs import BlobRef
from swarm.core.effects import KeepBlobs, KeepConnected
from swarm.core.ids import PeerId
from swarm.core.machine import Effect
from swarm.ensemble.effects import SaveMember, Serve
from swarm.ensemble.member_models import MemberModels
from swarm.ensemble.records import ModelRecord

CONNECTIONS_MAX = 16


class StandingRequests:
    """Invariant: each request differs from the one before it of its kind."""

    def __init__(self) -> None:
        self._saved: SaveMember | None = None
        self._served = Serve(None, None)
        self._blobs: frozenset[BlobRef] = frozenset()
        self._peers: tuple[PeerId, ...] = ()

    def save(
        self, card: int, models: MemberModels, orders: tuple[tuple[PeerId, int], ...]
    ) -> list[Effect]:
        """Save what must survive a restart."""
        state = SaveMember(
            card, models.champion, models.challenger, models.previous, orders, models.scores
        )
        if state == self._saved:
            return []
        self._saved = state
        return [state]

    def serve(self, models: MemberModels, copies: tuple[ModelRecord, ...]) -> list[Effect]:
        """Have the models ready that answer."""
        champion, challenger = models.champion, models.challenger
        served = Serve(
            champion.version if champion is not None else None,
            challenger.version if challenger is not None else None,
            copies,
        )
        if served == self._served:
            return []
        self._served = served
        return [served]

    def keep(self, models: MemberModels, blobs: frozenset[BlobRef]) -> list[Effect]:
        """Keep the own models' blobs, and these."""
        own = (model.blob for model in models.kept)
        wanted = blobs | {blob for blob in own if blob is not None}
        if wanted == self._blobs:
            return []
        self._blobs = wanted
        return [KeepBlobs(wanted)]

    def connect(self, peers: tuple[PeerId, ...]) -> list[Effect]:
        """Keep connections with the first of these peers."""
        wanted = peers[:CONNECTIONS_MAX]
        if wanted == self._peers:
            return []
        self._peers = wanted
        return [KeepConnected(wanted)]
