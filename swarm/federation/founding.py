"""Founding: how the starter makes head 0."""

from swarm.core.effects import Publish
from swarm.core.machine import Effect, SetTimer
from swarm.federation.composing import first_head
from swarm.federation.effects import CreateWeights, WeightsCreated
from swarm.federation.joiners import SETTLED_AFTER_S
from swarm.federation.round import Sign
from swarm.federation.shared_state import Situation
from swarm.federation.topics import session_topic

FOUND = "federation.found"


class Founding:
    """The one thing that only the starter may do.

    Invariant: asks for initial weights at most once.
    """

    def __init__(self, situation: Situation, sign: Sign) -> None:
        self._situation = situation
        self._sign = sign
        self._asked = False
        self._initial: WeightsCreated | None = None

    def ready(self) -> list[Effect]:
        """The learner is there: have the starter's make the initial weights."""
        if self._asked or self._situation.spec.starter != self._situation.me:
            return []
        self._asked = True
        return [CreateWeights()]

    def created(self, event: WeightsCreated, now_s: float) -> list[Effect]:
        """The initial weights are in the store."""
        self._situation.blobs.arrived(event.blob, now_s)
        self._initial = event
        return []

    def found(self, now_s: float) -> list[Effect]:
        """Publish head 0 once enough peers wish to join and those who start together do."""
        situation = self._situation
        spec, newcomers, lineage = situation.spec, situation.newcomers, situation.lineage
        under_way = situation.held is not None or lineage.candidates()
        if self._initial is None or under_way or situation.orders.waits:
            return []
        wishing = newcomers.current(now_s)
        if len({*wishing, situation.me}) < spec.min_peers:
            return []
        if not newcomers.settled(now_s):
            return [SetTimer(FOUND, now_s + SETTLED_AFTER_S)]
        crowd = newcomers.crowd(now_s)
        head = first_head(spec, self._initial.blob, wishing, crowd, situation.me)
        head = head.signed(self._sign(head.digest))
        lineage.add(head, trusted=True)
        attached = head.blob if head.blob.is_small else None
        return [Publish(session_topic(spec.id), head, attached)]
