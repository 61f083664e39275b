"""Founding: how the starter makes head 0."""

from swarm.core.effects import Publish
from swarm.core.machine import Effect, SetTimer
from swarm.federation.composing import first_head
from swarm.federation.effects import CreateWeights, WeightsCreated
from swarm.federation.joiners import SETTLED_AFTER_S
from swarm.federation.round import Sign
from swarm.federation.shared_state import SharedState
from swarm.federation.topics import session_topic

FOUND = "federation.found"


class Founding:
    """Makes head 0, which only the starter may do.

    Invariant: asks for initial weights at most once.
    """

    def __init__(self, shared: SharedState, sign: Sign) -> None:
        self._shared = shared
        self._sign = sign
        self._asked = False
        self._initial: WeightsCreated | None = None

    def ready(self) -> list[Effect]:
        """Take note that the learner is there; the starter's makes the initial weights."""
        if self._asked or self._shared.spec.starter != self._shared.me:
            return []
        self._asked = True
        return [CreateWeights()]

    def created(self, event: WeightsCreated, _now_s: float) -> list[Effect]:
        """Take note that the initial weights are in the store."""
        self._initial = event
        return []

    def found(self, now_s: float) -> list[Effect]:
        """Publish head 0 once enough peers asked to join and no new ones come."""
        shared = self._shared
        spec, joiners, lineage = shared.spec, shared.joiners, shared.lineage
        under_way = shared.held is not None or lineage.candidates()
        if self._initial is None or under_way or shared.registers.waits:
            return []
        asking = joiners.current(now_s)
        if len({*asking, shared.me}) < spec.min_peers:
            return []
        if not joiners.settled(now_s):
            return [SetTimer(FOUND, now_s + SETTLED_AFTER_S)]
        number = joiners.estimated_number(now_s)
        head = first_head(spec, self._initial.blob, asking, number, shared.me)
        head = head.signed(self._sign(head.digest))
        shared.exchange.learn(head, shared.me, now_s)
        attached = head.blob if head.blob.is_small else None
        return [Publish(session_topic(spec.id), head, attached)]
