"""Questions: which are taken, refused or dropped, and what is sent back."""

from typing import Any

import pytest

from swarm.core.blobs import BlobRef
from swarm.core.effects import BlobArrived, BlobMissing, FetchBlob, KeepBlobs
from swarm.core.ids import PeerId
from swarm.ensemble.effects import (
    Audit,
    LeaveRequested,
    MemberStarted,
    NotPredicted,
    Predict,
    Predicted,
    PromoteRequested,
)
from swarm.ensemble.member_settings import MemberSettings, ServingLimits
from swarm.ensemble.messages import Answer, MemberGoodbye, Payload, Question, Refusal
from swarm.ensemble.row_fetches import FETCHES_PER_ASKER
from swarm.ensemble.serving import ANSWERS_HELD_S, ROWS_BYTES_MAX, WITHIN_MAX_S
from tests.ensemble.driven import DrivenMember
from tests.ensemble.parts import ASKER, ME, OTHER, THIRD, digest, make_spec, model, payload, score

ROWS = BlobRef(digest(77), 100_000)


def member_with(**limits: Any) -> DrivenMember:
    return DrivenMember(settings=MemberSettings(ServingLimits(**limits))).serving()


def reasons(member: DrivenMember) -> list[str]:
    return [refusal.reason for refusal in member.sent(Refusal)]


def outcomes(member: DrivenMember) -> list[str]:
    return [audit.outcome for audit in member.asked(Audit)]


def test_a_question_is_answered_by_the_champion() -> None:
    member = DrivenMember().serving()

    member.do(member.question(), at_s=2.0)
    assert member.asked(Predict) == [Predict(ASKER, 1, ME, digest(1), payload())]

    member.do(Predicted(ASKER, 1, ME, digest(1), payload(1, b"answers")), at_s=2.5)
    expected = Answer(member.spec.id, ME, 1, ME, digest(1), payload(1, b"answers"), 0.5)
    assert member.sent(Answer) == [expected]
    assert member.asked(Audit) == [Audit(ASKER, 1, "answered")]


def test_a_member_without_a_model_says_so() -> None:
    member = DrivenMember()
    member.do(MemberStarted(100))

    member.do(member.question())

    assert reasons(member) == ["no-model"]
    assert outcomes(member) == ["no-model"]


def test_a_question_for_another_version_is_refused() -> None:
    member = DrivenMember().serving()

    member.do(member.question(version=digest(9)))
    assert reasons(member) == ["no-model"]

    member.do(member.question(2, version=digest(1)))
    assert len(member.asked(Predict)) == 1


def test_a_model_of_another_member_that_is_not_kept_is_refused() -> None:
    member = DrivenMember().serving()

    member.do(member.question(owner=OTHER, version=digest(2)))

    assert reasons(member) == ["no-model"]


def test_only_peers_of_the_allow_list_are_answered() -> None:
    member = member_with(ask_from=(ASKER,))

    member.do(member.question(1, THIRD))
    assert reasons(member) == ["not-allowed"]

    member.do(member.question(2, ASKER), member.question(3, ME))
    assert len(member.asked(Predict)) == 2


def test_an_asker_has_a_budget_of_rows_that_fills_again() -> None:
    member = member_with(budget_rows=10, budget_s=100.0)

    member.do(member.question(1, rows=payload(8)), at_s=10.0)
    assert len(member.asked(Predict)) == 1
    member.do(member.question(2, rows=payload(3)), at_s=10.0)
    assert reasons(member) == ["budget"]
    member.do(member.question(3, THIRD, payload(10)), at_s=10.0)
    assert len(member.asked(Predict)) == 1

    member.do(member.question(4, rows=payload(3)), at_s=20.0)
    assert len(member.asked(Predict)) == 1


def test_the_own_host_has_no_budget() -> None:
    member = member_with(budget_rows=1)

    member.do(member.question(1, ME, payload(100)))

    assert len(member.asked(Predict)) == 1


def test_a_refused_question_costs_no_budget() -> None:
    member = member_with(budget_rows=10, questions_max=1)
    member.do(member.question(1, THIRD))

    member.do(member.question(2, rows=payload(10)))
    assert reasons(member) == ["busy"]
    member.do(Predicted(THIRD, 1, ME, digest(1), payload()), at_s=2.0)
    member.do(member.question(3, rows=payload(10)), at_s=2.0)

    assert len(member.asked(Predict)) == 1


def test_a_full_queue_refuses_at_once() -> None:
    member = member_with(questions_max=3, at_once=1)

    member.do(*[member.question(number) for number in range(5)])

    assert len(member.asked(Predict)) == 1
    assert reasons(member) == ["busy", "busy"]


def test_too_many_rows_wait_and_more_are_refused() -> None:
    member = member_with(rows_max=100)
    member.do(member.question(1, rows=payload(90)))

    member.do(member.question(2, rows=payload(11)))
    assert reasons(member) == ["busy"]
    member.do(member.question(3, rows=payload(10)))
    assert len(member.asked(Predict)) == 1


def test_one_question_may_have_more_rows_than_the_queue_if_none_waits() -> None:
    member = member_with(rows_max=100)

    member.do(member.question(1, rows=payload(1000)))

    assert len(member.asked(Predict)) == 1


def test_questions_beyond_those_at_once_wait_in_order() -> None:
    member = member_with(at_once=2)
    member.do(*[member.question(number) for number in range(4)])
    assert [predict.number for predict in member.asked(Predict)] == [0, 1]

    member.do(Predicted(ASKER, 1, ME, digest(1), payload()))

    assert [predict.number for predict in member.asked(Predict)] == [2]


def test_a_late_question_is_not_begun() -> None:
    member = member_with(at_once=1)
    member.do(member.question(1, within_s=10.0), member.question(2, within_s=2.0), at_s=2.0)

    member.do(Predicted(ASKER, 1, ME, digest(1), payload()), at_s=4.0)

    assert member.asked(Predict) == []
    assert outcomes(member) == ["answered", "late"]


def test_a_late_question_does_not_fill_the_queue() -> None:
    member = member_with(at_once=1, questions_max=2)
    member.do(member.question(1), member.question(2), at_s=2.0)

    member.tick(at_s=4.5)

    assert outcomes(member) == ["late"]
    member.do(member.question(3), at_s=4.5)
    assert reasons(member) == []


def test_an_answer_that_is_late_is_not_sent() -> None:
    member = DrivenMember().serving()
    member.do(member.question(), at_s=2.0)

    member.do(Predicted(ASKER, 1, ME, digest(1), payload()), at_s=4.5)

    assert member.sent(Answer) == []
    assert outcomes(member) == ["late"]


def test_a_question_that_comes_twice_is_answered_once() -> None:
    member = DrivenMember().serving()

    member.do(member.question(), member.question())
    assert len(member.asked(Predict)) == 1
    answer = Predicted(ASKER, 1, ME, digest(1), payload())
    member.do(answer, answer)

    assert len(member.sent(Answer)) == 1


def test_a_question_that_cannot_be_answered_is_refused_with_the_reason() -> None:
    member = DrivenMember().serving()
    member.do(member.question())

    member.do(NotPredicted(ASKER, 1, ME, "bad-rows", "column Age: no number"))

    assert member.sent(Refusal) == [
        Refusal(member.spec.id, ME, 1, ME, "bad-rows", "column Age: no number")
    ]


@pytest.mark.parametrize(
    "predicted",
    [
        pytest.param(Predicted(ASKER, 1, ME, digest(9), payload()), id="another version"),
        pytest.param(Predicted(ASKER, 1, ME, digest(1), payload(2)), id="another number"),
    ],
)
def test_an_answer_is_of_the_version_and_rows_that_it_was_begun_with(predicted: Predicted) -> None:
    member = DrivenMember().serving()
    member.do(member.question())

    member.do(predicted)

    assert member.sent(Answer) == []
    assert reasons(member) == ["failed"]


def test_a_question_under_way_keeps_its_version_when_another_model_takes_over() -> None:
    member = member_with(at_once=1)
    member.do(member.question(1), member.question(2), at_s=2.0)
    member.machine.models.take_fitted(model(2), score(ME, 2, is_own=True), 2.0)
    member.do(PromoteRequested())

    member.do(Predicted(ASKER, 1, ME, digest(1), payload()))

    assert [answer.version for answer in member.sent(Answer)] == [digest(1)]
    assert [predict.version for predict in member.asked(Predict)] == [digest(2)]


def test_a_challenger_answers_in_the_shadow() -> None:
    member = DrivenMember().serving()
    member.machine.models.take_fitted(model(2), score(ME, 2, is_own=True), 2.0)

    member.do(member.question())
    assert [predict.shadow for predict in member.asked(Predict)] == [digest(2)]
    member.do(Predicted(ASKER, 1, ME, digest(1), payload(), num_shadow=1, disagreement=0.5))

    comparison = member.machine.models.comparison
    assert comparison is not None
    assert (comparison.num_shadow, comparison.disagreement) == (1, 0.5)


def test_large_rows_are_fetched_from_the_asker_before_they_are_answered() -> None:
    member = DrivenMember().serving()

    member.do(member.question(rows=Payload(5, blob=ROWS)))
    assert member.asked(FetchBlob) == [FetchBlob(ROWS, (ASKER,), 2.0)]
    assert member.asked(Predict) == []

    member.do(BlobArrived(ROWS))
    assert len(member.asked(Predict)) == 1
    assert ROWS in member.asked(KeepBlobs)[0].blobs


def test_rows_that_cannot_be_fetched_are_refused() -> None:
    member = DrivenMember().serving()
    member.do(member.question(rows=Payload(5, blob=ROWS)))

    member.do(BlobMissing(ROWS, "no holder has it"))

    assert reasons(member) == ["bad-rows"]


def test_rows_of_too_many_bytes_are_refused_before_they_are_fetched() -> None:
    member = DrivenMember().serving()

    member.do(member.question(rows=Payload(1, blob=BlobRef(digest(78), ROWS_BYTES_MAX + 1))))

    assert reasons(member) == ["bad-rows"]
    assert member.asked(FetchBlob) == []


def test_large_rows_of_many_questions_do_not_fill_the_disk() -> None:
    member = DrivenMember().serving()
    rows = [Payload(1, blob=BlobRef(digest(80 + n), ROWS_BYTES_MAX)) for n in range(5)]

    askers = [PeerId(f"asker {n}") for n in range(5)]
    member.do(*[member.question(n, askers[n], rows=each) for n, each in enumerate(rows)])

    assert reasons(member) == ["busy"]


def large(member: DrivenMember, number: int, **fields: Any) -> Question:
    """A question whose rows are a blob of their own."""
    rows = Payload(1, blob=BlobRef(digest(100 + number), 100_000))
    return member.question(number, rows=rows, **fields)


def test_an_asker_has_a_few_fetches_under_way_also_when_its_questions_are_late() -> None:
    member = DrivenMember().serving()
    for number in range(FETCHES_PER_ASKER):
        member.do(large(member, number, within_s=1.0), at_s=1.0)
        assert len(member.asked(FetchBlob)) == 1
    member.tick(at_s=30.0)

    member.do(large(member, 50))
    assert reasons(member) == ["busy"]
    member.do(large(member, 51, sender=THIRD), member.question(52))
    assert reasons(member) == []

    member.do(BlobMissing(BlobRef(digest(100), 100_000), "no holder"), large(member, 53))
    assert len(member.asked(FetchBlob)) == 1


def test_a_question_is_late_after_a_minute_though_it_asks_for_more() -> None:
    member = DrivenMember().serving()
    member.do(large(member, 1, within_s=1e300), at_s=1.0)
    assert [fetch.wait_s for fetch in member.asked(FetchBlob)] == [WITHIN_MAX_S]

    member.tick(at_s=1.0 + WITHIN_MAX_S)

    assert outcomes(member) == ["late"]


def test_large_answers_are_held_for_the_asker_and_then_deleted() -> None:
    member = DrivenMember().serving()
    answers = BlobRef(digest(79), 200_000)
    member.do(member.question(rows=payload(5)), at_s=2.0)
    member.do(Predicted(ASKER, 1, ME, digest(1), Payload(5, blob=answers)), at_s=2.0)

    member.tick(at_s=2.5)
    assert answers in member.asked(KeepBlobs)[0].blobs
    member.tick(at_s=2.0 + ANSWERS_HELD_S)
    assert answers not in member.asked(KeepBlobs)[0].blobs


def test_a_member_that_leaves_refuses_what_waits_and_says_goodbye() -> None:
    member = member_with(at_once=1)
    member.do(member.question(1), member.question(2))

    member.do(LeaveRequested())

    assert reasons(member) == ["leaving", "leaving"]
    assert member.sent(MemberGoodbye) == [MemberGoodbye(member.spec.id, ME)]
    assert member.do(member.question(3)) == []


def test_questions_of_other_ensembles_are_ignored() -> None:
    member = DrivenMember().serving()
    other = DrivenMember(make_spec(name="others"))

    assert member.do(other.question()) == []
