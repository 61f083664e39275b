"""Combination rules, by hand where numbers are small, else against what is known of the world."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from swarm.core.errors import DataError
from swarm.ensemble.messages import MemberCard
from swarm.ensemble.records import Score
from swarm.learning.ensemble.combining import Combined, combine
from tests.learning.ensemble.members import (
    ANIMALS,
    NUMBERS,
    PRICES,
    World,
    answer_of,
    card_of,
    owner_of,
    score_of,
)


def weights_of(combined: Combined) -> list[float]:
    return [member.weight for member in combined.members]


def test_the_default_weights_a_regression_by_one_over_mse_squared() -> None:
    cards = [card_of(0, score_of(1, 0.2)), card_of(1, score_of(0, 0.1))]

    combined = combine(NUMBERS, cards, [answer_of(0, [10]), answer_of(1, [20])])

    assert weights_of(combined) == pytest.approx([0.8, 0.2])
    assert combined.values == pytest.approx([12])
    assert combined.rule == "skill"


def test_the_default_weights_classes_by_skill_over_the_base_rate() -> None:
    cards = [card_of(0, *(score_of(k, loss) for k, loss in ((1, 0.5), (2, 1.5)))), card_of(1)]
    cards.append(card_of(2, score_of(0, 0.25)))

    combined = combine(
        ANIMALS,
        cards,
        [answer_of(0, [[1, 0, 0]]), answer_of(1, [[0, 1, 0]]), answer_of(2, [[0, 0, 1]])],
    )

    assert weights_of(combined) == pytest.approx([0.6, 0.4, 0])
    assert combined.values == pytest.approx(np.array([[0.6, 0.4, 0]]))
    assert combined.spread == pytest.approx([0.4])


def test_a_model_without_skill_leaves_equal_weights_and_says_so() -> None:
    cards = [card_of(0, score_of(1, 2.0)), card_of(1, score_of(0, 3.0))]

    combined = combine(ANIMALS, cards, [answer_of(0, [[1, 0, 0]]), answer_of(1, [[0, 1, 0]])])

    assert weights_of(combined) == [0.5, 0.5]
    assert "no model is better than the base rate: equal weights" in combined.notes


def test_scores_are_pooled_in_proportion_to_rows_and_base_loss() -> None:
    """Model 1 was scored on easy rows, model 0 on hard ones: both halve the base loss."""
    cards = [card_of(0, score_of(1, 0.1, base=0.2)), card_of(1, score_of(0, 1.0, base=2.0))]

    combined = combine(NUMBERS, cards, [answer_of(0, [1]), answer_of(1, [3])])

    assert weights_of(combined) == pytest.approx([0.5, 0.5])


def test_a_model_at_home_counts_half_and_no_better_than_the_best_that_others_scored() -> None:
    cards = [
        card_of(0, score_of(1, 0.1)),
        card_of(1, score_of(0, 0.1)),
        card_of(2, score_of(2, 1e-9, is_own=True), stays_home=True),
    ]

    combined = combine(NUMBERS, cards, [answer_of(k, [k]) for k in range(3)])

    assert weights_of(combined) == pytest.approx([0.4, 0.4, 0.2])


def test_what_one_scorer_says_of_a_model_is_bounded() -> None:
    cards = [card_of(0, score_of(1, 0.1)), card_of(1, score_of(0, 0.1))]
    cards += [card_of(k, score_of(0, 0.1), score_of(1, 0.1)) for k in (2, 3)]
    liar = card_of(4, score_of(0, 1e9, num_rows=10**9), score_of(1, 0.1))

    combined = combine(NUMBERS, [*cards, liar], [answer_of(0, [1]), answer_of(1, [3])])

    assert weights_of(combined)[0] > 0.005  # not 1e-20


def test_a_score_that_claims_to_be_its_scorers_own_model_does_not_count() -> None:
    cards = [card_of(0, score_of(1, 9.0, is_own=True)), card_of(1, score_of(1, 1e-6))]
    cards.append(card_of(2, score_of(0, 0.1), score_of(1, 0.1)))

    combined = combine(NUMBERS, cards, [answer_of(0, [1]), answer_of(1, [3])])

    assert weights_of(combined) == pytest.approx([0.5, 0.5])


def honest_cards() -> list[MemberCard]:
    """Three members that scored each other's models, all equally good."""
    return [card_of(k, *(score_of(j, 0.1) for j in range(3) if j != k)) for k in range(3)]


OWN_CLAIM = score_of(3, 0.0, base=1e300, num_rows=10**9, is_own=True)


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param([OWN_CLAIM], id="an endless base loss"),
        pytest.param([OWN_CLAIM] * 100, id="the same claim many times"),
        pytest.param([score_of(3, 0.0, base=1e300)] * 100, id="as if another had scored it"),
    ],
)
def test_a_member_gets_no_weight_by_its_own_claim(claims: list[Score]) -> None:
    """The others found its model ten times worse than theirs."""
    cards = [replace(card, scores=(*card.scores, score_of(3, 1.0))) for card in honest_cards()]
    others = [score_of(k, 0.1) for k in range(3)]
    liar = card_of(3, *others, *claims)

    combined = combine(NUMBERS, [*cards, liar], [answer_of(k, [k]) for k in range(4)])

    assert weights_of(combined)[3] == pytest.approx(0.01 / 3.01)


def test_a_base_loss_that_one_scorer_claims_is_bounded() -> None:
    liar = card_of(3, score_of(0, 0.1, base=1e300), score_of(1, 0.1), score_of(2, 0.1))

    combined = combine(NUMBERS, [*honest_cards(), liar], [answer_of(k, [k]) for k in range(3)])

    assert weights_of(combined)[0] < 0.9  # not 1; a base loss of 10 counts
    assert weights_of(combined)[1] > 0.03


def test_scores_of_models_that_did_not_answer_have_no_influence() -> None:
    made_up = [score_of(k, 0.1, base=1e-9, num_rows=10**9) for k in range(10, 100)]
    liar = card_of(3, *made_up, score_of(0, 9.0, num_rows=10**9))

    combined = combine(NUMBERS, [*honest_cards(), liar], [answer_of(k, [k]) for k in range(3)])

    assert weights_of(combined)[0] > 0.01  # not 0.005


@pytest.mark.parametrize(("rule", "value"), [("mean", 40.0), ("median", 20.0)])
def test_mean_and_median_do_not_weight(rule: str, value: float) -> None:
    answers = [answer_of(0, [10]), answer_of(1, [20]), answer_of(2, [90])]

    combined = combine(replace(NUMBERS, combination=rule), [card_of(0)], answers)

    assert combined.values == pytest.approx([value])


def test_hard_vote_takes_the_majority_and_probabilities_decide_ties() -> None:
    spec = replace(ANIMALS, combination="hard")
    answers = [
        answer_of(0, [[0.9, 0.1, 0], [0.6, 0.4, 0]]),
        answer_of(1, [[0.4, 0.6, 0], [0.1, 0.9, 0]]),
        answer_of(2, [[0.4, 0.6, 0], [0.1, 0, 0.9]]),
    ]

    three = combine(spec, [], answers)
    two = combine(spec, [], answers[:2])

    assert three.values[0] == pytest.approx([1 / 3, 2 / 3, 0], abs=1e-5)
    assert two.values.argmax(axis=1).tolist() == [0, 1]  # ties, 1.3 to 0.7 and 0.7 to 1.3


def test_stacking_finds_the_weights_that_errors_deserve() -> None:
    world = World(replace(PRICES, combination="stacking"), (0.1, 0.1, 0.2), num_rows=4000)

    combined = combine(world.spec, world.cards, world.ask(world.truth(5)))

    assert combined.rule == "stacking"
    assert weights_of(combined) == pytest.approx([4 / 9, 4 / 9, 1 / 9], abs=0.03)
    without = combine(world.spec, world.cards, world.ask(world.truth(5))[1:])
    assert weights_of(without) == pytest.approx([0.8, 0.2], abs=0.04)


def test_stacking_without_moments_falls_back_to_skill_and_says_so() -> None:
    cards = [card_of(0, score_of(1, 0.2)), card_of(1, score_of(0, 0.1))]

    combined = combine(
        replace(NUMBERS, combination="stacking"), cards, [answer_of(0, [1]), answer_of(1, [2])]
    )

    assert combined.rule == "skill"
    assert "moments" in combined.notes[0]


def test_answers_are_combined_on_the_scale_of_the_transform() -> None:
    answers = [answer_of(k, np.log1p([[100.0], [400.0]][k])) for k in range(2)]

    combined = combine(replace(PRICES, combination="mean"), [], answers)

    assert combined.values == pytest.approx([np.sqrt(101 * 401) - 1])
    assert combined.spread == pytest.approx([150])
    assert combined.members[1].values == pytest.approx([400])


def test_an_answer_that_is_no_number_has_no_weight_in_its_row() -> None:
    nan = float("nan")
    answers = [answer_of(0, [12, nan, nan]), answer_of(1, [12, 12, nan])]
    answers.append(answer_of(2, [200_000, 12, nan]))  # a price, where its logarithm is due

    combined = combine(PRICES, [], answers)

    assert combined.values[:2] == pytest.approx(np.expm1([12, 12]))
    assert np.isnan(combined.values[2])
    assert "no member gave a usable answer to some rows" in combined.notes


def test_distrusted_members_are_shown_without_weight() -> None:
    combined = combine(
        NUMBERS, [], [answer_of(0, [1]), answer_of(1, [99])], distrusted=[owner_of(1)]
    )

    assert combined.values == pytest.approx([1])
    assert combined.members[1].values == pytest.approx([99])
    assert combined.members[1].weight == 0


def test_the_combination_is_better_than_the_average_member_and_near_the_best() -> None:
    world = World(PRICES, (0.1, 0.15, 0.3))
    truth = world.truth(5000)

    combined = combine(world.spec, world.cards, world.ask(truth))

    def error(values: np.ndarray) -> float:
        return float(np.sqrt(((np.log1p(values) - truth) ** 2).mean()))

    assert error(combined.values) < min(error(member.values) for member in combined.members)


@pytest.mark.parametrize(
    ("answers", "coverage", "message"),
    [
        ([], 0.9, "at least one member"),
        ([answer_of(0, [1])], 1.0, "coverage must be between 0 and 1, got 1.0"),
        ([answer_of(0, [1]), answer_of(0, [1])], 0.9, "answer once"),
        (
            [answer_of(0, [1]), answer_of(1, [1, 2])],
            0.9,
            r"must have shape \(1, 1\), got \(2, 1\)",
        ),
    ],
)
def test_what_cannot_be_combined_is_named(
    answers: list,
    coverage: float,
    message: str,  # type: ignore[type-arg]
) -> None:
    with pytest.raises(DataError, match=message):
        combine(NUMBERS, [], answers, coverage)


def test_importing_the_combination_is_light() -> None:
    code = (
        "import sys, swarm.learning.ensemble.combining, swarm.learning.ensemble.judging;"
        "print({m.split('.')[0] for m in sys.modules}"
        " & {'sklearn', 'keras', 'scipy', 'pandas', 'tensorflow', 'trio'})"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"
