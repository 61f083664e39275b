"""Specs and blob references check themselves."""

import pytest

from swarm.core.blobs import BlobRef
from swarm.core.canonical import sha256_hex
from swarm.core.session import COHORT_MAX, SessionSpec


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        pytest.param({"rounds": 0}, "rounds must be at least 1", id="rounds"),
        pytest.param({"cluster_size": 1}, "cluster_size must be at least 2", id="cluster-size"),
        pytest.param({"learning_rate": 0.0}, "learning_rate must be", id="learning-rate"),
        pytest.param({"learning_rate": float("nan")}, "learning_rate must be", id="not-a-number"),
        pytest.param({"deadline_min_s": float("inf")}, "deadline_min_s must", id="endless"),
        pytest.param({"momentum": 1.0}, "momentum must be in", id="momentum"),
        pytest.param({"quorum": 0.0}, "quorum must be in", id="quorum"),
        pytest.param({"cohort_max": COHORT_MAX + 1}, "cohort_max must be", id="cohort-max"),
        pytest.param({"input_shape": (0, 3)}, "input_shape must have", id="shape"),
        pytest.param({"optimizer": "lion"}, "optimizer must be one of", id="optimizer"),
        pytest.param({"model": "file"}, "model_file must be given", id="no-model-file"),
    ],
)
def test_a_spec_names_the_value_and_the_rule_it_breaks(
    fields: dict[str, object], rule: str
) -> None:
    with pytest.raises(ValueError, match=rule):
        SessionSpec(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(("digest", "size_bytes"), [("xyz", 1), (sha256_hex(b""), 0)])
def test_a_blob_needs_a_digest_and_a_size(digest: str, size_bytes: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        BlobRef(digest, size_bytes)  # type: ignore[arg-type]
