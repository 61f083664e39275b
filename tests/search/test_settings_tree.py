"""Settings are counted and found without listing them."""

from itertools import product

import pytest

from swarm.search.settings_tree import SettingsTree
from swarm.search.space import (
    CATEGORICAL,
    FLOAT,
    INTEGER,
    Condition,
    Dimension,
    ModelSpace,
)
from swarm.search.strategies.grid import GridStrategy
from swarm.search.strategies.random import RandomStrategy
from swarm.search.study import StudySpec
from swarm.search.study_ledger import StudyLedger

KERNEL = Dimension("kernel", CATEGORICAL, ("linear", "poly", "rbf"))
DEGREE = Dimension("degree", INTEGER, low=2, high=5, step=1, when=Condition("kernel", ("poly",)))
SCALE = Dimension("scale", CATEGORICAL, (True, False), when=Condition("kernel", ("poly", "rbf")))
FACTOR = Dimension("factor", FLOAT, low=1, high=2, step=0.5, when=Condition("scale", (True,)))
C = Dimension("C", CATEGORICAL, (1, 10))
DIMENSIONS = (KERNEL, DEGREE, SCALE, FACTOR, C)


def deep(layers: int) -> ModelSpace:
    """Layers of three kinds each, one of which has 61 sizes."""
    dimensions: list[Dimension] = []
    for k in range(layers):
        dense = Condition(f"kind{k}", ("dense",))
        dimensions += [
            Dimension(f"kind{k}", CATEGORICAL, ("none", "dense", "dropout")),
            Dimension(f"units{k}", INTEGER, low=4, high=64, step=1, when=dense),
        ]
    return ModelSpace("mlp", tuple(dimensions))


def test_each_place_is_another_setting_of_the_space() -> None:
    tree, space = SettingsTree(DIMENSIONS), ModelSpace("svm", DIMENSIONS)

    settings = [tree.at(place) for place in range(tree.count or 0)]

    # linear, then poly (4 degrees) and rbf, each with scale False or with 3 factors; 2 values of C
    assert tree.count == (1 + 4 * 4 + 4) * 2
    assert len({tuple(setting.items()) for setting in settings}) == len(settings)
    for setting in settings:
        space.check(tuple(sorted(setting.items())))
        assert list(setting) == [d.name for d in space.active(setting)]


def test_a_wide_space_is_counted_at_once() -> None:
    assert SettingsTree(deep(16).dimensions).count == (1 + 61 + 1) ** 16


def test_one_infinite_dimension_makes_all_settings_infinite() -> None:
    anything = Dimension("gamma", FLOAT, low=0.1, high=1, when=Condition("kernel", ("rbf",)))

    assert SettingsTree((KERNEL, anything)).count is None


def test_sizes_replace_the_dimensions_own() -> None:
    anything = Dimension("gamma", FLOAT, low=0.1, high=1)

    assert SettingsTree((KERNEL, anything), {"gamma": 7}).count == 3 * 7


def test_a_random_study_of_a_wide_space_draws_at_once() -> None:
    spec = StudySpec("wide", (deep(16),), "iris", num_trials=4)

    assert RandomStrategy(spec).ask(StudyLedger(spec)) is not None


def test_a_grid_of_a_wide_space_is_refused_with_its_size() -> None:
    spec = StudySpec("wide", (deep(16),), "iris", strategy="grid")

    with pytest.raises(ValueError, match=f"at most 100000 settings, these are {63**16}"):
        GridStrategy(spec)


def test_brute_force_agrees() -> None:
    values = [d.choices or tuple(d.value_at(k) for k in range(d.size or 0)) for d in DIMENSIONS]
    space = ModelSpace("svm", DIMENSIONS)
    listed = set()
    for chosen in product(*values):
        setting = dict(zip([d.name for d in DIMENSIONS], chosen, strict=True))
        kept: dict[str, object] = {}
        for dimension in space.active(kept):  # type: ignore[arg-type]
            kept[dimension.name] = setting[dimension.name]
        listed.add(tuple(kept.items()))

    assert len(listed) == SettingsTree(DIMENSIONS).count
