"""Results of a study: its folder, tables, plots, Optuna study, comparisons."""

import csv
import io
import json
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from swarm.core.errors import ConfigurationError
from swarm.peer.host.command_line import run_command
from swarm.peer.search.ledger_file import ENTRIES, STUDY, LedgerFile, read_ledger
from swarm.peer.search.results.comparison import compare
from swarm.peer.search.results.optuna_study import export, rebuild
from swarm.peer.search.results.pages import write_pages
from swarm.peer.search.results.plots import plot_all
from swarm.peer.search.results.tables import results_csv, results_json_lines
from swarm.peer.search.results_commands import app
from swarm.search.study_ledger import Recorded, StudyLedger
from swarm.search.trial import failed
from tests.peer.search.studies_run import make_study, run_study

SVM = {
    "C": {"float": [0.01, 100.0], "log": True},
    "kernel": ["rbf", "poly"],
    "degree": {"integer": [2, 3], "when": {"kernel": "poly"}},
}
MLP = {"learning_rate_init": {"float": [0.001, 0.1], "log": True}}
PNG = b"\x89PNG\r\n"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def ledger() -> StudyLedger:
    """Twelve trials of two models, one of which failed."""
    done = run_study(make_study({"svm": SVM, "mlp": MLP}, epochs_max=3))
    spoilt = next(iter(done.results))
    entries = [
        Recorded(failed(spoilt, "=1+1 did not work", 0.5))
        if isinstance(entry, Recorded) and entry.result.trial == spoilt
        else entry
        for entry in done.entries
    ]
    return StudyLedger(done.spec, entries)


@pytest.fixture
def folder(ledger: StudyLedger, tmp_path: Path) -> Path:
    with closing(LedgerFile(tmp_path / "study", ledger.spec)) as file:
        file.add(ledger.entries)
    return tmp_path / "study"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["search", *map(str, arguments)])
        code = run_command(app, "search")
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


class TestLedgerFile:
    def test_a_folder_read_again_has_the_very_same_ledger(
        self, ledger: StudyLedger, folder: Path
    ) -> None:
        read = read_ledger(folder)

        assert read.spec == ledger.spec
        assert read.entries == ledger.entries
        assert read.checksum == ledger.checksum

    def test_a_study_goes_on_where_it_was_cut_off(self, ledger: StudyLedger, folder: Path) -> None:
        path = folder / ENTRIES
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[:5]) + lines[5][:20])

        with closing(LedgerFile(folder, ledger.spec)) as again:
            before = len(again.ledger)
            again.add(ledger.entries)

        assert before == 5
        assert read_ledger(folder).checksum == ledger.checksum

    def test_another_study_and_damage_are_refused_by_name(
        self, ledger: StudyLedger, folder: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(ConfigurationError, match="with other settings"):
            LedgerFile(folder, replace(ledger.spec, seed=9))
        with pytest.raises(ConfigurationError, match="not the folder of a study"):
            read_ledger(tmp_path)
        lines = (folder / ENTRIES).read_text().splitlines(keepends=True)
        (folder / ENTRIES).write_text("".join([lines[0], '{"kind": "Asked"}\n', *lines[1:]]))
        with pytest.raises(ConfigurationError, match="line 2 is damaged"):
            read_ledger(folder)
        (folder / STUDY).write_text("[]")
        with pytest.raises(ConfigurationError, match="damaged"):
            read_ledger(folder)


class TestTables:
    def test_csv_has_a_line_for_each_result_and_a_column_for_each_hyperparameter(
        self, ledger: StudyLedger
    ) -> None:
        text = results_csv(ledger)

        rows = list(csv.DictReader(io.StringIO(text)))
        assert [int(row["number"]) for row in rows] == list(range(12))
        assert rows[0]["error"] == "'=1+1 did not work"  # no spreadsheet takes it for a formula
        best = rows[ledger.trials[ledger.best.trial].number] if ledger.best else {}
        assert float(best["value"]) == max(float(row["value"] or 0) for row in rows)
        for row in rows:
            assert bool(row["params.C"]) == (row["model"] == "svm")
            assert bool(row["params.degree"]) == (row["params.kernel"] == "poly")

    def test_json_lines_have_curves_and_fold_values(self, ledger: StudyLedger) -> None:
        text = results_json_lines(ledger)

        rows = [json.loads(line) for line in text.splitlines()]
        assert len(rows) == 12
        networks = [row for row in rows if row["model"] == "mlp" and row["state"] == "complete"]
        assert networks
        for row in networks:
            assert [point["epoch"] for point in row["curve"]] == [1, 2, 3]
            assert len(row["fold_values"]) == 2


class TestOptuna:
    def test_it_has_the_same_trials_values_and_best_one(self, ledger: StudyLedger) -> None:
        study = rebuild(ledger)

        assert ledger.best is not None
        assert study.best_value == ledger.best.value
        assert study.best_trial.user_attrs["trial"] == ledger.best.trial
        assert [trial.state.name for trial in study.trials].count("FAIL") == 1
        assert "svm.C" in {name for trial in study.trials for name in trial.params}
        networks = [trial for trial in study.trials if trial.params["model"] == "mlp"]
        assert any(list(trial.intermediate_values) == [1, 2, 3] for trial in networks)

    def test_a_storage_has_what_the_ledger_has(self, ledger: StudyLedger, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/study.db"

        export(ledger, url, "flowers")

        loaded = optuna.load_study(study_name="flowers", storage=url)
        assert len(loaded.trials) == 12
        assert ledger.best is not None
        assert loaded.best_value == ledger.best.value
        assert loaded.user_attrs["swarm_study"] == ledger.spec.id

    def test_a_name_that_is_taken_and_a_bad_storage_are_refused(
        self, ledger: StudyLedger, tmp_path: Path
    ) -> None:
        url = f"sqlite:///{tmp_path}/study.db"
        export(ledger, url, "taken")

        for storage, text in (
            (url, "has a study 'taken' already"),
            (f"sqlite:///{tmp_path}/none/study.db", "cannot write to storage"),
            ("no url", "cannot write to storage 'no url'"),
        ):
            with pytest.raises(ConfigurationError, match=text):
                export(ledger, storage, "taken")


@pytest.mark.slow
class TestPlots:
    def test_every_plot_is_a_png_file(self, ledger: StudyLedger, tmp_path: Path) -> None:
        written = plot_all(ledger, tmp_path / "plots")

        names = {path.name for path in written}
        assert {"history.png", "curves.png", "importance-svm.png", "parallel-svm.png"} <= names
        for path in written:
            assert path.read_bytes().startswith(PNG)
            assert path.stat().st_size > 10_000

    def test_every_plot_is_a_page_that_needs_no_network(
        self, ledger: StudyLedger, tmp_path: Path
    ) -> None:
        plots = plot_all(ledger, tmp_path)

        written = write_pages(ledger, tmp_path)

        assert [path.stem for path in written] == [path.stem for path in plots]
        for path in written:
            text = path.read_text()
            assert '<script charset="utf-8" src="plotly.min.js">' in text
            assert "cdn.plot.ly" not in text
        assert (tmp_path / "plotly.min.js").stat().st_size > 1_000_000
        curves = (tmp_path / "curves.html").read_text()
        assert curves.count("learning_rate_init=") >= 3  # each trial says what it tried

    def test_without_plotly_the_error_says_what_to_do(
        self, ledger: StudyLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "plotly", None)

        with pytest.raises(ConfigurationError, match=r"pip install 'swarm\[html\]'"):
            write_pages(ledger, tmp_path)

    @pytest.mark.parametrize("write", [plot_all, write_pages])
    def test_without_a_complete_trial_there_is_nothing_to_plot(
        self, ledger: StudyLedger, tmp_path: Path, write: Callable[..., list[Path]]
    ) -> None:
        with pytest.raises(ConfigurationError, match="no complete trial"):
            write(StudyLedger(ledger.spec), tmp_path)


class TestComparison:
    def test_models_of_studies_are_ranked_by_their_best_trial(self, ledger: StudyLedger) -> None:
        other = run_study(make_study({"dtree": {"max_depth": [1]}}, name="other", num_trials=1))

        rows = compare([ledger, other])

        assert [row.value for row in rows] == sorted((row.value for row in rows), reverse=True)
        assert {(row.study, row.model) for row in rows} == {
            ("flowers", "svm"),
            ("flowers", "mlp"),
            ("other", "dtree"),
        }
        assert sum(row.num_failed for row in rows) == 1
        assert ledger.best is not None
        assert rows[0].value == ledger.best.value

    def test_what_cannot_be_compared_is_refused(self, ledger: StudyLedger) -> None:
        with pytest.raises(ConfigurationError, match="accuracy, log_loss"):
            compare([ledger, StudyLedger(replace(ledger.spec, objective="log_loss"))])
        with pytest.raises(ConfigurationError, match="complete trial yet"):
            compare([StudyLedger(ledger.spec)])


@pytest.mark.slow
class TestCommands:
    def test_results_go_to_stdout_or_a_file(self, folder: Path, run: Run, tmp_path: Path) -> None:
        assert run("results", folder, "--csv")[1].count("\n") == 13
        assert run("results", folder, "--json", "--output", tmp_path / "r.jsonl")[0] == 0
        assert (tmp_path / "r.jsonl").read_text().count("\n") == 12
        code, _, error = run("results", folder)
        assert (code, error) == (2, "error: choose one format: --csv or --json\n")

    def test_evaluate_prints_a_table_or_json_and_draws(
        self, folder: Path, run: Run, tmp_path: Path
    ) -> None:
        code, text, _ = run("evaluate", folder, "--output", tmp_path / "c.png")
        _, lines, _ = run("evaluate", folder, "--json")

        assert code == 0
        assert "svm" in text
        assert (tmp_path / "c.png").read_bytes().startswith(PNG)
        assert {json.loads(line)["model"] for line in lines.splitlines()} == {"svm", "mlp"}

    def test_plot_and_export_name_what_they_wrote(self, folder: Path, run: Run) -> None:
        _, plots, _ = run("plot", folder)
        _, pages, _ = run("plot", folder, "--html")
        _, exported, _ = run("export", folder, f"sqlite:///{folder}/o.db")

        assert all(Path(line).is_file() for line in (plots + pages).splitlines())
        assert "history.html" in pages
        assert "optuna-dashboard sqlite:///" in exported

    def test_models_lists_hyperparameters_and_their_rules(self, run: Run) -> None:
        _, everything, _ = run("models")
        code, _, error = run("models", "knm")

        assert (
            "knn  (classification, regression)\n    n_neighbors          an integer of"
            in everything
        )
        assert "keras-lenet  (classification)" in everything
        assert (code, error[:22]) == (2, "error: model must be o")

    def test_a_folder_without_a_study_is_one_line(self, run: Run, tmp_path: Path) -> None:
        code, _, error = run("plot", tmp_path)

        assert code == 2
        assert error.startswith(f"error: {tmp_path} is not the folder of a study")
        assert error.count("\n") == 1
