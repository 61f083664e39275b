"""`python -m swarm.search`: errors for wrong input, and a whole study from a script."""

import importlib
import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import swarm
from swarm.core.errors import ConfigurationError

STUDY: dict[str, Any] = {
    "name": "iris",
    "dataset": "iris",
    "num_trials": 6,
    "models": {"knn": {"n_neighbors": {"integer": [1, 9]}}},
}

NO_PEER = ("--bootstrap", "127.0.0.1:1")


def search(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "swarm.search", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"folds": "many"}, "error: folds: must be a whole number, got 'many'"),
        ({"models": {"knn": {"n_neighbors": 0}}}, "knn"),
        ({"models": {"knn": {"neighbours": [1, 2]}}}, "neighbours"),
        ({"strategy": {"name": "halving", "eta": 3}}, "error: strategy.eta: unknown"),
        ({"strategy": "mine:Strategy"}, "started with --allow-code"),
        ({"data": "missing.npz", "dataset": "file"}, "error: data: cannot read"),
        ({"data": "missing.npz"}, "error: data: must not be given with a dataset"),
        ({"data": "missing.pkl", "dataset": "file"}, "error: data: must end in .npz, .csv, "),
        ({"data": "empty.npz", "dataset": "file"}, "empty.npz is empty"),
    ],
)
def test_a_wrong_study_is_one_line_and_exit_code_2(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    path = tmp_path / "study.json"
    path.write_text(json.dumps({**STUDY, **change}))
    (tmp_path / "empty.npz").touch()

    done = search("run", str(path), "--state", str(tmp_path / "state"), "--slots", "0")

    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert words in line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "nowhere.toml"), "error: cannot read nowhere.toml"),
        (("status",), "--bootstrap must name a peer"),
        (("resume", "nowhere"), "nowhere is not the folder of a study"),
        (("worker", "--slots", "9999"), "slots must be in 0..256, got 9999"),
        (("worker", "--log-level", "loud"), "log_level must be one of"),
        (("worker", "--ip", "nonsense"), "error: ip must be an IP address, got 'nonsense'"),
        (("status", *NO_PEER, "--timeout", "nan"), "--timeout must be more than 0 seconds"),
        (("cancel", "x", *NO_PEER, "--timeout=-1"), "--timeout must be more than 0 seconds"),
    ],
)
def test_a_wrong_command_says_what_to_change(arguments: tuple[str, ...], words: str) -> None:
    done = search(*arguments)

    assert done.returncode == 2
    assert words in done.stderr


@pytest.mark.slow
def test_a_study_file_is_parsed_by_its_ending_in_any_case(tmp_path: Path) -> None:
    for name, kind in (("study.JSON", "JSON"), ("study.Toml", "TOML")):
        (tmp_path / name).write_text('{"name": ')

        done = search("run", str(tmp_path / name), "--state", str(tmp_path / "state"))

        assert (done.returncode, f"{name} is not valid {kind}: " in done.stderr) == (2, True)


@pytest.mark.slow
@pytest.mark.network
def test_status_fails_if_no_peer_answers() -> None:
    done = search("status", *NO_PEER, "--timeout", "1")

    assert done.returncode == 1
    assert done.stderr == "error: no peer answered at 127.0.0.1:1 within 1 s\n"


def test_an_interrupted_start_ends_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib, "import_module", interrupt)

    door = Path(swarm.__file__).parent / "search" / "__main__.py"

    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(door), run_name="__main__")

    assert ended.value.code == 130


@pytest.mark.slow
@pytest.mark.network
def test_a_study_run_again_says_that_it_was_over(tmp_path: Path) -> None:
    path = tmp_path / "study.json"
    models = {"knn": {"n_neighbors": {"integer": [1, 3]}}}
    path.write_text(json.dumps({**STUDY, "models": models, "strategy": "random"}))

    first, again = (search("run", str(path), "--state", str(tmp_path / "s")) for _ in range(2))

    assert (first.returncode, again.returncode) == (0, 0)
    assert "the space has only 3 settings" in first.stderr
    assert "was over already. To search anew" not in first.stderr
    assert "was over already. To search anew" in again.stderr


@pytest.mark.slow
@pytest.mark.network
def test_a_script_submits_a_study_and_has_the_best(tmp_path: Path) -> None:
    with swarm.start_search(slots=2, state=tmp_path) as running:
        study = running.submit({**STUDY, "strategy": "bayesian"})
        best = study.wait(timeout_s=120)

        assert best is not None
        trial, result = best
        assert study.finished
        assert [found.number for found, _ in study.results] == list(range(6))
        assert result.value == max(r.value for _, r in study.results if r.value is not None)
        assert trial.values["n_neighbors"] in range(1, 10)
        with pytest.raises(ConfigurationError, match=r"^folds"):
            running.submit({**STUDY, "folds": 99})


@pytest.mark.slow
@pytest.mark.network
def test_data_of_the_submitter_is_searched_by_others(tmp_path: Path) -> None:
    rows = [f"{k % 7},{k % 3},{'even' if k % 2 else 'odd'}" for k in range(60)]
    (tmp_path / "mine.csv").write_text("\n".join(["a,b,kind", *rows]))
    study = {**STUDY, "data": "mine.csv", "target": "kind", "folds": 2}
    del study["dataset"]
    with (
        swarm.start_search(slots=0, state=tmp_path / "submits") as here,
        swarm.start_search(slots=1, state=tmp_path / "works", bootstrap=here.address),
    ):
        running = here.submit(study, folder=tmp_path)
        running.wait(timeout_s=120)

        assert len(running.results) == 6
        assert {result.state for _, result in running.results} == {"complete"}


@pytest.mark.slow
@pytest.mark.network
def test_a_study_is_cancelled_from_a_script(tmp_path: Path) -> None:
    models = {"logreg": {"C": {"float": [0.01, 100.0], "log": True}}}
    with swarm.start_search(state=tmp_path) as running:
        study = running.submit({**STUDY, "models": models, "num_trials": 10_000})
        study.wait_results(3, timeout_s=120)

        study.cancel()

        assert study.finished
        assert 3 <= len(study.results) < 10_000
