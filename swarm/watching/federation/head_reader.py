"""HeadReader: asks peers for heads, the newest and those of the past."""

from collections.abc import Iterable

from swarm.core.effects import Send
from swarm.core.ids import Digest, PeerId, SessionId
from swarm.core.machine import Effect
from swarm.federation.lineage import Lineage
from swarm.federation.messages import HISTORY_MAX, HeadRequest
from swarm.federation.records import HeadKey
from swarm.watching.federation.head_history import KnownHeads
from swarm.watching.federation.peer_registry import PeerRegistry


class HeadReader:
    """Asks one peer at a time, in turn, and none that is gone.

    Invariant: the same head is asked for at most once until `ask_again`.
    """

    def __init__(
        self,
        session: SessionId,
        me: PeerId,
        lineage: Lineage,
        past: KnownHeads,
        registry: PeerRegistry,
    ) -> None:
        self._session = session
        self._me = me
        self._lineage = lineage
        self._past = past
        self._registry = registry
        self._requested: set[Digest] = set()
        self._asked: dict[PeerId, None] = {}

    def add_peers(self, peers: Iterable[PeerId]) -> None:
        """Note peers that may be asked."""
        self._asked |= dict.fromkeys(peers)

    def ask_again(self) -> list[Effect]:
        """Ask for what is still missing, even if it was asked for already."""
        self._requested.clear()
        return self.ask(None) if self._lineage.held is None else self.ask_for_past()

    def note_head(self, sender: PeerId, key: HeadKey | None) -> list[Effect]:
        """Ask for the greater head that `sender` says it holds."""
        head = self._lineage.held
        if key is None or (head is not None and key <= head.key):
            return []
        self._asked = {sender: None, **self._asked}
        return self.ask(key.digest if head is not None else None)

    def ask(self, digest: Digest | None) -> list[Effect]:
        """Ask one peer for a head (the newest if None) and its ancestors."""
        peer = next((p for p in self._asked if not self._registry.is_gone(p)), None)
        if peer is None or (digest is not None and digest in self._requested):
            return []
        if digest is not None:
            self._requested.add(digest)
        self._asked.pop(peer)
        self._asked[peer] = None  # another peer next time
        return [Send(peer, HeadRequest(self._session, self._me, digest, HISTORY_MAX))]

    def ask_for_past(self) -> list[Effect]:
        """Ask for the next missing ancestor, if there is one."""
        missing = self._past.missing
        return self.ask(missing) if missing is not None else []
