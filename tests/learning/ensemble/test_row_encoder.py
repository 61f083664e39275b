"""From cells to numbers by a member's own rows, and the rule for far rows."""

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from swarm.core.errors import DataError
from swarm.learning.ensemble.compact import compact
from swarm.learning.ensemble.labelled import read_labelled
from swarm.learning.ensemble.models import fit_model
from swarm.learning.ensemble.proposing import propose_spec
from swarm.learning.ensemble.row_encoder import RowEncoder
from swarm.learning.ensemble.tree_sum import TreeSum

ROWS = pd.DataFrame(
    {
        "a": [1.0, 3.0, np.nan, 5.0],
        "b": [7.0, 7.0, 7.0, 7.0],
        "town": pd.Series(["Rome", "Rome", "Oslo", None], dtype=object),
    }
)


def test_features_are_filled_numbers_gaps_and_frequent_texts() -> None:
    encoder = RowEncoder().fit(ROWS)

    assert encoder.categories_ == [["Rome"]]
    assert encoder.transform(ROWS).tolist() == [
        [1, 7, 0, 1],
        [3, 7, 0, 1],
        [3, 7, 1, 0],
        [5, 7, 0, 0],
    ]


def test_texts_and_gaps_that_were_never_seen_are_no_error() -> None:
    encoder = RowEncoder(scale=True).fit(ROWS)
    strange = pd.DataFrame({"a": [1e100], "b": [np.nan], "town": pd.Series(["?!"], dtype=object)})

    found = encoder.transform(strange)

    assert np.isfinite(found).all()
    assert np.abs(found).max() <= 10


def test_a_member_abstains_from_rows_that_are_far_from_its_own() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=200), "b": rng.normal(size=200)})
    frame["y"] = frame["a"]
    spec = propose_spec(frame, "x", target="y", settings={"distance_max": 2.0}).spec
    model = fit_model(read_labelled(frame, spec), spec, "ridge", seed=0)

    far = read_labelled(frame.assign(a=frame["a"] + 50), spec).x
    near = read_labelled(frame, spec).x

    assert model.are_far(far)
    assert not model.are_far(near)


FORESTS = ["DecisionTree", "RandomForest", "GradientBoosting", "HistGradientBoosting"]


@pytest.mark.parametrize("name", FORESTS)
@pytest.mark.parametrize("num_classes", [0, 2, 3])
def test_a_sum_of_trees_answers_like_the_trees(name: str, num_classes: int) -> None:
    rng = np.random.default_rng(0)
    x, new = rng.normal(size=(2, 150, 4))
    y = x[:, 0] + x[:, 1]
    if num_classes:
        y = (y > 0).astype(int) + (y > 1) * (num_classes == 3)
    module = __import__(
        f"sklearn.{'tree' if name == 'DecisionTree' else 'ensemble'}", fromlist="x"
    )
    kind = "Classifier" if num_classes else "Regressor"
    answer = "predict_proba" if num_classes and name != "DecisionTree" else "predict"
    with threadpool_limits(1):  # threads that outnumber the cores take turns for a minute
        fitted = getattr(module, name + kind)(random_state=0, max_depth=4).fit(x, y)
        expected = getattr(fitted, answer)(new)

    trees = compact(fitted)

    trees.check(4)
    # A single tree's shares are smoothed, so only its classes are the same.
    np.testing.assert_allclose(getattr(trees, answer)(new), expected, atol=1e-12)


def test_a_tree_without_its_arrays_is_refused() -> None:
    with pytest.raises(DataError, match="roots_"):
        TreeSum().check(3)
