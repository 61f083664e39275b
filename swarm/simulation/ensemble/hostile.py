"""LyingMember: a member that is correct in all else and lies in its answers."""

from dataclasses import replace

from swarm.core.canonical import sha256_hex
from swarm.core.effects import Send
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event
from swarm.ensemble.member import Member
from swarm.ensemble.messages import Answer, Payload

NONSENSE = b"nonsense"


class LyingMember(Member):
    """Answers nonsense, twice, with the wrong number of rows, and for others that it did not ask.

    The lie depends on the number of the question.
    """

    def handle(self, event: Event, now_s: float) -> list[Effect]:
        """Apply one event as a member does, and change its answers."""
        effects = super().handle(event, now_s)
        return [lie for effect in effects for lie in self._lie(effect)]

    def _lie(self, effect: Effect) -> list[Effect]:
        if not isinstance(effect, Send) or not isinstance(effect.message, Answer):
            return [effect]
        answer = effect.message
        num_rows = answer.answers.num_rows
        nonsense = replace(answer, answers=Payload(num_rows, NONSENSE))
        if answer.number % 8 == 0:
            wrong = replace(answer, answers=Payload(num_rows + 1, NONSENSE))
            return [Send(effect.peer, wrong)]
        others = [
            replace(nonsense, owner=owner) for owner in self.roster.cards if owner != answer.owner
        ]
        again = replace(nonsense, version=sha256_hex(b"another"))
        every = [*others, nonsense, again] if answer.number % 2 else [nonsense]
        return [Send(PeerId(effect.peer), each) for each in every]
