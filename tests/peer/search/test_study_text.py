"""What is printed at the end of a study, and its exit code."""

from pathlib import Path

import pytest

from swarm.core.errors import ConfigurationError
from swarm.network.addresses import parse_bootstrap
from swarm.peer.search.results.comparison import compare
from swarm.peer.search.search_settings import SearchSettings
from swarm.peer.search.study_text import failures, print_left, print_outcome, resume_command
from swarm.search.study_ledger import DONE, Asked, Closed, Recorded, StudyLedger
from swarm.search.trial import COMPLETE, Trial, TrialResult, failed
from swarm.search.values import make_params
from tests.peer.search.studies_run import ME, make_study


def make_ledger(*errors: str, num_trials: int = 12) -> StudyLedger:
    """A trial for each error; an empty one stands for success."""
    spec = make_study({"knn": {"n_neighbors": {"integer": [1, 99]}}}, num_trials=num_trials)
    ledger = StudyLedger(spec)
    for number, error in enumerate(errors):
        trial = Trial(spec.id, number, "knn", make_params({"n_neighbors": number + 1}), 1, ME)
        ledger.add(Asked(trial))
        good = TrialResult(trial.id, COMPLETE, 0.5, 1.0)
        ledger.add(Recorded(failed(trial.id, error, 1.0) if error else good))
    return ledger


def test_failures_begin_with_the_first_error_and_go_on_with_the_most_frequent() -> None:
    ledger = make_ledger("first", "rare", "", "often", "often", "other", "other", "other")

    assert failures(ledger) == [
        "7 failed: first (1x)",
        "          other (3x)",
        "          often (2x)",
        "          and 1 other error",
    ]


def test_a_long_error_is_cut() -> None:
    (line,) = failures(make_ledger("x" * 400))

    assert line == f"1 failed: {'x' * 299}… (1x)"


def test_a_study_of_failures_only_says_so_and_exits_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = make_ledger("bad column", "bad column", num_trials=2)
    ledger.add(Closed(DONE, ME))

    assert print_outcome(ledger, tmp_path, "2 failed, 1 peer") == 1

    said = capsys.readouterr()
    assert said.out == "flowers: done, 2 results, no trial succeeded, 2 failed, 1 peer\n"
    assert "2 failed: bad column (2x)" in said.err
    with pytest.raises(ConfigurationError, match="the first error: bad column"):
        compare([ledger])


def test_a_study_that_its_strategy_ended_says_why_and_exits_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = make_ledger("", "")
    ledger.add(Closed("failed", ME, "strategy mine:Late: RuntimeError: kaputt"))

    assert print_outcome(ledger, tmp_path, "") == 1

    assert "ended early: strategy mine:Late: RuntimeError: kaputt" in capsys.readouterr().err


def test_a_study_without_a_result_exits_with_1(tmp_path: Path) -> None:
    ledger = make_ledger()
    ledger.add(Closed(DONE, ME))

    assert print_outcome(ledger, tmp_path, "") == 1


def test_an_exhausted_space_is_named_as_the_reason_for_fewer_trials(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = make_ledger("", "")
    ledger.add(Closed(DONE, ME))

    assert print_outcome(ledger, tmp_path, "") == 0

    assert "the space has only 2 settings" in capsys.readouterr().err


def test_a_user_who_leaves_a_study_sees_how_to_resume_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = SearchSettings(
        "10.0.0.5",
        7001,
        tmp_path,
        (parse_bootstrap("127.0.0.1:7"),),
        slots=3,
        data_dir=Path("/d"),
        allow_code=True,
    )

    assert print_left(make_ledger("", ""), resume_command(tmp_path / "a b", settings)) == 130

    assert capsys.readouterr().err == (
        "Left with 2 of 12 results, best accuracy 0.5000 (knn n_neighbors=1). Resume with: "
        f"python -m swarm.search resume '{tmp_path}/a b' --ip 10.0.0.5 --port 7001 --slots 3 "
        "--data-dir /d --bootstrap 127.0.0.1:7 --allow-code\n"
    )
