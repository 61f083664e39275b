"""Answers to one question: which members are judged by them."""

from typing import Any

import numpy as np

from swarm.core.ids import PeerId
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble.combining import combine
from swarm.learning.ensemble.judging import Verdict
from swarm.peer.ensemble.answering import ReadAnswers, judge_answers
from tests.learning.ensemble.members import NUMBERS, answer_of, owner_of


class StubDriver:
    """Notes verdicts."""

    spec: EnsembleSpec = NUMBERS

    def __init__(self) -> None:
        self.verdicts: list[Verdict] = []

    def report_verdicts(self, verdicts: list[Verdict]) -> None:
        self.verdicts += verdicts


def verdicts_on(senders: list[PeerId]) -> list[Verdict]:
    answers = tuple(answer_of(k, [1.0, np.nan]) for k in range(2))
    driver: Any = StubDriver()
    read = ReadAnswers(answers, tuple(senders), ())
    judge_answers(driver, read, combine(NUMBERS, [], answers), None)
    verdicts: list[Verdict] = driver.verdicts
    return verdicts


def test_a_member_is_judged_by_its_own_answers() -> None:
    verdicts = verdicts_on([owner_of(0), owner_of(1)])

    assert [owner for owner, _, num_off in verdicts if num_off] == [owner_of(0), owner_of(1)]


def test_an_owner_is_not_judged_by_what_a_peer_with_its_copy_sent() -> None:
    verdicts = verdicts_on([owner_of(0), owner_of(2)])

    assert [owner for owner, _, _ in verdicts] == [owner_of(0)]
