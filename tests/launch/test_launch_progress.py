import io
from typing import Any

import pytest
from rich.console import Console

from swarm.launch.display import _View
from swarm.launch.log_lines import LogLine, parse_log_line
from swarm.launch.run_progress import Detail, RunProgress

NAMES = ["peer-1", "peer-2"]


def line(event: str, level: str = "info", **fields: Any) -> LogLine:
    return LogLine(event, level, fields)


def evaluated(round_number: int, accuracy: float, num_test_examples: int) -> LogLine:
    return line(
        "evaluated",
        evaluated_round=round_number,
        accuracy=accuracy,
        num_test_examples=num_test_examples,
    )


def adopted(round_number: int, author: str = "id-1") -> LogLine:
    return line("adopted", round=round_number, author=author, contributors=2, cohort=2)


def without_details(sentences: list[str]) -> list[str]:
    return [text for text in sentences if not isinstance(text, Detail)]


def test_only_json_objects_with_an_event_are_log_lines() -> None:
    assert parse_log_line('{"event": "x", "level": "warning", "timestamp": "t", "n": 1}') == (
        LogLine("x", "warning", {"n": 1})
    )
    assert parse_log_line("[1]") is None
    assert parse_log_line('{"level": "info"}') is None
    assert parse_log_line("[" * 100_000) is None


def test_global_accuracy_counts_each_test_example_once() -> None:
    progress = RunProgress(NAMES, rounds=2)

    first = without_details(progress.take_line("peer-1", evaluated(0, 0.1, 300)))
    second = without_details(progress.take_line("peer-2", evaluated(0, 0.5, 100)))

    assert first == []
    assert second == [
        "test accuracy of the untrained model: 20.0% (on 400 test examples of 2 peers)"
    ]
    assert progress.newest_accuracy is not None
    assert progress.newest_accuracy.accuracy == 0.2


def test_a_round_is_announced_once_even_if_several_peers_adopt_its_head() -> None:
    progress = RunProgress(NAMES, rounds=2)
    progress.take_line(
        "peer-1", line("listening", peer_id="id-1", address="/ip4/127.0.0.1/tcp/7001")
    )

    first = without_details(progress.take_line("peer-2", adopted(1)))
    second = progress.take_line("peer-1", adopted(1))

    assert first == ["round 1 is done: 2 of 2 contributions, combined by peer-1"]
    assert second == []
    assert progress.stage == "round 2 of 2"


def test_a_death_is_announced_with_the_last_words_and_the_peer_is_no_longer_awaited() -> None:
    progress = RunProgress(NAMES, rounds=2)
    progress.take_line("peer-1", evaluated(0, 0.3, 100))
    progress.take_words("peer-2", "MemoryError: no memory")
    progress.take_words("peer-2", "  ")

    sentences = progress.end_peer("peer-2", -9)

    assert sentences == [
        "peer-2 has died (killed by signal 9): MemoryError: no memory; one peer is left",
        "test accuracy of the untrained model: 30.0% (on 100 test examples of 1 peer)",
    ]


def test_an_older_head_that_some_peers_did_not_evaluate_is_announced_two_rounds_later() -> None:
    progress = RunProgress(NAMES, rounds=5)
    progress.take_line("peer-1", evaluated(0, 0.3, 100))

    after_one = without_details(progress.take_line("peer-1", adopted(1)))
    after_two = without_details(progress.take_line("peer-1", adopted(2)))

    assert not any("test accuracy" in text for text in after_one)
    assert "test accuracy of the untrained model: 30.0% (on 100 test examples of 1 peer)" in (
        after_two
    )


def test_a_run_is_finished_when_all_running_peers_have_evaluated_the_last_head() -> None:
    progress = RunProgress(NAMES, rounds=1)
    final = line("evaluated", evaluated_round=1, accuracy=0.9, num_test_examples=10)

    progress.take_line("peer-1", final)
    before = progress.finished
    progress.end_peer("peer-2", 1)

    assert not before
    assert progress.finished


def test_an_accuracy_is_announced_while_the_peers_train_on() -> None:
    progress = RunProgress(["peer-1"], rounds=5)
    progress.take_line("peer-1", adopted(1))

    said = progress.take_line(
        "peer-1", line("evaluated", evaluated_round=1, accuracy=0.4, num_test_examples=100)
    )

    assert said == [
        "test accuracy of the model of round 1: 40.0% (on 100 test examples of 1 peer)"
    ]
    assert progress.peers["peer-1"].phase == "training"
    assert not progress.finished


def test_training_progress_is_announced_in_quarters_of_the_round() -> None:
    progress = RunProgress(["peer-1"], rounds=3)
    progress.take_line("peer-1", adopted(0))

    sentences = [
        text
        for percent in (10, 30, 40, 60)
        for text in progress.take_line(
            "peer-1", line("training", "debug", round=1, percent=percent, train_accuracy=0.2)
        )
    ]

    assert sentences == [
        "round 1 of 3: 30% trained, training accuracy 20.0%",
        "round 1 of 3: 60% trained, training accuracy 20.0%",
    ]


def test_lines_with_missing_or_unexpected_fields_are_harmless() -> None:
    progress = RunProgress(NAMES, rounds=3)

    for event in ("listening", "session", "ready", "training", "trained", "evaluated", "adopted"):
        progress.take_line("peer-1", line(event))
        progress.take_line("peer-1", line(event, round="x", accuracy="y", percent=None, peer_id=3))

    assert progress.peers["peer-1"].accuracy is None


def test_a_restarted_peer_is_alive_again() -> None:
    progress = RunProgress(NAMES, rounds=2)
    progress.take_words("peer-1", "error: no space left")

    progress.end_peer("peer-1", -9)
    alive_before = [peer.name for peer in progress.alive]
    messages = progress.restart_peer("peer-1")

    assert alive_before == ["peer-2"]
    assert messages == ["peer-1 was started again"]
    assert [peer.name for peer in progress.alive] == NAMES
    assert progress.peers["peer-1"].last_words == ""


def test_takeovers_and_losses_are_told_with_names() -> None:
    progress = RunProgress(NAMES, rounds=2)
    ids = ["12D3KooW" + 44 * letter for letter in "AB"]
    for name, peer_id in zip(NAMES, ids, strict=True):
        progress.take_line(name, line("listening", peer_id=peer_id, addresses=["/ip4/127.0.0.1"]))
    why = f"{ids[0]} stopped answering"

    lost = progress.take_line("peer-2", line("lost", detail=why, about=ids[0]))
    again = progress.take_line("peer-2", line("lost", detail=why, about=ids[0]))
    text = f"{ids[1]} combined cluster 1 instead of {ids[0]}, which stopped answering"
    takeover = progress.take_line("peer-2", line("takeover", detail=text, about=ids[1]))

    assert lost == ["peer-1 stopped answering; the others go on without it"]
    assert again == []
    assert takeover == ["peer-2 combined cluster 1 instead of peer-1, which stopped answering"]


def test_a_session_that_stops_early_is_done_after_its_last_round() -> None:
    progress = RunProgress(["peer-1"], rounds=50)
    how = "stopped early at round 8: no better than round 5 (61.2 %) for 3 rounds"
    ends = line("ends", round=8, detail=how)

    said = progress.take_line("peer-1", ends)
    progress.take_line("peer-1", adopted(8))
    stage = progress.stage
    evaluated = line("evaluated", evaluated_round=8, accuracy=0.5, num_test_examples=100)
    progress.take_line("peer-1", evaluated)

    assert said == [how]
    assert stage == "evaluating the final model"
    assert progress.finished
    assert progress.rounds == 8

    progress.take_line("peer-1", adopted(9))  # of a greater head, which goes on
    assert not progress.finished
    assert progress.stage == "round 10 of 50"


def test_the_time_left_is_known_from_the_first_round_on() -> None:
    progress = RunProgress(["peer-1", "peer-2"], 4)
    assert progress.seconds_left(0.0) is None
    progress.take_line("peer-1", adopted(0), 100.0)
    assert progress.seconds_left(101.0) is None

    for name in progress.peers:
        progress.take_line(name, line("training", round=1, percent=50), 109.5)
    assert progress.seconds_left(109.5) == pytest.approx(10.5 + 3 * 20)

    progress.take_line("peer-1", adopted(1), 130.0)
    assert progress.seconds_left(140.0) == pytest.approx(20 + 2 * 30)


def test_the_view_shows_accuracy_with_its_round_and_marks_dead_peers() -> None:
    progress = RunProgress(["peer-1", "peer-2"], 4)
    for name in progress.peers:
        progress.take_line(name, evaluated(0, 0.1, 100), 1.0)
    assert "test accuracy" not in shown(progress)  # the untrained model is no result

    progress.take_line("peer-1", adopted(2), 2.0)
    for name in progress.peers:
        progress.take_line(name, evaluated(2, 0.612, 100), 3.0)
    progress.end_peer("peer-2", 1)

    text = shown(progress)
    assert "test accuracy 61.2% (round 2)" in text
    assert "peer-1" in text
    assert "61.2% (round 2)" in text
    assert "died" in text


def shown(progress: RunProgress) -> str:
    console = Console(width=140, file=io.StringIO(), force_terminal=True, color_system=None)
    console.print(_View(progress, "cnn on digits", 0.0))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
