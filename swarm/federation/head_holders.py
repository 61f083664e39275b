"""HeadHolders: which peer holds which head, and which peers were asked for one."""

from swarm.core.effects import Send
from swarm.core.ids import Digest, PeerId, SessionId
from swarm.core.machine import Effect
from swarm.federation.messages import HeadRequest
from swarm.federation.records import HeadKey

ASK_AGAIN_AFTER_S = 1.0
ASKED_MAX = 64
"""Most records asked for in that time: a peer that names more is making them up."""
KEYS_MAX = 1024
"""Most peers whose newest head is remembered; those heard longest ago go first."""


class HeadHolders:
    """Asks for records of heads, and remembers which heads other peers say they hold.

    Invariants:
        In `ASK_AGAIN_AFTER_S`, a record is asked for once in all, or once of each peer that works
        on it.
        In the same time, at most `ASKED_MAX` requests are sent.
        Remembers at most `KEYS_MAX` peers.
    """

    def __init__(self, session: SessionId, me: PeerId) -> None:
        self._session = session
        self._me = me
        self._asked_s: dict[tuple[Digest | None, PeerId | None], float] = {}
        self._keys: dict[PeerId, HeadKey] = {}

    def ask(
        self,
        digest: Digest | None,
        peer: PeerId,
        now_s: float,
        count: int,
        *,
        others_too: bool = False,
    ) -> list[Effect]:
        """Ask for a head (the newest if None) and its ancestors.

        Args:
            digest: The head.
            peer: The peer to ask.
            now_s: The time.
            count: Number of records in all.
            others_too: Whether to ask this peer even if another was asked less than
                `ASK_AGAIN_AFTER_S` ago.
        """
        self._asked_s = {k: s for k, s in self._asked_s.items() if now_s - s < ASK_AGAIN_AFTER_S}
        key = digest, peer if others_too else None
        if key in self._asked_s or len(self._asked_s) >= ASKED_MAX or peer == self._me:
            return []
        self._asked_s[key] = now_s
        return [Send(peer, HeadRequest(self._session, self._me, digest, count))]

    def note(self, peer: PeerId, key: HeadKey) -> None:
        """Note which head a peer says it holds."""
        self._keys.pop(peer, None)
        self._keys[peer] = key
        if len(self._keys) > KEYS_MAX:
            del self._keys[next(iter(self._keys))]

    def holds(self, peer: PeerId, key: HeadKey) -> bool:
        """Whether a peer says it holds this head or a greater one."""
        held = self._keys.get(peer)
        return held is not None and held >= key

    def holders(self, key: HeadKey) -> tuple[PeerId, ...]:
        """Peers that say they hold exactly this head, and so have its weights."""
        return tuple(peer for peer, held in self._keys.items() if held == key)
