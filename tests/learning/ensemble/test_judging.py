"""A lying member is found within 50 rows; honest members, weak ones too, are not accused.

Accused means here: off in more than a fifth of the rows, the share that `accused` names.
"""

from collections.abc import Callable

import numpy as np
import pytest

from swarm.learning.ensemble.answers import Floats, MemberAnswer
from swarm.learning.ensemble.combining import combine
from swarm.learning.ensemble.judging import judge
from tests.learning.ensemble.members import (
    ANIMALS,
    PRICES,
    World,
    answer_of,
    card_of,
    owner_of,
    score_of,
)

SHARE = 0.2
ROWS = 50
ERRORS = (0.12, 0.14, 0.16, 0.3)
"""The last member is honest and weak."""


def accused(world: World, answers: list[MemberAnswer], truth: Floats | None) -> set[str]:
    combined = combine(world.spec, world.cards, answers)
    return {
        str(owner)
        for owner, judged, off in judge(world.spec, combined, truth)
        if off > SHARE * max(judged, 8)
    }


@pytest.mark.parametrize("labelled", [False, True])
def test_no_honest_member_is_accused(labelled: bool) -> None:
    for seed in range(100):
        world = World(PRICES, ERRORS, seed=seed)
        truth = world.truth(ROWS)

        answers = world.ask(truth)

        assert not accused(world, answers, np.expm1(truth) if labelled else None)


LIES: dict[str, Callable[[Floats, np.random.Generator], Floats]] = {
    "prices": lambda honest, _: np.expm1(honest),
    "nan": lambda honest, _: np.full_like(honest, np.nan),
    "zero": lambda honest, _: np.zeros_like(honest),
    "random": lambda honest, rng: rng.normal(12, 0.8, honest.shape),
    "shuffled": lambda honest, rng: rng.permutation(honest),
    "doubled": lambda honest, _: honest + np.log(2),
}


@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("lie", sorted(LIES))
def test_a_lying_member_is_found_and_no_other_is_accused(lie: str, labelled: bool) -> None:
    for seed in range(50):
        world = World(PRICES, ERRORS, seed=seed)
        truth = world.truth(ROWS)
        answers = world.ask(truth)
        answers[0] = MemberAnswer(
            answers[0].owner, answers[0].version, LIES[lie](answers[0].values, world.rng)
        )

        assert accused(world, answers, np.expm1(truth) if labelled else None) == {owner_of(0)}


def test_one_good_member_beside_a_weak_one_is_not_accused_for_a_third_that_lies() -> None:
    for seed in range(50):
        world = World(PRICES, (0.12, 0.5, 0.12), seed=seed)
        answers = world.ask(world.truth(ROWS))
        answers[2] = MemberAnswer(answers[2].owner, answers[2].version, answers[2].values + 5)

        assert accused(world, answers, None) == {owner_of(2)}


def test_two_members_cannot_tell_which_of_them_is_off() -> None:
    combined = combine(PRICES, [], [answer_of(0, [12.0]), answer_of(1, [3.0])])

    assert judge(PRICES, combined) == ((owner_of(0), 0, 0), (owner_of(1), 0, 0))


def test_prices_for_logarithms_are_off_without_any_comparison() -> None:
    combined = combine(PRICES, [], [answer_of(0, [12.0, 12.0]), answer_of(1, [200_000.0, 12.0])])

    assert judge(PRICES, combined)[1] == (owner_of(1), 1, 1)


@pytest.mark.parametrize("labelled", [False, True])
def test_flipped_classes_are_found_and_unsure_ones_are_not(labelled: bool) -> None:
    for seed in range(50):
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, 3, 100)
        sure = 4 * np.eye(3)[truth] + rng.normal(size=(4, 100, 3))
        sure[3] = 0.5 * np.eye(3)[truth] + rng.normal(size=(100, 3))  # honest and weak
        stack = np.exp(sure) / np.exp(sure).sum(axis=2, keepdims=True)
        given = np.take_along_axis(stack, truth[None, :, None], axis=2)
        losses = -np.log(given).mean(axis=(1, 2))
        stack[0] = np.roll(stack[0], 1, axis=1)
        cards = [
            card_of(k, *(score_of(m, losses[m]) for m in range(4) if m != k)) for k in range(4)
        ]

        combined = combine(ANIMALS, cards, [answer_of(k, stack[k].tolist()) for k in range(4)])
        verdicts = judge(ANIMALS, combined, truth.astype(float) if labelled else None)

        shares = [off / max(judged, 8) for _, judged, off in verdicts]
        assert [share > SHARE for share in shares] == [True, False, False, False]


def test_answers_that_are_no_probabilities_are_off() -> None:
    answers = [answer_of(0, [[1, 0, 0]]), answer_of(1, [[1, 1, 1]]), answer_of(2, [[-1, 1, 1]])]

    combined = combine(ANIMALS, [], answers)

    assert [off for _, _, off in judge(ANIMALS, combined)] == [0, 1, 1]
