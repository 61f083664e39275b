"""Founding: how the starter makes head 0."""

from swarm.core.ids import PeerId
from swarm.core.machine import Effect, SetTimer
from swarm.core.session import SessionSpec
from swarm.federation.effects import CreateWeights, WeightsCreated
from swarm.federation.messages import GlobalModel
from swarm.federation.newcomers import SETTLED_AFTER_S, Newcomers
from swarm.federation.records import first_head

FOUND = "federation.found"


class Founding:
    """The one thing that only the starter may do.

    Invariant: asks for initial weights at most once.
    """

    def __init__(self, me: PeerId, spec: SessionSpec) -> None:
        self._me = me
        self._spec = spec
        self._asked = False
        self._initial: WeightsCreated | None = None

    def ready(self) -> list[Effect]:
        """The learner is there: have the starter's make the initial weights."""
        if self._asked or self._spec.starter != self._me:
            return []
        self._asked = True
        return [CreateWeights()]

    def created(self, event: WeightsCreated) -> None:
        """The initial weights are in the store."""
        self._initial = event

    def found(self, newcomers: Newcomers, now_s: float) -> tuple[list[Effect], GlobalModel | None]:
        """Head 0, unsigned, once enough peers wish to join and those who start together do."""
        if self._initial is None:
            return [], None
        wishing = newcomers.current(now_s)
        if len({*wishing, self._me}) < self._spec.min_peers:
            return [], None
        if not newcomers.settled(now_s):
            return [SetTimer(FOUND, now_s + SETTLED_AFTER_S)], None
        crowd = newcomers.crowd(now_s)
        return [], first_head(self._spec, self._initial.blob, wishing, crowd, self._me)
