import math

import pytest

from swarm.core.errors import OverloadedError
from swarm.peer.ensemble.batching import (
    QUESTIONS_BURST,
    QUESTIONS_PER_S,
    REQUESTS_WAITING_MAX,
    ROWS_ENOUGH,
    ROWS_WAITING_MAX,
    WINDOW_S,
    Batches,
)


def test_a_request_goes_out_at_once_while_nothing_is_under_way():
    batches = Batches[str](2048)

    batches.add("a", 1, 10.0)

    assert batches.due_s(10.0) == 10.0
    assert batches.take(10.0) == ["a"]
    assert batches.due_s(10.0) == math.inf


def test_requests_collect_while_a_question_is_under_way():
    batches = Batches[str](2048)
    batches.add("a", 1, 10.0)
    batches.take(10.0)

    batches.add("b", 1, 10.001)
    batches.add("c", 2, 10.002)

    assert batches.due_s(10.002) == pytest.approx(10.001 + WINDOW_S)
    assert batches.take(10.006) == ["b", "c"]


def test_requests_wait_while_two_questions_are_under_way():
    batches = Batches[str](2048)
    for name in "ab":
        batches.add(name, 1, 10.0)
        batches.take(10.0)

    batches.add("c", 1, 10.0)

    assert batches.due_s(11.0) == math.inf
    batches.end()
    assert batches.due_s(11.0) <= 11.0


def test_after_a_question_of_several_callers_the_next_one_waits_for_company():
    batches = Batches[str](2048)
    batches.add("a", 1, 10.0)
    batches.add("b", 1, 10.0)
    batches.take(10.0)
    batches.end()

    batches.add("c", 1, 20.0)

    assert batches.due_s(20.0) == pytest.approx(20.0 + WINDOW_S)


def test_enough_rows_wait_for_no_more():
    batches = Batches[str](2048)
    batches.add("a", 1, 10.0)
    batches.take(10.0)

    batches.add("b", ROWS_ENOUGH, 10.0)

    assert batches.due_s(10.0) == 10.0


def test_a_question_has_at_most_the_rows_that_it_may_have():
    batches = Batches[str](100)
    for name, num_rows in (("a", 60), ("b", 40), ("c", 1), ("d", 500)):
        batches.add(name, num_rows, 10.0)

    taken = [batches.take(10.0) for _ in range(3)]

    assert taken == [["a", "b"], ["c"], ["d"]]


def test_the_pace_is_bounded_and_recovers():
    batches = Batches[int](1)
    now_s, sent = 100.0, 0
    for number in range(200):
        batches.add(number, 1, now_s)
    while now_s < 102.0:
        due_s = batches.due_s(now_s)
        now_s = max(now_s, due_s)
        batches.take(now_s)
        batches.end()
        sent += 1

    assert sent <= QUESTIONS_BURST + 2 * QUESTIONS_PER_S + 2


def test_too_many_rows_are_refused_at_once_and_nothing_else_changes():
    batches = Batches[str](2048)
    batches.add("a", ROWS_WAITING_MAX, 10.0)

    with pytest.raises(OverloadedError, match=f"busy: {ROWS_WAITING_MAX} rows wait"):
        batches.add("b", 1, 10.0)

    assert len(batches) == 1
    assert batches.take(10.0) == ["a"]
    batches.add("b", 1, 10.0)


def test_too_many_requests_are_refused_at_once():
    batches = Batches[int](2048)
    for number in range(REQUESTS_WAITING_MAX):
        batches.add(number, 1, 10.0)

    with pytest.raises(OverloadedError, match="which is the most"):
        batches.add(-1, 1, 10.0)
