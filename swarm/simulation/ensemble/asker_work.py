"""AskerWork: what an asker's user and driver do: ask all the time, and judge the answers."""

import random
from collections.abc import Callable
from typing import Any

from swarm.core.ids import PeerId
from swarm.core.machine import Effect
from swarm.ensemble.effects import AnswersJudged, AskRequested, Combine, QuestionFailed
from swarm.ensemble.messages import Payload
from swarm.ensemble.trust import Verdict
from swarm.simulation.clock import Clock
from swarm.simulation.ensemble.faults import EnsembleFaults
from swarm.simulation.ensemble.member_work import answers_of
from swarm.simulation.ensemble.peers import AnswerEvent, AskerPeer

STARTS_S = (8.0, 12.0)
"""When askers start: most members have scored each other by then."""
FIRST_ASKED_AFTER_S = 3.0
JUDGED_AFTER_S = 0.01
WITHIN_S = (0.0, 0.0, 0.0, 0.5, 5.0)
"""Deadlines that users choose; 0 for that of the ensemble."""


class AskerWork:
    """Carries out the effects that only askers have."""

    def __init__(
        self, plan: EnsembleFaults, clock: Clock, chance: random.Random, answer: AnswerEvent
    ) -> None:
        self._plan = plan
        self._clock = clock
        self._chance = chance
        self._answer = answer
        self._number = 0
        """Greater in each question of all askers, as times are."""

    @property
    def carriers(self) -> dict[type[Effect], Callable[[Any, Any], None]]:
        """The function for each kind of effect."""
        return {Combine: self._combine, QuestionFailed: lambda peer, effect: None}

    def begin(self, peer: AskerPeer) -> None:
        """Begin to ask, in one life of an asker."""
        self._clock.after(FIRST_ASKED_AFTER_S, self._ask, peer, peer.life)

    def _ask(self, peer: AskerPeer, life: int) -> None:
        if not peer.alive or peer.life != life:
            return
        self._number += 1
        rows = Payload(self._chance.randint(1, self._plan.question_rows_max), b"rows")
        within_s = self._chance.choice(WITHIN_S)
        self._answer(peer, life, AskRequested(self._number, rows, within_s))
        again_s = self._chance.expovariate(self._plan.asks_per_s)
        self._clock.after(again_s, self._ask, peer, life)

    def _combine(self, peer: AskerPeer, effect: Combine) -> None:
        verdicts: list[Verdict] = []
        for answer in effect.answers:
            num_rows = answer.answers.num_rows
            is_off = answer.answers.inline != answers_of(answer.version)
            verdicts.append((answer.owner, num_rows, num_rows if is_off else 0))
        judged = AnswersJudged(tuple(verdicts))
        self._clock.after(JUDGED_AFTER_S, self._answer, peer, peer.life, judged)


def asker_names(number: int) -> tuple[PeerId, ...]:
    """Names of simulated askers."""
    return tuple(PeerId(f"asker-{k}") for k in range(number))
