"""DrivenMember: a member under test, with its clock and everything that it asked for."""

from typing import Any, TypeVar

from swarm.core.effects import Publish, Send
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event, TimerFired
from swarm.ensemble.effects import Fitted, MemberStarted
from swarm.ensemble.member import TICK, Member
from swarm.ensemble.member_settings import DEFAULT_SETTINGS, MemberSettings
from swarm.ensemble.messages import MemberCard, Payload, Question
from swarm.ensemble.spec import EnsembleSpec
from tests.ensemble.parts import ASKER, ME, make_spec, model, payload, score

E = TypeVar("E", bound=Effect)
M = TypeVar("M", bound=Event)


class DrivenMember:
    """Hands events to a member and keeps the effects of the last call."""

    def __init__(
        self, spec: EnsembleSpec | None = None, settings: MemberSettings = DEFAULT_SETTINGS
    ) -> None:
        self.machine = Member(ME, spec or make_spec(), settings)
        self.spec = self.machine.spec
        self.now_s = 0.0
        self.last: list[Effect] = []

    def serving(self, number: int = 1) -> "DrivenMember":
        """Begin, and fit the first model."""
        self.do(MemberStarted(100))
        self.do(Fitted(1, model(number), score(ME, number, is_own=True)), at_s=1.0)
        return self

    def do(self, *events: Event, at_s: float | None = None) -> list[Effect]:
        """Hand over events, at a time or at once."""
        self.now_s = self.now_s if at_s is None else at_s
        self.last = [each for event in events for each in self.machine.handle(event, self.now_s)]
        return self.last

    def tick(self, *, at_s: float) -> list[Effect]:
        """Let the machine's timer fire."""
        return self.do(TimerFired(TICK), at_s=at_s)

    def asked(self, kind: type[E]) -> list[E]:
        """Effects of a kind that the last call asked for."""
        return [effect for effect in self.last if isinstance(effect, kind)]

    def sent(self, kind: type[M]) -> list[M]:
        """Messages of a kind that the last call sent or published."""
        messages = [each.message for each in self.last if isinstance(each, (Send, Publish))]
        return [message for message in messages if isinstance(message, kind)]

    def card(self) -> MemberCard:
        """The card that the last call published."""
        (card,) = self.sent(MemberCard)
        return card

    def question(
        self,
        number: int = 1,
        sender: PeerId = ASKER,
        rows: Payload | None = None,
        **fields: Any,
    ) -> Question:
        """A question to this member's champion, unless `fields` say otherwise."""
        fields = {"owner": ME, "version": None, "within_s": 2.0, **fields}
        return Question(self.spec.id, sender, number, rows=rows or payload(), **fields)
