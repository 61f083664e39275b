import numpy as np
import pytest

from swarm.core.errors import ConfigurationError, DataError
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble.model_files import load_model
from swarm.peer.ensemble import commands
from swarm.peer.ensemble.asked_rows import read_rows
from swarm.peer.ensemble.asking_tasks import Joining, distill_rows, predict_rows
from swarm.peer.ensemble.distilling import Distillation
from swarm.peer.ensemble.prediction import Prediction
from swarm.peer.ensemble.running_ensemble import join_ensemble

SPEC = EnsembleSpec("sums", "regression", (), (2,))


def joining(*bootstraps):
    return Joining(list(bootstraps), "", None, "127.0.0.1", 1.0)


def rows_file(folder):
    path = folder / "rows.csv"
    path.write_text("a,b\n1,2\n")
    return path


@pytest.mark.parametrize("command", ["predict", "status", "matrix", "distill"])
def test_help_says_what_a_command_does(command, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["ensemble", command, "--help"])

    assert commands.main() == 0
    assert "--bootstrap" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["status"], "--bootstrap must name a peer of the swarm"),
        (["status", "--bootstrap", "nonsense"], "nonsense"),
        (["predict", "--csv", "{rows}"], "--bootstrap must name a peer"),
        (
            ["predict", "--csv", "{rows}", "--coverage", "90", "--bootstrap", "127.0.0.1:1"],
            "coverage must be between 0 and 1, as in 0.9, got 90.0",
        ),
        (["predict", "--bootstrap", "127.0.0.1:1"], "--csv"),
    ],
)
def test_mistakes_end_with_code_2_and_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    rows = str(rows_file(tmp_path))
    monkeypatch.setattr("sys.argv", ["ensemble", *(a.format(rows=rows) for a in arguments)])

    assert commands.main() == 2
    assert message in capsys.readouterr().err


def test_files_are_read_before_any_peer_is_asked(tmp_path):
    missing = tmp_path / "missing.csv"

    with pytest.raises(ConfigurationError, match=r"missing\.csv does not exist"):
        predict_rows(joining("127.0.0.1:1"), missing, None, 0.9, detail=False, as_json=False)
    with pytest.raises(ConfigurationError, match=r"missing\.csv does not exist"):
        distill_rows(joining("127.0.0.1:1"), missing, tmp_path / "model.skops", "ridge")


def test_a_script_must_name_a_peer():
    with pytest.raises(ConfigurationError, match="bootstrap must name a peer"):
        join_ensemble([])
    with pytest.raises(ConfigurationError, match="no option 'timeout'; did you mean 'timeout_s'"):
        join_ensemble("127.0.0.1:1", timeout=3)


def answers_of(values):
    array = np.asarray(values, np.float64)
    nothing = np.zeros(len(array))
    return Prediction(array, nothing, None, None, None, None, (), 0.9, "skill", (), (), (), 0.1)


def test_a_distilled_model_answers_like_the_ensemble(tmp_path):
    rows = np.random.default_rng(0).normal(size=(200, 2))
    output = tmp_path / "model.skops"

    Distillation(SPEC, "linear", output).ask_and_fit(
        read_rows(rows, SPEC), lambda asked: answers_of(3 * asked.parts[0].sum(axis=1))
    )

    found = load_model(output, SPEC).answers(np.array([[1.0, 2.0]]))
    assert found.tolist() == [[pytest.approx(9.0, abs=1e-3)]]


@pytest.mark.parametrize(
    ("learner", "name", "message"),
    [
        ("linear", "model.pkl", r"must end in \.skops, got 'model\.pkl'"),
        ("linaer", "model.skops", "did you mean 'linear'"),
        ("logistic", "model.skops", "not for a regression"),
    ],
)
def test_learner_and_file_are_checked_before_members_are_asked(tmp_path, learner, name, message):
    with pytest.raises(ConfigurationError, match=message):
        Distillation(SPEC, learner, tmp_path / name)


def test_rows_without_a_usable_answer_cannot_be_distilled(tmp_path):
    distillation = Distillation(SPEC, "linear", tmp_path / "model.skops")

    rows = read_rows(np.ones((2, 2)), SPEC)
    with pytest.raises(DataError, match="row 2 has no usable answer"):
        distillation.ask_and_fit(rows, lambda _: answers_of([1.0, np.nan]))
