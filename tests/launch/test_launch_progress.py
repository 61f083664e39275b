from typing import Any

from swarm.launch.log_lines import LogLine, parse_log_line
from swarm.launch.run_progress import Progress

NAMES = ["peer-1", "peer-2"]


def line(event: str, level: str = "info", **fields: Any) -> LogLine:
    return LogLine(event, level, fields)


def trained(round_number: int, accuracy: float, num_test_examples: int) -> LogLine:
    return line(
        "trained",
        round=round_number,
        train_accuracy=0.5,
        seconds=2.0,
        evaluated_round=round_number - 1,
        accuracy=accuracy,
        num_test_examples=num_test_examples,
    )


def adopted(round_number: int, author: str = "id-1") -> LogLine:
    return line("adopted", round=round_number, author=author, contributors=2, cohort=2)


def test_only_json_objects_with_an_event_are_log_lines() -> None:
    assert parse_log_line('{"event": "x", "level": "warning", "timestamp": "t", "n": 1}') == (
        LogLine("x", "warning", {"n": 1})
    )
    assert parse_log_line("[1]") is None
    assert parse_log_line('{"level": "info"}') is None
    assert parse_log_line("[" * 100_000) is None


def test_global_accuracy_counts_each_test_example_once() -> None:
    progress = Progress(NAMES, rounds=2)

    first = progress.take("peer-1", trained(1, 0.1, 300))
    second = progress.take("peer-2", trained(1, 0.5, 100))

    assert first == ["peer-1 has trained for round 1 in 2.0 s: training accuracy 50.0%"]
    assert second == [
        "test accuracy of the untrained model: 20.0% (on 400 test examples of 2 peers)",
        "peer-2 has trained for round 1 in 2.0 s: training accuracy 50.0%",
    ]


def test_a_round_is_told_once_whoever_adopts_its_head() -> None:
    progress = Progress(NAMES, rounds=2)
    progress.take("peer-1", line("listening", peer_id="id-1", address="/ip4/127.0.0.1/tcp/7001"))

    first = progress.take("peer-2", adopted(1))
    second = progress.take("peer-1", adopted(1))

    assert first == [
        "round 1 is done: 2 of 2 contributions, combined by peer-1",
        "round 2 of 2 begins",
    ]
    assert second == []


def test_a_dead_peer_is_told_with_its_last_words_and_no_longer_waited_for() -> None:
    progress = Progress(NAMES, rounds=2)
    progress.take("peer-1", trained(1, 0.3, 100))
    progress.take_words("peer-2", "MemoryError: no memory")
    progress.take_words("peer-2", "  ")

    sentences = progress.end("peer-2", -9)

    assert sentences == [
        "peer-2 has died (killed by signal 9): MemoryError: no memory; one peer is left",
        "test accuracy of the untrained model: 30.0% (on 100 test examples of 1 peer)",
    ]


def test_an_older_head_that_not_everyone_evaluated_is_told_when_the_swarm_has_moved_on() -> None:
    progress = Progress(NAMES, rounds=5)
    progress.take("peer-1", trained(1, 0.3, 100))

    after_one = progress.take("peer-1", adopted(1))
    after_two = progress.take("peer-1", adopted(2))

    assert not any("test accuracy" in text for text in after_one)
    assert "test accuracy of the untrained model: 30.0% (on 100 test examples of 1 peer)" in (
        after_two
    )


def test_finished_means_that_all_who_run_have_evaluated_the_last_head() -> None:
    progress = Progress(NAMES, rounds=1)
    final = line("evaluated", evaluated_round=1, accuracy=0.9, num_test_examples=10)

    progress.take("peer-1", final)
    before = progress.finished
    progress.end("peer-2", 1)

    assert not before
    assert progress.finished


def test_progress_of_a_training_is_told_in_quarters_of_the_round() -> None:
    progress = Progress(["peer-1"], rounds=3)
    progress.take("peer-1", adopted(0))

    sentences = [
        text
        for percent in (10, 30, 40, 60)
        for text in progress.take(
            "peer-1", line("training", "debug", round=1, percent=percent, train_accuracy=0.2)
        )
    ]

    assert sentences == [
        "round 1 of 3: 30% trained, training accuracy 20.0%",
        "round 1 of 3: 60% trained, training accuracy 20.0%",
    ]


def test_lines_with_missing_or_foreign_fields_do_no_harm() -> None:
    progress = Progress(NAMES, rounds=3)

    for event in ("listening", "session", "ready", "training", "trained", "evaluated", "adopted"):
        progress.take("peer-1", line(event))
        progress.take("peer-1", line(event, round="x", accuracy="y", percent=None, peer_id=3))

    assert progress.peers["peer-1"].train_accuracy is None


def test_a_peer_that_somebody_starts_again_is_alive_again() -> None:
    progress = Progress(NAMES, rounds=2)
    progress.take_words("peer-1", "error: no space left")

    progress.end("peer-1", -9)
    without = [peer.name for peer in progress.alive]
    said = progress.restart("peer-1")

    assert without == ["peer-2"]
    assert said == ["peer-1 was started again"]
    assert [peer.name for peer in progress.alive] == NAMES
    assert progress.peers["peer-1"].last_words == ""
