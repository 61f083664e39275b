"""Asker: members asked, answers counted once, quorum, deadline, patience, copies, lost weight."""

from typing import Any

import pytest

from swarm.core.blobs import BlobRef
from swarm.core.effects import (
    BlobArrived,
    BlobMissing,
    FetchBlob,
    KeepBlobs,
    KeepConnected,
    PeerConnected,
    PeerUnreachable,
    Send,
    Subscribe,
)
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event, SetTimer, TimerFired
from swarm.ensemble.asker import DUE, LEAVING, Asker
from swarm.ensemble.effects import (
    AnswersJudged,
    AskerStarted,
    AskRequested,
    Combine,
    LeaveRequested,
    Note,
    QuestionFailed,
)
from swarm.ensemble.latencies import PATIENCE_MIN_S, PATIENCE_SHARE_MAX
from swarm.ensemble.messages import (
    Answer,
    CardRequest,
    MemberGoodbye,
    MemberHeartbeat,
    Payload,
    Question,
    Refusal,
)
from swarm.ensemble.questions import QUESTIONS_MAX
from swarm.ensemble.topics import ensemble_topic
from tests.ensemble.parts import ME, card, digest, make_spec, model, payload, score

A, B, C, D = (PeerId(name) for name in "abcd")
SPEC = make_spec()


class Asking:
    """An asker, and the time."""

    def __init__(self, members: str = "abcd", **fields: Any) -> None:
        self.now_s = 100.0
        self.spec = make_spec(**fields)
        self.asker = Asker(ME, self.spec)
        self.effects: list[Effect] = []
        self.hear(AskerStarted())
        for number, name in enumerate(members, 1):
            self.hear(self.card(PeerId(name), 1, number))

    def card(self, peer: PeerId, number: int, version: int, **fields: Any) -> Event:
        made = card(peer, number, model(version), **fields)
        return type(made)(
            **{name: getattr(made, name) for name in made.__slots__} | {"ensemble": self.spec.id}
        )

    def hear(self, event: Event, at_s: float | None = None) -> list[Effect]:
        self.now_s = at_s if at_s is not None else self.now_s
        effects = self.asker.handle(event, self.now_s)
        self.effects += effects
        return effects

    def ask(self, number: int = 1, **fields: Any) -> list[Question]:
        effects = self.hear(AskRequested(number, payload(2), **fields))
        return questions(effects)

    def answer(
        self,
        peer: PeerId,
        number: int = 1,
        at_s: float | None = None,
        version: int = 1,
        owner: PeerId | None = None,
        answers: Payload | None = None,
    ) -> list[Effect]:
        return self.hear(
            Answer(
                self.spec.id,
                peer,
                number,
                owner or peer,
                digest(version),
                answers or payload(2, b"answers"),
                0.01,
            ),
            at_s,
        )

    def refuse(self, peer: PeerId, reason: str = "busy", detail: str = "") -> list[Effect]:
        return self.hear(Refusal(self.spec.id, peer, 1, peer, reason, detail))

    def due_s(self) -> float:
        timers = [e for e in self.effects if isinstance(e, SetTimer) and e.name == DUE]
        return timers[-1].due_s

    def wait(self) -> list[Effect]:
        """Let time pass until the machine asks for more than another timer."""
        while True:
            effects = self.hear(TimerFired(DUE), self.due_s())
            if any(not isinstance(effect, SetTimer) for effect in effects):
                return effects


def questions(effects: list[Effect]) -> list[Question]:
    sent = [e.message for e in effects if isinstance(e, Send)]
    return [message for message in sent if isinstance(message, Question)]


def the_end(effects: list[Effect]) -> Combine | QuestionFailed | None:
    ends = [e for e in effects if isinstance(e, Combine | QuestionFailed)]
    assert len(ends) <= 1
    return ends[0] if ends else None


def combined(effects: list[Effect]) -> Combine:
    end = the_end(effects)
    assert isinstance(end, Combine)
    return end


def failed(effects: list[Effect]) -> QuestionFailed:
    end = the_end(effects)
    assert isinstance(end, QuestionFailed)
    return end


def test_it_hears_the_ensemble_and_asks_each_peer_for_its_card() -> None:
    asker = Asker(ME, SPEC)

    assert Subscribe(ensemble_topic(SPEC.id)) in asker.handle(AskerStarted(), 0.0)
    assert Send(A, CardRequest(SPEC.id, ME)) in asker.handle(PeerConnected(A), 0.0)
    beat = MemberHeartbeat(SPEC.id, B, 3)
    assert Send(B, CardRequest(SPEC.id, ME)) in asker.handle(beat, 0.0)


def test_it_keeps_connections_to_members() -> None:
    asking = Asking("ab")

    assert KeepConnected((A, B)) in asking.effects


def test_every_member_with_a_model_is_asked_and_all_answers_count() -> None:
    asking = Asking("abc")
    asking.hear(card(D, 1, None))

    asked = asking.ask()
    assert [question.owner for question in asked] == [A, B, C]
    for peer in (A, B):
        assert the_end(asking.answer(peer)) is None
    end = combined(asking.answer(C))

    assert [answer.owner for answer in end.answers] == [A, B, C]
    assert dict(end.missing) == {D: "it has no model yet"}


def test_an_answer_counts_once() -> None:
    asking = Asking("abc")
    asking.ask()
    asking.answer(A, version=1)
    asking.answer(A, version=9)
    asking.answer(B)
    end = combined(asking.answer(C))

    assert (end.answers[0].owner, end.answers[0].version) == (A, digest(1))
    assert len(end.answers) == 3


def test_an_answer_of_a_peer_that_was_not_asked_is_dropped() -> None:
    asking = Asking("ab")
    asking.ask()
    asking.answer(C, owner=A)
    asking.answer(A)
    end = combined(asking.answer(B))

    assert [(a.owner, a.sender) for a in end.answers] == [(A, A), (B, B)]


def test_with_the_quorum_it_waits_only_as_long_as_members_usually_take() -> None:
    asking = Asking("abcd")
    for number in range(1, 6):
        asking.ask(number)
        for peer in (A, B, C, D):
            asking.answer(peer, number, at_s=asking.now_s + 0.01)

    began_s = asking.now_s
    asking.ask(6)
    for peer in (A, B):
        asking.answer(peer, 6, at_s=began_s + 0.01)
    end = combined(asking.wait())

    assert PATIENCE_MIN_S <= asking.now_s - began_s < 0.3
    assert dict(end.missing) == dict.fromkeys((C, D), "it did not answer within 0.13 s")


def test_without_the_quorum_it_waits_until_the_deadline_and_fails() -> None:
    asking = Asking("abcd", quorum=0.75)
    asking.ask()
    asking.answer(A)
    asking.answer(B)

    assert asking.due_s() == 100.0 + SPEC.deadline_s
    end = failed(asking.wait())
    assert (end.num_answers, end.num_needed) == (2, 3)
    assert set(dict(end.missing)) == {C, D}


def test_the_callers_deadline_counts() -> None:
    asking = Asking("ab", quorum=1.0)
    asked = asking.ask(within_s=0.5)

    assert asked[0].within_s == 0.5
    assert asking.due_s() == 100.5


def test_a_member_that_dies_is_not_waited_for() -> None:
    asking = Asking("abc")
    asking.ask()
    asking.answer(A)
    asking.answer(B)
    end = combined(asking.hear(PeerUnreachable(C)))

    assert dict(end.missing) == {C: "the connection to it broke"}


def test_a_question_fails_at_once_when_no_quorum_can_come() -> None:
    asking = Asking("ab", quorum=1.0)
    asking.ask()
    end = failed(asking.refuse(A, "budget", "1,000 rows an hour"))

    assert dict(end.missing)[A] == "this peer has used up its budget of rows: 1,000 rows an hour"


def test_without_members_a_question_fails_at_once() -> None:
    asking = Asking("")

    assert failed(asking.hear(AskRequested(1, payload()))).num_needed == 1


def test_a_member_that_leaves_is_named() -> None:
    asking = Asking("ab")
    asking.ask()
    asking.answer(A)
    end = combined(asking.hear(MemberGoodbye(asking.spec.id, B)))

    assert dict(end.missing) == {B: "it left"}


def test_late_answers_are_dropped_and_teach_how_slow_a_member_is() -> None:
    asking = Asking("ab")
    for number in (1, 2):
        asking.ask(number)
        asking.answer(A, number)
        asking.answer(B, number)
    asking.ask(3)
    asking.answer(A, 3)
    assert combined(asking.wait())
    assert asking.now_s == pytest.approx(100.0 + PATIENCE_MIN_S)
    assert the_end(asking.answer(B, 3, at_s=100.3)) is None

    asking.ask(4)
    asking.answer(A, 4)
    assert combined(asking.wait())
    assert asking.now_s > 100.3 + 2 * PATIENCE_MIN_S


def test_a_member_that_never_answered_is_waited_for_until_the_deadline_once() -> None:
    asking = Asking("ab")
    for number, waited_s in ((1, SPEC.deadline_s), (2, PATIENCE_MIN_S)):
        began_s = asking.now_s
        asking.ask(number)
        asking.answer(A, number)
        assert combined(asking.wait())
        assert asking.now_s - began_s == pytest.approx(waited_s)


def test_a_slow_member_is_waited_for_only_where_the_quorum_needs_it() -> None:
    asking = Asking("ab")
    asking.ask(1)
    asking.answer(A, 1)
    asking.answer(B, 1, at_s=101.9)

    asking.ask(2)
    asking.answer(A, 2)
    assert combined(asking.wait())
    assert asking.now_s == pytest.approx(101.9 + PATIENCE_SHARE_MAX * SPEC.deadline_s)


def test_large_and_small_questions_have_their_own_usual_times() -> None:
    asking = Asking("ab")
    asking.ask(1)
    asking.answer(A, 1)
    asking.answer(B, 1)

    asking.hear(AskRequested(2, payload(2000)))
    asking.answer(A, 2, answers=payload(2000, b"answers"))
    assert combined(asking.wait())
    assert asking.now_s == 100.0 + SPEC.deadline_s


def test_answers_to_another_number_of_rows_are_named() -> None:
    asking = Asking("ab")
    asking.ask()
    asking.answer(A, answers=payload(3, b"answers"))
    end = combined(asking.answer(B))

    assert dict(end.missing) == {A: "its answer has 3 rows, the question 2"}


def test_large_answers_count_once_they_are_here() -> None:
    asking = Asking("a")
    blob = BlobRef(digest(77), 80)
    asking.ask()
    effects = asking.answer(A, answers=Payload(2, blob=blob))
    assert FetchBlob(blob, (A,), SPEC.deadline_s) in effects
    assert KeepBlobs(frozenset({blob})) in effects
    effects = asking.hear(BlobArrived(blob))

    assert combined(effects).answers[0].answers.blob == blob
    assert not [e for e in effects if isinstance(e, KeepBlobs)], "the driver still reads it"


def test_large_answers_that_do_not_come_are_missing() -> None:
    asking = Asking("ab")
    blob = BlobRef(digest(77), 80)
    asking.ask()
    asking.answer(A, answers=Payload(2, blob=blob))
    asking.answer(B)
    end = combined(asking.hear(BlobMissing(blob, "no holder")))

    assert dict(end.missing) == {A: "its answer could not be fetched: no holder"}


def keeping(asking: Asking, peer: PeerId, *versions: int) -> None:
    number = ord(peer) - ord("a") + 1
    kept = tuple(digest(version) for version in versions)
    asking.hear(asking.card(peer, 2, number, keeps=kept))


def test_a_copy_answers_for_a_member_that_is_late() -> None:
    asking = Asking("abc", keep_models=True)
    keeping(asking, B, 1)
    asking.ask()
    asked = questions(asking.wait())

    assert [(q.owner, q.version) for q in asked] == [(A, digest(1))]
    asking.answer(B, owner=A, version=1)
    asking.answer(A, version=1)
    asking.answer(B, version=2)
    end = combined(asking.answer(C, version=3))
    assert [(a.owner, a.sender) for a in end.answers] == [(A, B), (B, B), (C, C)]


def test_a_copy_answers_for_a_member_that_is_lost() -> None:
    asking = Asking("abc", keep_models=True)
    keeping(asking, B, 1)
    asking.hear(PeerUnreachable(A))
    asked = asking.ask()

    assert [(q.owner, q.version) for q in asked] == [(A, digest(1)), (B, None), (C, None)]


def test_copies_of_lost_members_are_no_part_of_the_quorum() -> None:
    asking = Asking("abc", keep_models=True, quorum=1.0)
    keeping(asking, B, 1)
    asking.hear(PeerUnreachable(A))
    asking.ask()
    asking.answer(B, owner=A, version=1)
    asking.answer(B, version=2)
    end = failed(asking.refuse(C))

    assert (end.num_answers, end.num_needed) == (1, 2)


def test_a_copy_must_be_of_the_version_that_was_asked_for() -> None:
    asking = Asking("ab", keep_models=True)
    keeping(asking, B, 1)
    asking.hear(PeerUnreachable(A))
    asking.ask()
    asking.answer(B, owner=A, version=5)
    end = combined(asking.answer(B, version=2))

    assert [answer.owner for answer in end.answers] == [B]
    assert dict(end.missing)[A].startswith("it is lost")


def test_another_peer_with_a_copy_is_asked_when_one_refuses() -> None:
    asking = Asking("abc", keep_models=True)
    keeping(asking, B, 1)
    keeping(asking, C, 1)
    asking.hear(PeerUnreachable(A))
    first = next(e for e in asking.hear(AskRequested(1, payload(2))) if isinstance(e, Send))
    effects = asking.hear(Refusal(asking.spec.id, first.peer, 1, A, "busy"))

    assert [(e.peer) for e in effects if isinstance(e, Send)] == [B if first.peer == C else C]


def test_a_copy_that_is_refused_is_not_asked_for_again() -> None:
    asking = Asking("ab", keep_models=True)
    keeping(asking, B, 1)
    asking.ask()
    asking.refuse(A)
    effects = asking.hear(Refusal(asking.spec.id, B, 1, A, "busy"))

    assert questions(effects) == []


def judged(*verdicts: tuple[PeerId, int, int]) -> AnswersJudged:
    return AnswersJudged(verdicts)


def test_a_member_whose_answers_are_off_loses_its_weight_and_is_named() -> None:
    asking = Asking("ab", quorum=1.0)
    asking.hear(judged((A, 30, 30), (B, 30, 1)))
    notes = [e for e in asking.effects if isinstance(e, Note)]

    assert [note.kind for note in notes] == ["weight lost"]
    assert asking.asker.distrusted == {A}
    assert asking.asker.distrust_reasons == {A: "30 of its last 30 judged rows were off"}


def test_answers_without_weight_are_no_part_of_the_quorum_and_not_waited_for() -> None:
    asking = Asking("abc", quorum=0.6)
    asking.hear(judged((A, 30, 30)))
    assert [question.owner for question in asking.ask()] == [A, B, C]
    asking.answer(B)
    end = combined(asking.answer(C))
    assert [answer.owner for answer in end.answers] == [B, C]

    asking.ask(2)
    asking.answer(A, 2)
    assert the_end(asking.answer(B, 2)) is None, "one answer of two"


def test_one_answer_of_the_wrong_shape_is_like_wrong_rows() -> None:
    asking = Asking("ab")
    asking.hear(AskRequested(1, payload(30)))
    asking.answer(A, answers=payload(2, b"answers"))

    assert asking.asker.distrusted == {A}


def test_a_few_rows_that_are_off_cost_nothing() -> None:
    asking = Asking("ab")
    asking.hear(judged((A, 25, 25)))
    asking.hear(judged((A, 100, 40)))

    assert asking.asker.distrusted == frozenset()


def test_a_member_that_is_good_again_has_its_weight_again() -> None:
    asking = Asking("ab")
    asking.hear(judged((A, 50, 50)))
    asking.hear(judged((A, 39, 0)))
    assert asking.asker.distrusted == {A}

    asking.hear(judged((A, 1, 0)))
    assert asking.asker.distrusted == frozenset()


def test_another_version_has_its_weight_again_once_another_member_scored_it() -> None:
    asking = Asking("abc")
    asking.hear(judged((A, 30, 30)))
    asking.hear(asking.card(A, 2, 7))
    assert asking.asker.distrusted == {A}

    asking.hear(asking.card(B, 2, 2, scores=(score(A, 7),)))
    assert asking.asker.distrusted == frozenset()


def test_a_member_does_not_vouch_for_itself_nor_for_another_one_without_weight() -> None:
    asking = Asking("abc")
    asking.hear(judged((A, 30, 30), (B, 30, 30)))
    asking.hear(asking.card(A, 2, 7, scores=(score(A, 7, is_own=True), score(A, 7))))
    asking.hear(asking.card(B, 2, 2, scores=(score(A, 7),)))

    assert asking.asker.distrusted == {A, B}


def test_a_member_that_names_new_versions_all_the_time_loses_its_weight() -> None:
    asking = Asking("ab")
    for number in range(2, 40):
        asking.hear(asking.card(A, number, 100 + number))
        asking.hear(judged((A, 1, 1)))

    assert asking.asker.distrusted == {A}


def test_questions_are_bounded() -> None:
    asking = Asking("a")
    for number in range(QUESTIONS_MAX):
        asking.ask(number)

    end = failed(asking.hear(AskRequested(QUESTIONS_MAX, payload())))
    assert end.reason == f"{QUESTIONS_MAX} questions are under way"


def test_an_asker_that_leaves_ends_its_questions() -> None:
    asking = Asking("ab")
    asking.ask()

    assert failed(asking.hear(LeaveRequested())).reason == LEAVING
    assert failed(asking.hear(AskRequested(2, payload()))).reason == LEAVING


def test_messages_of_another_ensemble_are_ignored() -> None:
    asking = Asking("a")
    other = make_spec(name="flats")

    assert asking.hear(MemberGoodbye(other.id, A)) == []
    assert asking.ask() != []
