import csv
import io
import json

import numpy as np
from rich.console import Console

from swarm.core.ids import Digest, PeerId
from swarm.ensemble.messages import MemberCard
from swarm.ensemble.records import ModelRecord, RefusedModel, Score
from swarm.ensemble.spec import EnsembleId, EnsembleSpec
from swarm.peer.ensemble.asking_text import csv_text, score_in_words, show_prediction
from swarm.peer.ensemble.overview import (
    Matrix,
    matrix_table,
    members_table,
    time_in_words,
)
from swarm.peer.ensemble.prediction import (
    AnsweringMember,
    MissingMember,
    Prediction,
    join_parts,
    label_values,
)
from swarm.watching.ensemble.matrix import list_scores
from swarm.watching.ensemble.members import list_members

ADA, BOB, CYD = PeerId("12D3KooWAda111"), PeerId("12D3KooWBob222"), PeerId("12D3KooWCyd333")
V1, V2 = Digest("a" * 64), Digest("b" * 64)
SPEC = EnsembleSpec("prices", "regression", (), (2,), transform="log1p", metric="rmsle")


def member(peer=ADA, version=V1, values=None, weight=0.5):
    return AnsweringMember(peer, version, "gbr", 1_790_000_000.0, 380, weight, peer, values)


def numbers(*values, members=(), missing=()):
    array = np.array(values, np.float64)
    return Prediction(
        values=array,
        spread=array / 100,
        lower=array - 1000,
        upper=array + 1000,
        probabilities=None,
        sets=None,
        classes=(),
        coverage=0.9,
        rule="skill",
        members=tuple(members) or (member(values=array),),
        missing=tuple(missing),
        notes=(),
        seconds=0.02,
    )


def labels():
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6]])
    return Prediction(
        values=np.array(["no", "yes"], object),
        spread=np.array([0.0, 0.4]),
        lower=None,
        upper=None,
        probabilities=probabilities,
        sets=np.array([[True, False], [True, True]]),
        classes=("no", "yes"),
        coverage=0.9,
        rule="skill",
        members=(member(values=probabilities), member(BOB, V2, probabilities)),
        missing=(),
        notes=("only 40 rows are calibrated",),
        seconds=0.02,
    )


def shown(*things):
    console = Console(file=io.StringIO(), width=100)
    for thing in things:
        console.print(thing)
    return console.file.getvalue()


def test_a_prediction_says_values_intervals_and_who_is_missing():
    found = numbers(181_000.4, 9.5, missing=[MissingMember(BOB, "busy")])

    assert repr(found) == (
        "<Prediction of 2 rows: 181,000 [180,000, 182,000]; 9.5 [-990.5, 1,010] "
        "| 1 of 2 members; missing Bob222: busy>"
    )


def test_a_prediction_of_classes_says_the_class_and_its_probability():
    assert repr(labels()).startswith("<Prediction of 2 rows: no (90 %); yes (60 %) | 2 of 2")
    assert labels().set_of(0) == ("no",)
    assert labels().set_of(1) == ("no", "yes")


def test_a_frame_has_one_row_for_each_row_asked():
    frame = labels().to_frame()

    assert frame["prediction"].tolist() == ["no", "yes"]
    assert frame["set"].tolist() == ["no", "no|yes"]
    assert frame["p(yes)"].tolist() == [0.1, 0.6]
    assert frame["Bob222 p(no)"].tolist() == [0.9, 0.4]


def test_a_row_without_an_answer_has_no_class():
    spec = EnsembleSpec("e", "classification", (), (2,), ("no", "yes"), metric="log-loss")

    labels = label_values(spec, np.array([[0.2, 0.8], [np.nan, np.nan]]))

    assert labels.tolist() == ["yes", ""]


def test_csv_and_json_have_every_digit():
    found = numbers(0.1 + 0.2)

    rows = list(csv.DictReader(io.StringIO(csv_text(found))))

    assert float(rows[0]["prediction"]) == 0.1 + 0.2
    assert json.loads(json.dumps(found.as_json()))["rows"][0]["prediction"] == 0.1 + 0.2


def test_each_caller_gets_its_rows():
    part = numbers(1.0, 2.0, 3.0).part(1, 2, 0.5)

    assert part.values.tolist() == [2.0, 3.0]
    assert part.members[0].values.tolist() == [2.0, 3.0]
    assert part.seconds == 0.5


def test_answers_to_successive_rows_are_put_together_with_each_version_named():
    first = numbers(1.0, members=[member(values=np.array([1.0]))])
    second = numbers(
        2.0,
        members=[member(version=V2, values=np.array([2.0]))],
        missing=[MissingMember(BOB, "busy")],
    )

    whole = join_parts([first, second], 0.1)

    assert whole.values.tolist() == [1.0, 2.0]
    assert [(one.peer, one.version, one.values) for one in whole.members] == [
        (ADA, V1, None),
        (ADA, V2, None),
    ]
    assert whole.missing == (MissingMember(BOB, "busy"),)


def test_terminal_tables_show_what_a_newcomer_asks():
    console = Console(file=io.StringIO(), width=100)
    show_prediction(numbers(181_000.0, missing=[MissingMember(BOB, "busy")]), console)
    show_prediction(labels(), console)

    text = console.file.getvalue()
    for part in ("180,000 to 182,000", "missing: Bob222, busy", "380", "90 % set", "no, yes"):
        assert part in text, part
    assert "note: only 40 rows are calibrated" in text


def test_rows_whose_target_is_known_say_how_good_the_answers_are():
    found = numbers(99.0, 3000.0, 50.0)

    line = score_in_words(SPEC, found, np.array([99.0, 5000.0, np.nan]))

    assert line.startswith("on the 2 rows whose target was given: rmsle 0.3")
    assert line.endswith(", 50 % inside the intervals\n")
    assert score_in_words(SPEC, found, np.full(3, np.nan)) == ""
    assert score_in_words(SPEC, labels(), np.array([0.0, 0.0])) == (
        "on the 2 rows whose target was given: 50.0 % right, 100 % inside the sets\n"
    )


def record(version=V1):
    return ModelRecord(version, "gbr", "skops", None, 380, 1_790_000_000.0, 2.5)


def cards():
    of_ada = [Score(ADA, V1, 0.04, 0.16, 100, True), Score(BOB, V2, 0.09, 0.16, 100, False)]
    of_bob = [Score(ADA, V1, 0.04, 0.16, 300, False), Score(BOB, "c" * 64, 9.0, 9.0, 1, True)]
    refusal = RefusedModel(ADA, V1, "unknown type")
    ensemble = EnsembleId("e" * 64)
    return [
        MemberCard(
            ensemble,
            BOB,
            1,
            "fitting",
            0.4,
            390,
            record(V2),
            scores=tuple(of_bob),
            detail="fits",
        ),
        MemberCard(ensemble, ADA, 2, "serving", 1, 380, record(), scores=tuple(of_ada)),
        MemberCard(ensemble, CYD, 2, "waiting", 0, 77, refused=(refusal,)),
    ]


def test_members_and_their_matrix_are_shown_in_a_terminal():
    every = cards()
    members = list_members(SPEC, every, present=(ADA, BOB), distrusted=(ADA,))
    peers = tuple(one.peer for one in members)
    matrix = Matrix("rmsle", peers, tuple(list_scores(SPEC, every)))

    text = shown(members_table(SPEC, members), matrix_table(SPEC, matrix))

    for part in ("fitting 40 %", "no weight", "lost", "0.750", "2026-09-21", "0.3000", "refused"):
        assert part in text, part
    assert "0.3000" in repr(matrix)
    assert json.loads(json.dumps(matrix.as_json()))["metric"] == "rmsle"


def test_a_time_that_is_none_is_no_error():
    assert time_in_words(1e300) == "?"
