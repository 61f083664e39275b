"""Coverage of intervals and sets."""

from dataclasses import replace

import numpy as np
import pytest

from swarm.ensemble.records import Residuals
from swarm.learning.ensemble.combining import combine, residuals
from swarm.learning.ensemble.intervals import merged_quantile
from tests.learning.ensemble.members import (
    ANIMALS,
    PRICES,
    World,
    answer_of,
    card_of,
    owner_of,
    score_of,
    version_of,
)


def summary_of(values: np.ndarray) -> Residuals:
    quantiles = np.quantile(values, np.linspace(0, 1, 101))
    return Residuals("skill", (version_of(0),), tuple(map(float, quantiles)), len(values))


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95])
def test_intervals_contain_the_truth_as_often_as_they_say(coverage: float) -> None:
    covered = []
    for seed in range(20):
        world = World(PRICES, (0.1, 0.15, 0.3), seed=seed)
        truth = world.truth(500)
        combined = combine(world.spec, world.cards, world.ask(truth), coverage)
        assert combined.lower is not None
        assert combined.upper is not None
        assert not combined.notes
        price = np.expm1(truth)
        covered.append(((combined.lower <= price) & (price <= combined.upper)).mean())

    assert np.mean(covered) == pytest.approx(coverage, abs=0.01)


def test_summaries_merge_to_the_quantile_of_all_rows_together() -> None:
    rng = np.random.default_rng(1)
    parts = [rng.exponential(scale, size) for scale, size in ((1, 300), (3, 200), (0.5, 350))]

    merged = merged_quantile(tuple(map(summary_of, parts)), 0.9)

    assert merged == pytest.approx(np.quantile(np.concatenate(parts), 0.9), rel=0.02)


def test_the_finite_sample_correction_widens_few_rows_and_refuses_too_few() -> None:
    values = np.arange(1, 21, dtype=float)

    assert merged_quantile((summary_of(values),), 0.9) == pytest.approx(19.05, abs=0.1)
    assert merged_quantile((summary_of(values[:8]),), 0.9) is None


def test_equal_residuals_have_themselves_as_quantile() -> None:
    assert merged_quantile((summary_of(np.full(50, 0.25)),), 0.9) == pytest.approx(0.25)


def test_without_summaries_there_is_no_interval_and_the_answer_says_so() -> None:
    combined = combine(PRICES, [card_of(0)], [answer_of(0, [12])])

    assert combined.lower is None
    assert combined.notes[-1].startswith("no interval: no member has shared residuals")


def test_an_interval_made_for_other_models_says_so() -> None:
    world = World(PRICES, (0.1, 0.15, 0.3))

    combined = combine(world.spec, world.cards, world.ask(world.truth(3))[:2])

    assert combined.lower is not None
    assert "3 of 3 summaries of residuals are of other models" in combined.notes[0]


def test_sets_contain_the_true_class_as_often_as_they_say_and_are_never_empty() -> None:
    rng = np.random.default_rng(0)

    def ask(truth: np.ndarray) -> np.ndarray:
        logits = np.eye(3)[truth] + rng.normal(size=(2, len(truth), 3))
        return np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)

    models = [(owner_of(k), version_of(k)) for k in range(2)]
    scores = [score_of(0, 0.4), score_of(1, 0.4)]
    validation = rng.integers(0, 3, 1000)
    found = residuals(ANIMALS, models, scores, ask(validation), validation.astype(float))
    truth = rng.integers(0, 3, 4000)
    stack = ask(truth)

    combined = combine(
        ANIMALS,
        [card_of(2, *scores, residuals=found)],
        [answer_of(k, stack[k].tolist()) for k in range(2)],
    )

    assert combined.sets is not None
    assert combined.lower is None
    assert combined.sets.any(axis=1).all()
    assert combined.sets[np.arange(4000), truth].mean() == pytest.approx(0.9, abs=0.03)


def test_rows_that_no_model_answered_have_no_residual() -> None:
    nan = np.full((1, 4, 1), np.nan)
    models = [(owner_of(0), version_of(0))]

    assert residuals(PRICES, models, [], nan, np.zeros(4)) is None
    stack = np.array([[[1.0], [np.nan]]])
    found = residuals(replace(PRICES, combination="mean"), models, [], stack, np.zeros(2))
    assert found is not None
    assert found.num_rows == 1
