"""MemberCards: numbers and publishes a member's cards, its heartbeats, and its offers."""

from dataclasses import replace

from swarm.core.effects import Publish, Send
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, SetTimer
from swarm.ensemble.messages import (
    CardRequest,
    EnsembleOffer,
    EnsembleQuery,
    MemberCard,
    MemberHeartbeat,
)
from swarm.ensemble.records import NO_DRIFT
from swarm.ensemble.roster import HEARTBEAT_EVERY_S
from swarm.ensemble.spec import EnsembleSpec
from swarm.ensemble.topics import ENSEMBLES_TOPIC, ensemble_topic

CARD_TIMER = "member.card"
SPACING_S = 0.5
"""Least seconds between two cards; what changes in between comes with the next one.

Amounts that change a little all the time, as progress does, wait for `HEARTBEAT_EVERY_S`.
"""
OFFER_EVERY_HEARTBEATS = 3


class MemberCards:
    """Says to the others what this member says of itself.

    Invariants:
        Each card has a greater number than all before it, over all lives.
        A card differs from the one before it.
    """

    def __init__(self, me: PeerId, spec: EnsembleSpec) -> None:
        self.number = 0
        """Number of the newest card."""
        self._me = me
        self._spec = spec
        self._topic = ensemble_topic(spec.id)
        self._newest: MemberCard | None = None
        self._published_s = float("-inf")
        self._heartbeat_s = float("-inf")
        self._num_heartbeats = 0

    def publish_if_new(self, card: MemberCard, now_s: float) -> list[Effect]:
        """Publish a card if it says anything new; its number is filled in here."""
        spacing_s = SPACING_S
        if self._newest is not None:
            newest = replace(self._newest, number=card.number)
            if card == newest:
                return []
            if _without_amounts(card) == _without_amounts(newest):
                spacing_s = HEARTBEAT_EVERY_S
        if now_s < self._published_s + spacing_s:
            return [SetTimer(CARD_TIMER, self._published_s + spacing_s)]
        self.number += 1
        self._newest = replace(card, number=self.number)
        self._published_s = now_s
        return [Publish(self._topic, self._newest)]

    def beat_if_due(self, now_s: float) -> list[Effect]:
        """Publish a heartbeat, and now and then an offer."""
        if now_s < self._heartbeat_s + HEARTBEAT_EVERY_S:
            return []
        self._heartbeat_s = now_s
        beat = MemberHeartbeat(self._spec.id, self._me, self.number)
        asked: list[Effect] = [Publish(self._topic, beat)]
        if self._num_heartbeats % OFFER_EVERY_HEARTBEATS == 0:
            asked.append(Publish(ENSEMBLES_TOPIC, self._offer()))
        self._num_heartbeats += 1
        return asked

    def answer_query(self, query: EnsembleQuery) -> list[Effect]:
        """Offer the ensemble to a peer that asks."""
        return [Send(query.sender, self._offer())]

    def answer_request(self, request: CardRequest) -> list[Effect]:
        """Send the newest card to a peer that asks for it."""
        return [Send(request.sender, self._newest)] if self._newest is not None else []

    def _offer(self) -> EnsembleOffer:
        return EnsembleOffer(self._me, self._spec)


def _without_amounts(card: MemberCard) -> MemberCard:
    """A card without what changes a little all the time."""
    return replace(card, progress=0.0, num_rows=0, comparison=None, drift=NO_DRIFT)
