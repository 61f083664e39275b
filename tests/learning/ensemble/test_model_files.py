"""Model files of others: hostile ones are refused with a reason, before they answer."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io

from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble import model_files
from swarm.learning.ensemble.labelled import LabelledRows, read_labelled
from swarm.learning.ensemble.model_files import ModelRefusedError, load_model, save_model
from swarm.learning.ensemble.models import fit_model
from swarm.learning.ensemble.proposing import propose_spec

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)).astype(np.float32)
SPEC: EnsembleSpec = propose_spec((X, X[:, 0] - X[:, 1]), "plain").spec
ROWS: LabelledRows = read_labelled((X, X[:, 0] - X[:, 1]), SPEC)


def refused(folder: Path, data: bytes, match: str, spec: EnsembleSpec = SPEC) -> None:
    path = folder / "model"
    path.write_bytes(data)
    with pytest.raises(ModelRefusedError, match=match):
        load_model(path, spec)


def changed(learner: str, change: Callable[[Any, Any], None]) -> bytes:
    model = fit_model(ROWS, SPEC, learner, seed=0)
    encoder, estimator = (step[1] for step in model.pipeline.steps)
    change(encoder, estimator)
    return save_model(model)


def member(name: str, data: bytes, *, like: bytes = b"") -> bytes:
    """An archive with one more member, or another one of that name."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        if like:
            with zipfile.ZipFile(io.BytesIO(like)) as given:
                for each in given.namelist():
                    if each != name:
                        archive.writestr(each, given.read(each))
        archive.writestr(name, data)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("learner", "name", "value", "reason"),
    [
        ("tree", "left_", lambda v: np.where(v > 0, 0, v).astype(v.dtype), "cycle"),
        ("tree", "right_", lambda v: np.where(v > 0, 1 << 30, v).astype(v.dtype), "cycle"),
        ("tree", "feature_", lambda v: v + 7, "beyond the 3"),
        ("tree", "roots_", lambda v: v - 1, "not there"),
        ("tree", "value_", lambda v: v * np.nan, "finite"),
        ("tree", "threshold_", lambda v: v[:-1], "one entry for each node"),
        ("tree", "threshold_", lambda v: v.astype(str), "array of numbers"),
        ("ridge", "coef_", lambda v: v[:-1], "for 3 features"),
        ("ridge", "coef_", lambda v: v * np.nan, "finite"),
        ("knn", "_fit_X", lambda v: v[:, :-1], "neighbours must be float64"),
        ("knn", "_y", lambda v: v[:-1], "targets of neighbours"),
        ("knn", "n_neighbors", lambda v: 10**9, "n_neighbors"),
        ("knn", "effective_metric_params_", lambda v: {"Y_norm_squared": np.zeros(1)}, "no param"),
        ("knn", "_fit_method", lambda v: "kd_tree", "one by one"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    tmp_path: Path, learner: str, name: str, value: Callable[[Any], Any], reason: str
) -> None:
    data = changed(learner, lambda _, model: setattr(model, name, value(getattr(model, name))))

    refused(tmp_path, data, reason)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("support_vectors_", lambda v: v[:, :-1], "support vectors"),
        ("_dual_coef_", lambda v: v[:, :-1], "dual coefficients"),
        ("_n_support", lambda v: v // 2, "number of support vectors"),
        ("kernel", lambda v: "precomputed", "kernel"),
        ("_impl", lambda v: "c_svc", "'_impl' of a SVR"),
    ],
)
def test_machines_that_would_read_beyond_their_arrays_are_refused(
    tmp_path: Path, name: str, value: Callable[[Any], Any], reason: str
) -> None:
    def change(_: Any, model: Any) -> None:
        inner = model.regressor_
        setattr(inner, name, value(getattr(inner, name)))

    refused(tmp_path, changed("svm", change), reason)


def test_a_model_for_other_columns_is_refused(tmp_path: Path) -> None:
    other = propose_spec((X[:, :2], X[:, 0]), "narrow").spec

    refused(tmp_path, changed("ridge", lambda encoder, model: None), "float64 of shape", other)


def test_a_type_that_no_learner_needs_is_refused_before_it_is_made(tmp_path: Path) -> None:
    harmless = skops.io.dumps(np.random.default_rng(0))

    refused(tmp_path, harmless, "unknown type")
    for module, name, loader in (
        ("posix", "system", "FunctionNode"),
        ("builtins", "eval", "ObjectNode"),
        ("builtins", "dict", "OperatorFuncNode"),
    ):
        schema = {"__module__": module, "__class__": name, "__loader__": loader, "content": {}}
        data = member("schema.json", json.dumps(schema).encode())
        refused(tmp_path, data, f"unknown type '{module}.{name}'")


def test_an_archive_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_files, "UNPACKED_BYTES_MAX", 1 << 20)

    refused(tmp_path, member("1.npy", bytes(2 << 20)), "unpacks to 2,097,152 bytes")


def test_an_archive_that_hides_its_size_is_refused(tmp_path: Path) -> None:
    good = changed("ridge", lambda encoder, model: None)
    header = np.lib.format.magic(1, 0)
    text = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }\n"
    bomb = header + len(text).to_bytes(2, "little") + text

    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        name = next(each for each in archive.namelist() if each.endswith(".npy"))
    refused(tmp_path, member(name, bomb, like=good), "claims shape")


def test_files_that_are_no_archives_or_hold_other_members_are_refused(tmp_path: Path) -> None:
    good = changed("ridge", lambda encoder, model: None)

    refused(tmp_path, b"", "damaged")
    refused(tmp_path, good[: len(good) // 2], "damaged")
    refused(tmp_path, member("../evil.npy", b"x", like=good), "has a member")
    deep = b"[" * 100_000 + b"]" * 100_000
    refused(tmp_path, member("schema.json", deep, like=good), "damaged|nested")
