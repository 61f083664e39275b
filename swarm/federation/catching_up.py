"""CatchingUp: how a peer gets the heads that it missed, and a place in the cohort."""

import itertools

from swarm.core.ids import PeerId
from swarm.core.machine import Effect
from swarm.federation.join_requests import JoinRequests
from swarm.federation.messages import HeadHistory
from swarm.federation.records import GlobalModel, HeadKey
from swarm.federation.screening import Screening
from swarm.federation.shared_state import SharedState
from swarm.federation.training import Training
from swarm.federation.validity import InvalidRecordError

BACKFILL_EVERY_REPEATS = 2
"""A newcomer asks for 32 more of the earlier heads once in this many repeats."""


class CatchingUp:
    """Asks to be in the cohort, and for heads and ancestors that were missed."""

    def __init__(self, shared: SharedState, training: Training, screening: Screening) -> None:
        self._shared = shared
        self._training = training
        self._screening = screening
        self._join_requests = JoinRequests(shared.me, shared.spec)
        self._turn = itertools.count()

    def ask_to_join(self, now_s: float) -> list[Effect]:
        """Ask to be in the cohort, unless the held head names this peer."""
        shared = self._shared
        if not self._training.ready or shared.finished or self._training.busy_elsewhere:
            return []
        held, trusted = shared.held, shared.exchange.trusted
        effects = self._join_requests.ask(held, trusted, shared.branches.to_announce())
        if held is None and trusted:
            peer = trusted[next(self._turn) % len(trusted)]
            effects += shared.exchange.ask_newest(peer, now_s)
        return effects

    def widen(self, now_s: float) -> list[Effect]:
        """Ask for the ancestors that stale contributions may refer to, then for all older ones."""
        shared = self._shared
        held, exchange = shared.held, shared.exchange
        others = [p for p in held.cohort if p != shared.me] if held is not None else []
        if held is None or not others:
            return []
        turn = next(self._turn)
        peer = others[turn % len(others)]
        if shared.lineage.window(held).missing is not None:
            return exchange.ask_for_window(held, peer, now_s)
        if turn % BACKFILL_EVERY_REPEATS:
            return []
        return exchange.ask_for_past(held, peer, now_s)

    def learn(self, head: GlobalModel, now_s: float) -> list[Effect]:
        """Learn of a head from its author.

        Raises:
            InvalidRecordError: The record breaks a rule.
        """
        return self._shared.exchange.learn(head, head.author, now_s)

    def take_history(self, event: HeadHistory, now_s: float) -> list[Effect]:
        """Learn of heads that were asked for.

        Raises:
            InvalidRecordError: A head to be taken on trust breaks a rule that needs no past.
        """
        exchange, current = self._shared.exchange, self._shared.round
        effects: list[Effect] = []
        exchange.take_on_trust(event)
        for head in reversed(event.heads):
            try:
                effects += exchange.learn(head, event.sender, now_s)
            except InvalidRecordError as error:
                effects += self._screening.reject(head, error, now_s)
        exchange.take_times(event)
        if current is not None and current.window.missing is not None:
            current.widen(self._shared.lineage.window(current.base))
        return effects

    def note_head(self, sender: PeerId, key: HeadKey | None, now_s: float) -> list[Effect]:
        """Note which head a peer says it holds; get it if it is greater than the held one."""
        if key is None:
            return []
        shared = self._shared
        held = shared.held
        shared.head_holders.note(sender, key)
        if held is not None and key <= held.key:
            return []
        known = shared.lineage.get(key.digest)
        if known is None:
            return shared.exchange.ask_for_greater(sender, key, now_s)
        if held is not None and known.key <= held.key:
            return []  # the key is a lie
        return shared.blobs.want(known.blob, (sender,), 0.0, now_s)
