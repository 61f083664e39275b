"""HeadExchange: asks other peers for records of heads, and answers such requests."""

import itertools

from swarm.core.effects import Send
from swarm.core.ids import Digest, PeerId, SessionId
from swarm.core.machine import Effect
from swarm.federation.ancestry import STALENESS_MAX
from swarm.federation.head_holders import HeadHolders
from swarm.federation.lineage import KNOWN_MAX, Lineage
from swarm.federation.messages import HISTORY_MAX, HeadHistory, HeadRequest
from swarm.federation.records import GlobalModel, HeadKey

ENTRIES_MAX = 600
"""Most peers that the heads of one answer may list together, so that it fits in a message."""
BACKFILLED_MAX = 1024
"""A newcomer asks for earlier heads until it knows this many."""


class HeadExchange:
    """Completes a lineage from what other peers know.

    Invariant: takes records on trust only from peers that offered the session, and only the first
    answer.
    """

    def __init__(
        self, session: SessionId, me: PeerId, lineage: Lineage, head_holders: HeadHolders
    ) -> None:
        self._session = session
        self._me = me
        self._lineage = lineage
        self._head_holders = head_holders
        self._trusted: set[PeerId] = set()
        self._adopted_unix_s: dict[Digest, float] = {}

    @property
    def trusted(self) -> tuple[PeerId, ...]:
        """Peers that offered the session."""
        return tuple(sorted(self._trusted))

    def trust(self, peers: tuple[PeerId, ...]) -> None:
        """Believe the newest head of these peers, if no head is held."""
        self._trusted |= set(peers)

    def resume(self, heads: tuple[GlobalModel, ...], adopted_unix_s: tuple[float, ...]) -> None:
        """Take back what an earlier life of this peer adopted, oldest first."""
        self._lineage.resume(heads)
        for head, unix_s in zip(heads, adopted_unix_s, strict=False):
            self.adopted(head, unix_s)

    def ask_newest(self, peer: PeerId, now_s: float) -> list[Effect]:
        """Ask a peer for its head, and for ancestors to which stale contributions may refer."""
        return self._head_holders.ask(None, peer, now_s, 1 + STALENESS_MAX)

    def answer(self, request: HeadRequest) -> list[Effect]:
        """Answer with the head that was asked for, or the newest, and its ancestors."""
        newest = (
            self._lineage.held if request.digest is None else self._lineage.get(request.digest)
        )
        if newest is None:
            return []
        heads: list[GlobalModel] = []
        entries = 0
        for head in itertools.islice(
            self._lineage.ancestors(newest), min(request.count, HISTORY_MAX)
        ):
            entries += len(head.cohort) + len(head.contributors) + len(head.metrics)
            if heads and entries > ENTRIES_MAX:
                break
            heads.append(head)
        return [Send(request.sender, self.history(tuple(heads)))]

    def history(self, heads: tuple[GlobalModel, ...]) -> HeadHistory:
        """Make the message that sends these heads."""
        times = tuple(self._adopted_unix_s.get(head.digest, 0.0) for head in heads)
        return HeadHistory(self._session, self._me, heads, times if any(times) else ())

    def adopted(self, head: GlobalModel, unix_s: float) -> None:
        """Remember when a head was adopted, here or by the peer that sent it."""
        if unix_s > 0 and head.digest not in self._adopted_unix_s:
            self._adopted_unix_s[head.digest] = unix_s
            if len(self._adopted_unix_s) > KNOWN_MAX:
                del self._adopted_unix_s[next(iter(self._adopted_unix_s))]

    def take_times(self, history: HeadHistory) -> None:
        """Believe another peer's times for heads that were adopted before this peer came."""
        for head, unix_s in zip(history.heads, history.adopted_unix_s, strict=False):
            if self._lineage.get(head.digest) is not None:
                self.adopted(head, unix_s)

    def take_on_trust(self, history: HeadHistory) -> None:
        """Believe the first head of a peer that offered the session; digests prove its ancestors.

        Raises:
            InvalidRecordError: It breaks a rule that needs no past.
        """
        known = self._lineage.held is not None or self._lineage.candidates()
        if history.sender not in self._trusted or known:
            return
        for head in history.heads:
            self._lineage.add(head, trusted=head is history.heads[0])

    def learn(self, head: GlobalModel, source: PeerId, now_s: float) -> list[Effect]:
        """Learn of a head; ask `source` for the records that are missing to check a greater one.

        Raises:
            InvalidRecordError: The record breaks a rule.
        """
        if self._lineage.add(head, trusted=False) or not self._is_greater(head.key):
            return []
        missing = self._lineage.missing(head.digest)
        return self._head_holders.ask(missing, source, now_s, HISTORY_MAX) if missing else []

    def ask_for_greater(self, sender: PeerId, key: HeadKey, now_s: float) -> list[Effect]:
        """Ask for the records that are missing to know the greater head that `sender` holds."""
        if not self._is_greater(key):
            return []
        missing = self._lineage.missing(key.digest)
        if missing is None:
            return []
        count = 1 if missing == key.digest else HISTORY_MAX
        return self._head_holders.ask(missing, sender, now_s, count)

    def ask_for_base(self, base: Digest, source: PeerId, now_s: float) -> list[Effect]:
        """Ask for a head that `source` works on, if its record was missed.

        The cluster waits for a peer that misses it, so each member that works on it is asked.
        """
        if self._lineage.get(base) is not None:
            return []
        return self._head_holders.ask(base, source, now_s, 1, others_too=True)

    def ask_for_past(self, base: GlobalModel, peer: PeerId, now_s: float) -> list[Effect]:
        """Ask for older ancestors, back to head 0: this peer can then answer for the whole run."""
        chain = list(self._lineage.ancestors(base))
        missing = chain[-1].parent
        if missing is None or len(chain) >= BACKFILLED_MAX:
            return []
        return self._head_holders.ask(missing, peer, now_s, HISTORY_MAX)

    def ask_for_window(self, base: GlobalModel, peer: PeerId, now_s: float) -> list[Effect]:
        """Ask for missing ancestors to which stale contributions may refer."""
        missing = self._lineage.window(base).missing
        return self._head_holders.ask(missing, peer, now_s, STALENESS_MAX) if missing else []

    def _is_greater(self, key: HeadKey) -> bool:
        held = self._lineage.held
        return held is None or key > held.key
