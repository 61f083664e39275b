"""A member's jobs: what they write, and what they say of models."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from swarm.core.ids import Digest, PeerId
from swarm.learning.ensemble.jobs import (
    BadRowsError,
    Place,
    Predictor,
    compare,
    fit,
    score,
    summarise,
)
from swarm.learning.ensemble.labelled import append_labelled, read_labelled
from swarm.learning.ensemble.model_files import ModelRefusedError, load_model, save_model
from swarm.learning.ensemble.payloads import decode_answers, encode_rows
from swarm.learning.ensemble.proposing import propose_spec

A, B = PeerId("a"), PeerId("b")


def houses(num_rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    area = rng.uniform(50, 200, num_rows)
    town = rng.choice(["Rome", "Oslo", "Bern"], num_rows)
    price = 1000 * area * np.where(town == "Oslo", 2, 1) * rng.lognormal(0, 0.1, num_rows)
    return pd.DataFrame({"area": area, "town": town, "price": price})


SPEC = propose_spec(houses(200, 0), "houses", target="price").spec


def place(folder: Path, me: PeerId, frame: pd.DataFrame) -> Place:
    folder = folder / me
    folder.mkdir()
    append_labelled(folder / "rows.swl", read_labelled(frame, SPEC), SPEC)
    return Place(SPEC, me, folder / "rows.swl", folder / "validation")


def test_a_fitted_model_is_better_than_the_mean_here_and_at_another_member(tmp_path: Path) -> None:
    one, other = place(tmp_path, A, houses(150, 1)), place(tmp_path, B, houses(150, 2))
    shares: list[float] = []

    result = fit(one, "ridge", tmp_path, 1.0, shares.append)
    scored = score(other, A, result.model, result.path)

    assert result.score.is_own
    assert not scored.is_own
    assert result.score.loss < 0.2 * result.score.base_loss
    assert scored.loss < 0.2 * scored.base_loss
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_a_model_that_answers_nan_is_refused_by_its_scorers(tmp_path: Path) -> None:
    one, other = place(tmp_path, A, houses(60, 1)), place(tmp_path, B, houses(60, 2))
    result = fit(one, "ridge", tmp_path, 1.0)
    model = load_model(result.path, SPEC)
    model.pipeline.steps[1][1].intercept_ = np.float64(np.nan)
    result.path.write_bytes(save_model(model))

    with pytest.raises(ModelRefusedError, match="not finite"):
        score(other, A, result.model, result.path)


def test_the_same_rows_and_seed_give_the_same_answers(tmp_path: Path) -> None:
    one = place(tmp_path, A, houses(60, 1))

    scores = {fit(one, "gbr", tmp_path, 1.0).score.loss for _ in range(2)}

    assert len(scores) == 1


def test_moments_and_residuals_are_of_rows_that_all_models_answered(tmp_path: Path) -> None:
    one, other = place(tmp_path, A, houses(90, 1)), place(tmp_path, B, houses(80, 2))
    own, theirs = fit(one, "tree", tmp_path, 1.0), fit(other, "ridge", tmp_path, 1.0)
    scores = (own.score, score(one, B, theirs.model, theirs.path))

    moments, residuals = summarise(
        one, [(A, own.model.version), (B, theirs.model.version)], scores
    )

    assert moments is not None
    assert residuals is not None
    assert moments.num_rows == residuals.num_rows == 90


def test_a_challenger_is_compared_on_rows_that_came_after_the_champion(tmp_path: Path) -> None:
    one = place(tmp_path, A, houses(60, 1))
    champion = fit(one, "dummy", tmp_path, 1.0)
    append_labelled(one.rows, read_labelled(houses(40, 3), SPEC), SPEC)
    challenger = fit(one, "ridge", tmp_path, 2.0)

    found = compare(one, champion.model, champion.path, challenger.model)

    assert found.num_recent == 40
    assert found.challenger_recent < 0.2 * found.champion_recent
    assert found.challenger_validation < 0.2 * found.champion_validation


def test_a_predictor_answers_with_loaded_versions_only(tmp_path: Path) -> None:
    result = fit(place(tmp_path, A, houses(60, 1)), "ridge", tmp_path, 1.0)
    predictor = Predictor(SPEC)
    predictor.load(result.model, result.path)
    rows = encode_rows(pd.DataFrame({"area": [100.0], "town": ["Oslo"]}), SPEC)

    answers = decode_answers(predictor.predict(result.model.version, rows), 1, 1)

    assert np.expm1(answers[0, 0]) == pytest.approx(200_000, rel=0.2)
    with pytest.raises(BadRowsError, match="missing"):
        predictor.predict(result.model.version, rows[:-1])
    predictor.keep_only([])
    with pytest.raises(Exception, match="not loaded"):
        predictor.predict(Digest(result.model.version), rows)
