import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from swarm.launch.programs import Program
from swarm.launch.run_summary import (
    Outcome,
    global_accuracy,
    headline,
    make_summary,
    read_reports,
    summary_table,
    write_results,
)
from swarm.learning.datasets import ResolvedDataset
from swarm.peer.federation.best_model import best_path

OUTCOME = Outcome("abc", ResolvedDataset("digits", "digits", stand_in=False), "mlp", 12.345)


@pytest.fixture
def programs(tmp_path: Path) -> list[Program]:
    return [Program(f"peer-{k}", "swarm.peer", (), tmp_path / f"peer-{k}") for k in (1, 2)]


def leave(program: Program, model: bytes | None = None, **fields: Any) -> None:
    report = {
        "name": program.name,
        "peer_id": f"id of {program.name}",
        "session": "abc",
        "head_digest": "d1",
        "round": 3,
        "accuracy": 0.5,
        "loss": 1.5,
        "evaluated_round": 3,
        "num_test_examples": 100,
        "bytes_sent": 10,
        "bytes_received": 20,
        "blob_bytes_sent": 5,
        "num_examples": 240,
    }
    program.folder.mkdir()
    program.report.write_text(json.dumps(report | fields))
    if model is not None:
        program.model.write_bytes(model)


def test_summary_has_exactly_the_documented_fields(programs: list[Program]) -> None:
    leave(programs[0])
    leave(programs[1], accuracy=0.8, num_test_examples=50)

    summary = make_summary(OUTCOME, read_reports(programs))

    assert summary["peers"][0] == {
        "name": "peer-1",
        "peer_id": "id of peer-1",
        "head_digest": "d1",
        "round": 3,
        "accuracy": 0.5,
        "loss": 1.5,
        "evaluated_round": 3,
        "bytes_sent": 10,
        "bytes_received": 20,
        "num_examples": 240,
        "best_round": None,
        "best_accuracy": None,
        "died": False,
    }
    assert summary["global_accuracy"] == pytest.approx((0.5 * 100 + 0.8 * 50) / 150)
    assert {key: value for key, value in summary.items() if key not in ("peers",)} == {
        "session": "abc",
        "dataset": "digits",
        "dataset_label": "digits (8x8)",
        "stand_in": False,
        "model": "mlp",
        "rounds": 3,
        "wall_seconds": 12.35,
        "ending": "",
        "global_accuracy": summary["global_accuracy"],
        "best_round": 3,
        "best_accuracy": summary["global_accuracy"],
    }


def test_accuracy_of_an_older_head_does_not_count_for_the_final_one(
    programs: list[Program],
) -> None:
    leave(programs[0], evaluated_round=2)
    leave(programs[1], evaluated_round=3, accuracy=0.75)

    reports = read_reports(programs)

    assert global_accuracy(reports, 3) == 0.75
    assert global_accuracy(reports, 4) is None


def test_a_peer_without_a_report_is_listed_by_name(programs: list[Program]) -> None:
    leave(programs[0])

    summary = make_summary(OUTCOME, read_reports(programs))

    assert summary["rounds"] == 3
    assert summary["peers"][1]["name"] == "peer-2"
    assert summary["peers"][1]["round"] is None


def test_a_run_without_reports_has_no_rounds(programs: list[Program]) -> None:
    summary = make_summary(OUTCOME, read_reports(programs))

    assert summary["rounds"] == 0
    assert summary["global_accuracy"] is None


def test_the_model_comes_from_a_peer_with_the_newest_head(
    programs: list[Program], tmp_path: Path
) -> None:
    leave(programs[0], model=b"round 3")
    leave(programs[1], model=b"round 2", round=2)
    summary = make_summary(OUTCOME, read_reports(programs))

    has_model = write_results(tmp_path, summary, programs)

    assert has_model
    assert (tmp_path / "model.keras").read_bytes() == b"round 3"
    assert json.loads((tmp_path / "summary.json").read_text()) == summary


def test_the_best_model_is_kept_beside_the_last_if_it_was_better(
    programs: list[Program], tmp_path: Path
) -> None:
    leave(programs[0], model=b"round 3", accuracy=0.5, best_round=2, best_accuracy=0.6)
    leave(programs[1], model=b"round 3", accuracy=0.5, best_round=3, best_accuracy=0.5)
    best_path(programs[0].model).write_bytes(b"round 2")
    summary = make_summary(OUTCOME, read_reports(programs))

    write_results(tmp_path, summary, programs)

    assert (summary["best_round"], summary["best_accuracy"]) == (2, 0.6)
    assert (tmp_path / "model.keras").read_bytes() == b"round 3"
    assert (tmp_path / "model-best.keras").read_bytes() == b"round 2"
    assert headline(summary).endswith("test accuracy 50.00%; best after round 2: 60.00%")


@pytest.mark.parametrize(("number", "accuracy"), [(2, 0.4), (0, 0.9)])
def test_a_model_that_was_not_better_or_not_trained_is_not_kept(
    programs: list[Program], tmp_path: Path, number: int, accuracy: float
) -> None:
    leave(programs[0], model=b"round 3", best_round=number, best_accuracy=accuracy)
    best_path(programs[0].model).write_bytes(b"other")
    summary = make_summary(OUTCOME, read_reports(programs))

    write_results(tmp_path, summary, programs)

    assert (summary["best_round"], summary["best_accuracy"]) == (3, 0.5)
    assert not (tmp_path / "model-best.keras").exists()


def test_the_untrained_model_is_no_result(programs: list[Program], tmp_path: Path) -> None:
    leave(programs[0], model=b"round 0", round=0, evaluated_round=0)
    summary = make_summary(OUTCOME, read_reports(programs))

    assert not write_results(tmp_path, summary, programs)
    assert not (tmp_path / "model.keras").exists()


def test_the_table_marks_dead_peers_and_measurements_of_other_rounds(
    programs: list[Program],
) -> None:
    leave(programs[0], evaluated_round=2)
    leave(programs[1], evaluated_round=0)
    outcome = replace(OUTCOME, died=frozenset({"peer-2"}))

    table = summary_table(make_summary(outcome, read_reports(programs)))
    cells = {str(c.header): list(c.cells) for c in table.columns}

    assert cells["peer"] == ["peer-1", "peer-2 (died)"]
    assert cells["accuracy"] == ["50.0% (round 2)", ""]


def test_without_an_exported_model_only_the_summary_is_written(
    programs: list[Program], tmp_path: Path
) -> None:
    leave(programs[0])
    summary = make_summary(OUTCOME, read_reports(programs))

    has_model = write_results(tmp_path, summary, programs)

    assert not has_model
    assert not (tmp_path / "model.keras").exists()
