"""Damaged model files and payloads are refused or answer; `tests.fuzz.model_files` does more."""

import os
from pathlib import Path

from tests.fuzz.model_files import corpus, damaged_model, fuzz_payloads, outcome
from tests.fuzz.mutations import seeded

SEED = int(os.environ.get("FUZZ_SEED", "1"))


def test_damaged_model_files_are_refused_or_answer(tmp_path: Path) -> None:
    random = seeded(SEED)
    outcomes = set()

    for _ in range(400):
        _, kind, data = random.choice(corpus())
        outcomes.add(outcome(tmp_path / "model", damaged_model(random, data), kind))

    assert {"refused", "answers"} <= outcomes


def test_damaged_rows_and_answers_are_refused_or_taken() -> None:
    assert {"refused", "taken"} <= set(fuzz_payloads(seeded(SEED), 2_000))
