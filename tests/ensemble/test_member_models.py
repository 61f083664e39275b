"""Champion, challenger and previous model: who answers, and when that changes."""

from dataclasses import replace

import pytest

from swarm.ensemble.effects import Compare, Compared, MemberStarted
from swarm.ensemble.member_models import COMPARE_AGAIN_S, COMPARE_EVERY_S, MemberModels
from swarm.ensemble.member_settings import MemberSettings
from swarm.ensemble.records import Comparison
from tests.ensemble.parts import ME, digest, model, score

SETTINGS = MemberSettings(shadow_rows=100, shadow_s=30.0)
EVEN = Comparison(1.0, 1.0)


def with_challenger() -> MemberModels:
    models = MemberModels(SETTINGS)
    models.take_fitted(model(1), score(ME, 1, is_own=True), 0.0)
    models.take_fitted(model(2), score(ME, 2, is_own=True), 10.0)
    return models


def compare(models: MemberModels, comparison: Comparison | None, now_s: float) -> None:
    assert models.advance(now_s) == [Compare(digest(1), digest(2))]
    models.take_comparison(Compared(digest(1), digest(2), comparison), now_s)


def test_the_first_model_answers_at_once() -> None:
    models = MemberModels(SETTINGS)

    models.take_fitted(model(1), score(ME, 1, is_own=True), 0.0)

    assert (models.champion, models.challenger, models.previous) == (model(1), None, None)


def test_a_later_model_answers_in_the_shadow() -> None:
    models = with_challenger()

    assert (models.champion, models.challenger) == (model(1), model(2))
    assert models.shadow == digest(2)


def test_a_challenger_does_not_take_over_before_its_shadow_period_is_over() -> None:
    models = with_challenger()

    compare(models, Comparison(1.0, 0.5), 39.0)

    assert models.champion == model(1)


def test_a_challenger_that_is_not_worse_takes_over_after_seconds() -> None:
    models = with_challenger()

    compare(models, EVEN, 40.0)

    assert (models.champion, models.challenger, models.previous) == (model(2), None, model(1))


def test_a_challenger_that_is_not_worse_takes_over_after_rows() -> None:
    models = with_challenger()
    models.note_shadow(digest(2), 100, 0.5)

    compare(models, EVEN, 11.0)

    assert models.champion == model(2)


@pytest.mark.parametrize(
    "worse",
    [
        pytest.param(Comparison(1.0, 1.1), id="in validation"),
        pytest.param(Comparison(1.0, 0.9, 1.0, 1.1, num_recent=10), id="on recent rows"),
    ],
)
def test_a_worse_challenger_stays_in_the_shadow(worse: Comparison) -> None:
    models = with_challenger()

    compare(models, worse, 40.0)

    assert (models.champion, models.challenger) == (model(1), model(2))


def test_a_tolerance_allows_a_slightly_worse_challenger() -> None:
    models = MemberModels(replace(SETTINGS, tolerance=0.2))
    models.take_fitted(model(1), score(ME, 1, is_own=True), 0.0)
    models.take_fitted(model(2), score(ME, 2, is_own=True), 10.0)

    compare(models, Comparison(1.0, 1.1), 40.0)

    assert models.champion == model(2)


def test_a_comparison_that_failed_decides_nothing_and_is_repeated() -> None:
    models = with_challenger()
    compare(models, None, 40.0)
    assert models.champion == model(1)
    assert models.advance(41.0) == []

    compare(models, EVEN, 40.0 + COMPARE_AGAIN_S)

    assert models.champion == model(2)


def test_a_comparison_of_other_models_decides_nothing() -> None:
    models = with_challenger()
    models.take_fitted(model(3), score(ME, 3, is_own=True), 40.0)

    models.take_comparison(Compared(digest(1), digest(2), EVEN), 100.0)

    assert models.champion == model(1)


def test_new_labelled_rows_are_compared_but_not_at_each_row() -> None:
    models = with_challenger()
    compare(models, EVEN, 10.0)

    models.want_comparison()

    assert models.advance(10.0 + COMPARE_EVERY_S / 2) == []
    assert models.advance(10.0 + COMPARE_EVERY_S) == [Compare(digest(1), digest(2))]


def test_rows_in_the_shadow_are_counted_with_their_mean_difference() -> None:
    models = with_challenger()

    models.note_shadow(digest(2), 10, 1.0)
    models.note_shadow(digest(2), 30, 2.0)
    models.note_shadow(digest(9), 30, 5.0)

    assert models.comparison == Comparison(num_shadow=40, disagreement=1.75)


def test_no_more_rows_go_to_the_shadow_than_it_needs() -> None:
    models = with_challenger()

    models.note_shadow(digest(2), 100, 1.0)

    assert models.shadow is None


def test_rollback_restores_the_previous_model_and_can_be_undone() -> None:
    models = with_challenger()
    models.promote()

    models.roll_back()
    assert (models.champion, models.previous) == (model(1), model(2))

    models.roll_back()
    assert (models.champion, models.previous) == (model(2), model(1))


def test_promote_needs_no_shadow_period() -> None:
    models = with_challenger()

    models.promote()

    assert (models.champion, models.challenger, models.previous) == (model(2), None, model(1))


def test_without_challenger_or_previous_model_orders_change_nothing() -> None:
    models = MemberModels(SETTINGS)
    models.take_fitted(model(1), score(ME, 1, is_own=True), 0.0)

    notes = models.promote() + models.roll_back()

    assert models.champion == model(1)
    assert [getattr(note, "kind", "") for note in notes] == ["not promoted", "not rolled back"]


def test_the_same_model_again_is_no_challenger() -> None:
    models = with_challenger()
    models.note_shadow(digest(2), 10, 1.0)

    models.take_fitted(model(1), score(ME, 1, is_own=True), 11.0)
    models.take_fitted(model(2), score(ME, 2, is_own=True), 12.0)

    assert (models.champion, models.challenger) == (model(1), model(2))
    assert models.comparison is not None
    assert models.comparison.num_shadow == 10


def test_the_previous_model_fitted_again_is_only_the_challenger() -> None:
    models = with_challenger()
    models.promote()

    models.take_fitted(model(1), score(ME, 1, is_own=True), 50.0)

    assert (models.champion, models.challenger, models.previous) == (model(2), model(1), None)


def test_a_restart_begins_the_shadow_period_again() -> None:
    models = MemberModels(SETTINGS)

    scores = (score(ME, 1, is_own=True), score(ME, 2, is_own=True))
    models.resume(MemberStarted(100, 5, model(1), model(2), model(3), scores=scores), 1000.0)
    compare(models, EVEN, 1029.0)

    assert (models.champion, models.challenger, models.previous) == (model(1), model(2), model(3))
    assert models.scores == scores
