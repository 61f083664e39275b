"""What a script or notebook sees of its peer: repr, HTML and the line of progress."""

import io
from dataclasses import replace

import pytest

from swarm.peer.federation.peer_view import PeerView
from swarm.peer.federation.progress_line import ProgressLine

VIEW = PeerView(
    name="ada",
    address="127.0.0.1:7001",
    round=2,
    rounds=5,
    num_peers=4,
    accuracies={0: 0.1, 1: 0.5, 2: 0.612},
    phase="training",
    progress=0.43,
    train_accuracy=0.7,
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_text_gives_the_accuracy_with_its_round_and_how_to_join() -> None:
    assert str(VIEW) == (
        "<RunningPeer ada: round 2 of 5, accuracy 61.2% (round 2), 4 peers; "
        "join at 127.0.0.1:7001>"
    )


def test_a_regression_is_scored_by_its_own_word() -> None:
    regression = replace(VIEW, score="R²")

    assert "R² 61.2% (round 2)" in str(regression)
    assert "training R² 70.0%" in regression.line
    assert "<tr><th style='text-align:left'>R²</th>" in regression.html()


def test_the_untrained_models_accuracy_is_no_result() -> None:
    untrained = replace(VIEW, round=0, accuracies={0: 0.1}, num_peers=1)

    assert str(untrained) == "<RunningPeer ada: round 0 of 5, 1 peer; join at 127.0.0.1:7001>"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rounds": None, "round": None}, "no session yet"),
        ({"round": None}, "no model yet"),
        ({"ended": True}, "round 2 of 5, ended"),
        ({"error": "the disk is full"}, "ended: the disk is full"),
    ],
)
def test_the_state_is_said_in_words(change: dict[str, object], said: str) -> None:
    assert replace(VIEW, **change).state == said  # type: ignore[arg-type]


def test_html_escapes_the_name_and_draws_a_curve_of_two_points_or_more() -> None:
    html = replace(VIEW, name="<b>").html()

    assert "&lt;b&gt;" in html
    assert "points='0.0,54.0 120.0,30.0 240.0,23.3'" in html
    assert "<svg" not in replace(VIEW, accuracies={1: 0.5}).html()


def test_a_file_gets_one_line_for_each_round() -> None:
    stream = io.StringIO()
    line = ProgressLine(stream)

    for view in (VIEW, replace(VIEW, progress=0.9), replace(VIEW, round=3)):
        line.show(view)
    line.close()

    assert stream.getvalue().splitlines() == [
        "round 3 of 5: training 43%, training accuracy 70.0%, accuracy 61.2% (round 2), 4 peers",
        "round 4 of 5: training 43%, training accuracy 70.0%, accuracy 61.2% (round 2), 4 peers",
    ]


def test_a_terminal_gets_one_line_that_is_redrawn_in_full() -> None:
    stream = Terminal()
    line = ProgressLine(stream)

    line.show(VIEW)
    line.show(replace(VIEW, ended=True, round=5))
    line.close()

    _, first, second = stream.getvalue().split("\r")
    assert first == VIEW.line
    assert len(second.rstrip("\n")) == len(first)
    assert second.startswith("round 5 of 5, ended")
