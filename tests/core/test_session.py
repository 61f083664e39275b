"""Specs and blob references check themselves."""

import pytest

from swarm.core.blobs import BlobRef
from swarm.core.canonical import sha256_hex
from swarm.core.inputs import InputSpec
from swarm.core.session import COHORT_MAX, SessionSpec, score_name

TEXT = InputSpec("text", (), "string")


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        pytest.param({"rounds": 0}, "rounds must be at least 1", id="rounds"),
        pytest.param({"cluster_size": 1}, "cluster_size must be at least 2", id="cluster-size"),
        pytest.param({"learning_rate": -0.1}, "learning_rate must be", id="learning-rate"),
        pytest.param({"learning_rate": float("nan")}, "learning_rate must be", id="not-a-number"),
        pytest.param({"deadline_min_s": float("inf")}, "deadline_min_s must", id="endless"),
        pytest.param({"momentum": 1.0}, "momentum must be in", id="momentum"),
        pytest.param({"quorum": 0.0}, "quorum must be in", id="quorum"),
        pytest.param({"cohort_max": COHORT_MAX + 1}, "cohort_max must be", id="cohort-max"),
        pytest.param({"input_shape": (0, 3)}, "input_shape must have", id="shape"),
        pytest.param({"input_shape": (8.0, 8.0)}, "input_shape must have", id="fractions"),
        pytest.param({"classes": (0, 1), "num_classes": 2}, "classes must be texts", id="labels"),
        pytest.param({"inputs": (TEXT,)}, "either input_shape or inputs", id="two-shapes"),
        pytest.param({"input_shape": ()}, "either input_shape or inputs", id="no-shape"),
        pytest.param({"input_shape": (), "inputs": (TEXT, TEXT)}, "must differ", id="one-name"),
        pytest.param({"task": "clustering"}, "task must be one of", id="task"),
        pytest.param({"num_classes": 1}, "num_classes must be at least 2", id="one-class"),
        pytest.param({"classes": ("a", "b")}, "must be 10 different labels, got 2", id="classes"),
        pytest.param(
            {"classes": tuple(k * 4000 for k in "0123456789")}, "at most 32768 bytes", id="names"
        ),
        pytest.param(
            {"task": "regression", "partitioner": "dirichlet"}, "needs classes", id="partitioner"
        ),
        pytest.param({"optimizer": "lion"}, "optimizer must be one of", id="optimizer"),
        pytest.param({"model": "file"}, "model_file must be given", id="no-model-file"),
    ],
)
def test_a_spec_names_the_value_and_the_rule_it_breaks(
    fields: dict[str, object], rule: str
) -> None:
    with pytest.raises(ValueError, match=rule):
        SessionSpec(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "rule"),
    [
        ("", (3,), "float32", "name must have 1 to 64"),
        ("a b", (3,), "float32", "name must have 1 to 64"),
        ("age", (0,), "float32", "at most 8 axes of positive size"),
        ("age", (1,) * 9, "float32", "at most 8 axes of positive size"),
        ("age", (3,), "float64", "must be one of float32, int32, string"),
    ],
)
def test_an_input_names_the_value_and_the_rule_it_breaks(
    name: str, shape: tuple[int, ...], dtype: str, rule: str
) -> None:
    with pytest.raises(ValueError, match=rule):
        InputSpec(name, shape, dtype)


def test_a_session_may_regress_on_one_number_and_take_texts() -> None:
    spec = SessionSpec(input_shape=(), inputs=(TEXT,), task="regression", num_classes=1)

    assert score_name(spec.task) == "R²"


@pytest.mark.parametrize(("digest", "size_bytes"), [("xyz", 1), (sha256_hex(b""), 0)])
def test_a_blob_needs_a_digest_and_a_size(digest: str, size_bytes: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        BlobRef(digest, size_bytes)  # type: ignore[arg-type]
