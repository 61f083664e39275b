"""A member's life: cards, other members' models, summaries, restarts."""

import math
from dataclasses import replace

import pytest

from swarm.core.blobs import BlobRef
from swarm.core.effects import (
    BlobArrived,
    BlobMissing,
    FetchBlob,
    KeepBlobs,
    KeepConnected,
    PeerUnreachable,
    Publish,
    Send,
)
from swarm.core.ids import PeerId
from swarm.ensemble.effects import (
    Fit,
    FitFailed,
    FitProgressed,
    FitRequested,
    Fitted,
    MemberStarted,
    NotScored,
    Predict,
    PromoteRequested,
    RollbackRequested,
    RowsShared,
    SaveMember,
    ScoreAnswers,
    Scored,
    ScoreModel,
    Serve,
    ShareRows,
    Summarise,
    Summarised,
)
from swarm.ensemble.member_cards import SPACING_S
from swarm.ensemble.member_settings import MemberSettings
from swarm.ensemble.messages import (
    Answer,
    CardRequest,
    EnsembleOffer,
    EnsembleQuery,
    FitOrder,
    MemberCard,
    MemberGoodbye,
    MemberHeartbeat,
    Payload,
    Question,
    Refusal,
)
from swarm.ensemble.model_scores import (
    COPY,
    REASON_LENGTH_MAX,
    REFUSED_MAX,
    REFUSED_RETRY_S,
    TRIES_MAX,
)
from swarm.ensemble.models_at_home import NOT_SHARED, WITHIN_S
from swarm.ensemble.records import MEMBERS_MAX, QUANTILES, Moments, RefusedModel, Residuals
from swarm.ensemble.roster import HEARTBEAT_EVERY_S, LOST_AFTER_S
from swarm.ensemble.topics import ENSEMBLES_TOPIC
from swarm.ensemble.travelling_models import MODEL_BYTES_MAX, NOT_FETCHED
from swarm.network.gossip import PUBSUB_MESSAGE_SIZE_MAX
from swarm.peer.host.wire import encode
from tests.ensemble.driven import DrivenMember
from tests.ensemble.parts import ASKER, ME, OTHER, THIRD, card, digest, make_spec, model, score
from tests.ensemble.parts import payload as rows_of

SHARES = MemberSettings(shares_rows=True)


def blob(number: int) -> BlobRef:
    return BlobRef(digest(number), 1000)


def scored(member: DrivenMember, owner: PeerId, number: int) -> None:
    """Let a model arrive and be scored."""
    member.do(BlobArrived(blob(number)))
    assert [effect.model.version for effect in member.asked(ScoreModel)] == [digest(number)]
    member.do(Scored(score(owner, number)))


# -- cards


def test_a_new_member_fits_offers_its_ensemble_and_asks_for_cards() -> None:
    member = DrivenMember()

    member.do(MemberStarted(100))

    assert member.asked(Fit) == [Fit(1)]
    assert Publish(ENSEMBLES_TOPIC, EnsembleOffer(ME, member.spec)) in member.last
    assert member.sent(CardRequest) == [CardRequest(member.spec.id, ME)]
    assert member.card().state == "fitting"


def test_a_card_is_saved_before_it_is_sent() -> None:
    member = DrivenMember()

    member.do(MemberStarted(100, card=7))

    assert isinstance(member.last[0], SaveMember)
    assert member.last[0].card == member.card().number == 8


def test_card_numbers_grow_with_each_change_and_only_then() -> None:
    member = DrivenMember().serving()
    assert member.card().number == 2

    member.tick(at_s=1.5)
    assert member.sent(MemberCard) == []
    member.do(FitRequested(), at_s=2.0)
    assert member.card().number == 3


def test_changes_close_together_come_with_one_card() -> None:
    member = DrivenMember().serving()
    member.do(FitRequested(), at_s=2.0)

    member.do(FitFailed(2, "out of memory"), at_s=2.1)
    assert member.sent(MemberCard) == []
    member.tick(at_s=2.0 + SPACING_S)

    assert (member.card().number, member.card().detail) == (4, "the fit failed: out of memory")


def test_progress_alone_comes_with_a_card_only_at_a_heartbeats_pace() -> None:
    member = DrivenMember().serving()
    member.do(FitRequested(), at_s=2.0)
    member.do(FitProgressed(2, 0.5), at_s=2.2)

    member.tick(at_s=3.0)
    assert member.sent(MemberCard) == []
    member.tick(at_s=2.0 + HEARTBEAT_EVERY_S)
    assert member.card().progress == 0.5


def test_heartbeats_name_the_newest_card() -> None:
    member = DrivenMember().serving()

    member.tick(at_s=HEARTBEAT_EVERY_S)

    assert member.sent(MemberHeartbeat) == [MemberHeartbeat(member.spec.id, ME, 2)]


def test_a_peer_that_asks_gets_the_card_and_the_offer() -> None:
    member = DrivenMember().serving()
    newest = member.card()

    member.do(CardRequest(member.spec.id, ASKER), EnsembleQuery(ASKER))

    assert member.last == [Send(ASKER, newest), Send(ASKER, EnsembleOffer(ME, member.spec))]


def test_a_card_that_was_missed_is_requested() -> None:
    member = DrivenMember().serving()
    member.do(card(OTHER, 3, model(2)))

    member.do(MemberHeartbeat(member.spec.id, OTHER, 3))
    assert member.last == []
    member.do(MemberHeartbeat(member.spec.id, OTHER, 4))
    assert member.last == [Send(OTHER, CardRequest(member.spec.id, ME))]


# -- orders


def test_an_order_to_all_is_obeyed_and_published_with_a_saved_number() -> None:
    member = DrivenMember().serving()

    member.do(FitRequested(everyone=True), at_s=2.0)

    assert member.sent(FitOrder) == [FitOrder(member.spec.id, ME, 0)]
    assert member.asked(Fit) == [Fit(2)]
    assert isinstance(member.last[0], SaveMember)
    assert member.last[0].orders == ((ME, 0),)


def test_an_order_is_saved_before_the_fit_begins() -> None:
    member = DrivenMember().serving()

    member.do(FitOrder(member.spec.id, ASKER, 5), at_s=20.0)

    assert isinstance(member.last[0], SaveMember)
    assert member.last[0].orders == ((ASKER, 5),)
    assert member.asked(Fit) == [Fit(2)]


def test_while_a_fit_runs_the_champion_answers() -> None:
    member = DrivenMember().serving()
    member.do(FitRequested(), at_s=2.0)

    member.do(member.question())

    assert [predict.version for predict in member.asked(Predict)] == [digest(1)]


def test_a_model_that_takes_over_is_saved_before_it_answers() -> None:
    member = DrivenMember().serving()
    member.do(FitRequested(), at_s=2.0)
    member.do(Fitted(2, model(2), score(ME, 2, is_own=True)), at_s=5.0)
    assert member.asked(Serve) == [Serve(digest(1), digest(2))]

    member.do(PromoteRequested(), at_s=6.0)

    kinds = [type(effect) for effect in member.last]
    assert kinds.index(SaveMember) < kinds.index(Serve)
    assert member.asked(Serve) == [Serve(digest(2), None)]
    assert member.card().previous == model(1)


def test_rollback_needs_one_request() -> None:
    member = DrivenMember().serving()
    member.machine.models.take_fitted(model(2), score(ME, 2, is_own=True), 2.0)
    member.do(PromoteRequested(), at_s=2.0)

    member.do(RollbackRequested(), at_s=3.0)

    assert member.asked(Serve) == [Serve(digest(1), None)]
    assert member.card().champion == model(1)


# -- other members' models


def test_another_members_champion_is_fetched_scored_and_said_in_the_card() -> None:
    member = DrivenMember().serving()

    member.do(card(OTHER, 1, model(2)), at_s=2.0)
    assert member.asked(FetchBlob) == [FetchBlob(blob(2), (OTHER,), 10.0)]
    assert blob(2) in member.asked(KeepBlobs)[0].blobs
    member.do(BlobArrived(blob(2)))
    assert member.asked(ScoreModel) == [ScoreModel(OTHER, model(2))]
    member.do(Scored(score(OTHER, 2)))

    assert member.card().scores == (score(ME, 1, is_own=True), score(OTHER, 2))
    assert member.asked(KeepBlobs) == [KeepBlobs(frozenset({blob(1)}))]


def test_one_model_is_scored_at_a_time() -> None:
    member = DrivenMember().serving()
    member.do(card(OTHER, 1, model(2)), card(THIRD, 1, model(3)))

    member.do(BlobArrived(blob(2)), BlobArrived(blob(3)))
    assert member.asked(ScoreModel) == [ScoreModel(OTHER, model(2))]
    member.do(Scored(score(OTHER, 2)))
    assert member.asked(ScoreModel) == [ScoreModel(THIRD, model(3))]


def test_a_refused_model_is_named_with_the_reason_and_not_fetched_again() -> None:
    member = DrivenMember().serving()
    member.do(card(OTHER, 1, model(2)), at_s=2.0)
    member.do(BlobArrived(blob(2)))

    refusal = RefusedModel(OTHER, digest(2), "type os.system is not allowed")
    member.do(NotScored(refusal), at_s=3.0)

    assert member.card().refused == (refusal,)
    member.do(card(OTHER, 2, model(2)), at_s=4.0)
    assert member.asked(FetchBlob) == []


def test_a_model_file_that_is_too_large_is_refused_before_it_is_fetched() -> None:
    member = DrivenMember().serving()
    huge = model(2).__class__(
        digest(2), "gbr", "skops", BlobRef(digest(2), MODEL_BYTES_MAX + 1), 100, 1.0, 1.0
    )

    member.do(card(OTHER, 1, huge), at_s=2.0)

    assert member.asked(FetchBlob) == []
    assert [refusal.version for refusal in member.card().refused] == [digest(2)]


def test_a_model_that_cannot_be_fetched_is_tried_again_later() -> None:
    member = DrivenMember().serving()
    member.do(card(OTHER, 1, model(2)), at_s=2.0)

    member.do(BlobMissing(blob(2), "no holder"), at_s=3.0)
    assert member.asked(FetchBlob) == []
    member.do(MemberHeartbeat(member.spec.id, OTHER, 1), at_s=7.0)
    member.tick(at_s=8.0)
    assert len(member.asked(FetchBlob)) == 1


def unfetchable(member: DrivenMember, until_s: int) -> None:
    """Let every fetch of the model `digest(2)` fail."""
    for number in range(int(member.now_s) + 1, until_s):
        member.do(MemberHeartbeat(member.spec.id, OTHER, 1), at_s=float(number))
        member.tick(at_s=float(number))
        if member.asked(FetchBlob):
            member.do(BlobMissing(blob(2), "no holder"))


def test_a_model_that_can_never_be_fetched_is_refused_and_stops_no_summary() -> None:
    member = DrivenMember().serving()
    member.do(Summarised(None, None), at_s=1.5)
    member.do(card(OTHER, 1, model(2)), card(THIRD, 1, model(3)), at_s=10.0)
    scored(member, THIRD, 3)
    member.do(BlobMissing(blob(2), "no holder"), at_s=11.0)
    assert member.machine.card().refused == ()

    unfetchable(member, 200)

    assert member.machine.card().refused == (RefusedModel(OTHER, digest(2), NOT_FETCHED),)
    assert member.machine._summarising._asked is not None


def test_a_model_that_could_not_be_fetched_is_tried_again_after_a_long_time() -> None:
    member = DrivenMember().serving()
    member.do(card(OTHER, 1, model(2)), at_s=2.0)
    member.do(BlobMissing(blob(2), "no holder"), at_s=3.0)
    unfetchable(member, 200)

    late_s = 200.0 + REFUSED_RETRY_S
    member.do(MemberHeartbeat(member.spec.id, OTHER, 1), at_s=late_s)
    member.tick(at_s=late_s)
    assert len(member.asked(FetchBlob)) == 1
    assert len(member.machine.card().refused) == 1, "nothing waits for the new try"
    member.do(BlobArrived(blob(2)), Scored(score(OTHER, 2)))

    assert member.machine.card().refused == ()
    assert score(OTHER, 2) in member.machine.card().scores


def test_a_member_can_fail_to_score_for_days() -> None:
    scores = DrivenMember().serving().machine._scores

    for number in range(2000):
        scores.retry_later(OTHER, digest(2), NOT_FETCHED, number * 120.0)

    assert scores.is_settled(OTHER, digest(2))


@pytest.mark.parametrize("at_home", [False, True])
def test_a_copy_of_this_members_own_model_is_refused(at_home: bool) -> None:
    """Scored on the rows that it was fitted on, a thief's model would look best of all."""
    member = DrivenMember(settings=SHARES).serving()

    member.do(card(OTHER, 1, model(1, at_home=at_home)), at_s=2.0)

    assert member.asked(FetchBlob) == []
    assert member.asked(ShareRows) == []
    assert member.card().refused == (RefusedModel(OTHER, digest(1), COPY),)


def test_a_model_that_was_scored_before_it_was_this_members_own_loses_its_score() -> None:
    member = DrivenMember().serving()
    member.do(card(OTHER, 1, model(2)), at_s=2.0)
    scored(member, OTHER, 2)

    member.do(FitRequested(), at_s=3.0)
    (fit,) = member.asked(Fit)
    member.do(Fitted(fit.job, model(2), score(ME, 2, is_own=True)), at_s=4.0)

    assert member.card().scores == (score(ME, 1, is_own=True), score(ME, 2, is_own=True))
    assert member.card().refused == (RefusedModel(OTHER, digest(2), COPY),)


def test_a_challenger_is_scored_before_it_takes_over() -> None:
    member = DrivenMember().serving()
    member.do(card(OTHER, 1, model(2)), at_s=2.0)
    scored(member, OTHER, 2)

    member.do(card(OTHER, 2, model(2), challenger=model(3)), at_s=3.0)
    scored(member, OTHER, 3)
    member.do(card(OTHER, 3, model(3), previous=model(2)), at_s=4.0)

    assert member.asked(FetchBlob) == []
    assert {each.version for each in member.card().scores} == {digest(1), digest(2), digest(3)}


def test_scores_of_models_that_no_card_names_are_forgotten() -> None:
    member = DrivenMember().serving()
    member.do(card(OTHER, 1, model(2)), at_s=2.0)
    scored(member, OTHER, 2)

    member.do(card(OTHER, 2, model(4)), at_s=3.0)

    assert {each.version for each in member.card().scores} == {digest(1)}


def test_all_models_are_scored_again_when_the_champion_has_other_rows() -> None:
    member = DrivenMember().serving()
    member.do(card(OTHER, 1, model(2)), at_s=2.0)
    scored(member, OTHER, 2)
    newer = model(3, num_rows=150)
    member.machine.models.take_fitted(newer, score(ME, 3, is_own=True), 2.0)

    member.do(PromoteRequested(), at_s=3.0)

    assert [fetch.blob for fetch in member.asked(FetchBlob)] == [blob(2)]
    assert score(OTHER, 2) in member.card().scores


def test_a_member_that_left_is_forgotten_and_a_silent_one_not_scored() -> None:
    member = DrivenMember().serving()
    member.do(card(OTHER, 1, model(2)), at_s=2.0)
    assert member.asked(KeepConnected) == [KeepConnected((OTHER,))]

    member.do(MemberGoodbye(member.spec.id, OTHER), at_s=3.0)
    assert member.asked(KeepConnected) == [KeepConnected(())]
    member.do(BlobArrived(blob(2)))
    assert member.asked(ScoreModel) == []


def test_a_member_that_cannot_be_reached_is_lost_at_once() -> None:
    member = DrivenMember().serving()
    member.do(card(OTHER, 1, model(2)), at_s=2.0)

    member.do(PeerUnreachable(OTHER))

    assert member.asked(KeepConnected) == [KeepConnected(())]


# -- copies


def test_a_kept_model_answers_for_a_lost_member() -> None:
    member = DrivenMember(make_spec(keep_models=True)).serving()
    theirs = MemberCard(member.spec.id, OTHER, 1, "serving", 0.0, 100, champion=model(2))
    member.do(theirs, at_s=2.0)
    scored(member, OTHER, 2)
    assert member.asked(Serve) == [Serve(digest(1), None, (model(2),))]
    assert member.card().keeps == (digest(2),)

    member.do(member.question(owner=OTHER, version=digest(2)), at_s=2.0 + LOST_AFTER_S)

    assert [(predict.owner, predict.version) for predict in member.asked(Predict)] == [
        (OTHER, digest(2))
    ]


def test_a_copy_answers_only_by_the_version_that_was_asked_for() -> None:
    member = DrivenMember(make_spec(keep_models=True)).serving()
    theirs = MemberCard(member.spec.id, OTHER, 1, "serving", 0.0, 100, champion=model(2))
    member.do(theirs)
    scored(member, OTHER, 2)

    member.do(
        member.question(1, owner=OTHER, version=None),
        member.question(2, owner=OTHER, version=digest(1)),
    )

    assert [refusal.reason for refusal in member.sent(Refusal)] == ["no-model", "no-model"]


def test_a_challenger_that_takes_over_is_fetched_again_to_be_kept() -> None:
    member = DrivenMember(make_spec(keep_models=True)).serving()
    first, later = (
        MemberCard(member.spec.id, OTHER, number, "serving", 0.0, 100, champion=champion, **rest)
        for number, champion, rest in (
            (1, model(2), {"challenger": model(3)}),
            (2, model(3), {}),
        )
    )
    member.do(first, at_s=2.0)
    scored(member, OTHER, 2)
    scored(member, OTHER, 3)

    member.do(later, at_s=3.0)
    scored(member, OTHER, 3)

    assert member.asked(Serve) == [Serve(digest(1), None, (model(3),))]
    member.tick(at_s=4.0)
    assert member.asked(FetchBlob) == []


def test_a_model_at_home_is_scored_once_though_models_are_kept() -> None:
    member = DrivenMember(make_spec(keep_models=True), SHARES).serving()
    home = model(2, at_home=True)
    member.do(MemberCard(member.spec.id, OTHER, 1, "serving", 0.0, 100, champion=home), at_s=2.0)
    member.do(RowsShared(OTHER, digest(2), rows_of(50)))
    (question,) = member.sent(Question)
    answer = Answer(member.spec.id, OTHER, question.number, OTHER, digest(2), rows_of(50), 0.1)
    member.do(answer, Scored(score(OTHER, 2)))

    member.tick(at_s=3.0)

    assert member.asked(ShareRows) == []


def test_a_copy_of_a_member_that_left_is_kept() -> None:
    member = DrivenMember(make_spec(keep_models=True)).serving()
    theirs = MemberCard(member.spec.id, OTHER, 1, "serving", 0.0, 100, champion=model(2))
    member.do(theirs)
    scored(member, OTHER, 2)

    member.do(MemberGoodbye(member.spec.id, OTHER), at_s=3.0)
    member.do(member.question(owner=OTHER, version=digest(2)))

    assert len(member.asked(Predict)) == 1


def full_member() -> DrivenMember:
    """Has scored two models of each of 63 others, refused the third, and keeps their models."""
    member = DrivenMember(make_spec(keep_models=True)).serving()
    scores = member.machine._scores
    for k in range(1, MEMBERS_MAX):
        owner, first = PeerId(f"12D3KooW{k:044}"), 2**255 + 10 * k
        others = {"challenger": model(first + 1), "previous": model(first + 2)}
        other = replace(card(owner, 1, model(first), **others), ensemble=member.spec.id)
        member.do(other, at_s=2.0)
        for number in (first, first + 1):
            scores.take_score(model(number), score(owner, number, 1 / 3))
        scores.refuse(owner, digest(first + 2), "é" * 300)
    return member


def test_a_card_with_all_that_it_can_say_can_be_published() -> None:
    member = full_member()
    versions = tuple(digest(2**255 + 10 * k) for k in range(MEMBERS_MAX))
    gram = (1 / 3,) * MEMBERS_MAX**2
    residuals = Residuals("skill", versions, (1 / 3,) * QUANTILES, 2000)
    member.do(Summarised(Moments(versions, gram, gram[:MEMBERS_MAX], 2000), residuals))

    full = member.machine.card()

    assert len(full.scores) == 2 * MEMBERS_MAX - 3 + 1
    assert len(full.refused) == MEMBERS_MAX - 1
    assert len(full.keeps) == MEMBERS_MAX - 1
    assert len(encode(full)) < PUBSUB_MESSAGE_SIZE_MAX


def test_the_reason_of_a_refusal_is_short_ascii_in_the_card() -> None:
    member = full_member()

    assert {each.reason for each in member.machine.card().refused} == {"?" * REASON_LENGTH_MAX}


def test_a_card_lists_a_bounded_number_of_refusals() -> None:
    member = DrivenMember().serving()
    for k in range(REFUSED_MAX // 2 + 1):
        owner = PeerId(f"other {k}")
        member.do(card(owner, 1, model(10 + 2 * k), challenger=model(11 + 2 * k)), at_s=2.0)
        for number in (10 + 2 * k, 11 + 2 * k):
            member.machine._scores.refuse(owner, digest(number), "no")

    assert len(member.machine.card().refused) == REFUSED_MAX


# -- summaries


def test_a_summary_is_computed_once_all_champions_are_scored() -> None:
    member = DrivenMember().serving()
    member.do(Summarised(None, None), at_s=1.5)
    member.do(card(OTHER, 1, model(2)), card(THIRD, 1, model(3)), at_s=10.0)
    scored(member, OTHER, 2)
    assert member.asked(Summarise) == []

    member.do(BlobArrived(blob(3)), Scored(score(THIRD, 3)), at_s=11.0)

    own, others = score(ME, 1, is_own=True), (score(OTHER, 2), score(THIRD, 3))
    models = ((ME, digest(1)), (OTHER, digest(2)), (THIRD, digest(3)))
    assert member.asked(Summarise) == [Summarise(models, (own, *others))]


def test_a_refused_model_is_left_out_of_the_summary() -> None:
    member = DrivenMember().serving()
    member.do(Summarised(None, None), at_s=1.5)
    member.do(card(OTHER, 1, model(2)), card(THIRD, 1, model(3)), at_s=10.0)
    scored(member, OTHER, 2)

    refusal = RefusedModel(THIRD, digest(3), "zip bomb")
    member.do(BlobArrived(blob(3)), NotScored(refusal), at_s=11.0)

    (summary,) = member.asked(Summarise)
    assert summary.models == ((ME, digest(1)), (OTHER, digest(2)))


def test_scores_by_others_are_summarised_again_because_weights_follow_them() -> None:
    member = DrivenMember().serving()
    member.do(Summarised(None, None), at_s=1.5)
    theirs = score(ME, 1, 3.0)

    member.do(card(OTHER, 1, None, scores=(theirs,)), at_s=10.0)

    (summary,) = member.asked(Summarise)
    assert summary.scores == (score(ME, 1, is_own=True), theirs)


def test_scores_that_lie_about_their_scorer_or_repeat_do_not_count() -> None:
    member = DrivenMember().serving()
    member.do(Summarised(None, None), at_s=1.5)
    theirs = score(ME, 1, 3.0)
    as_mine = score(ME, 1, 0.0, is_own=True)

    member.do(card(OTHER, 1, None, scores=(as_mine, theirs, theirs)), at_s=10.0)

    (summary,) = member.asked(Summarise)
    assert summary.scores == (score(ME, 1, is_own=True), theirs)


# -- models that stay at home


def test_a_model_at_home_is_scored_by_a_question_on_shared_rows() -> None:
    member = DrivenMember(settings=SHARES).serving()
    home = model(2, at_home=True)

    member.do(card(OTHER, 1, home), at_s=2.0)
    assert member.asked(ShareRows) == [ShareRows(OTHER, home)]
    member.do(RowsShared(OTHER, digest(2), rows_of(50)))
    (question,) = member.sent(Question)
    assert (question.owner, question.version, question.rows) == (OTHER, digest(2), rows_of(50))
    answer = Answer(
        member.spec.id, OTHER, question.number, OTHER, digest(2), rows_of(50, b"answers"), 0.1
    )
    member.do(answer)
    assert member.asked(ScoreAnswers) == [ScoreAnswers(OTHER, home, rows_of(50, b"answers"))]
    member.do(Scored(score(OTHER, 2)))

    assert score(OTHER, 2) in member.card().scores
    assert member.card().shares_rows


def test_a_member_that_shares_no_rows_says_so_and_sends_none() -> None:
    member = DrivenMember().serving()

    member.do(card(OTHER, 1, model(2, at_home=True)), at_s=2.0)

    assert member.asked(ShareRows) == []
    assert member.card().refused == (RefusedModel(OTHER, digest(2), NOT_SHARED),)


def test_large_answers_about_shared_rows_are_fetched() -> None:
    member = DrivenMember(settings=SHARES).serving()
    member.do(card(OTHER, 1, model(2, at_home=True)), at_s=2.0)
    member.do(RowsShared(OTHER, digest(2), Payload(50, blob=blob(60))))
    assert blob(60) in member.asked(KeepBlobs)[0].blobs
    (question,) = member.sent(Question)
    answers = Payload(50, blob=blob(61))
    member.do(Answer(member.spec.id, OTHER, question.number, OTHER, digest(2), answers, 0.1))
    assert member.asked(FetchBlob) == [FetchBlob(blob(61), (OTHER,), WITHIN_S)]

    member.do(BlobArrived(blob(61)))

    assert [effect.answers for effect in member.asked(ScoreAnswers)] == [answers]


def test_an_owner_that_refuses_is_named() -> None:
    member = DrivenMember(settings=SHARES).serving()
    member.do(card(OTHER, 1, model(2, at_home=True)), at_s=2.0)
    member.do(RowsShared(OTHER, digest(2), rows_of(50)))
    (question,) = member.sent(Question)

    member.do(Refusal(member.spec.id, OTHER, question.number, OTHER, "not-allowed"), at_s=3.0)

    (refused,) = member.card().refused
    assert refused.reason == "its owner did not answer: not-allowed"


def test_an_owner_that_never_answers_is_asked_a_few_times() -> None:
    member = DrivenMember(settings=SHARES).serving()
    member.do(card(OTHER, 1, model(2, at_home=True)), at_s=2.0)
    num_asked = 0
    for number in range(2, 1000):
        member.do(MemberHeartbeat(member.spec.id, OTHER, 1), at_s=float(number))
        member.tick(at_s=float(number))
        if member.asked(ShareRows) or number == 2:
            num_asked += 1
            member.do(RowsShared(OTHER, digest(2), rows_of(50)))

    assert num_asked == TRIES_MAX
    assert [each.version for each in member.machine.card().refused] == [digest(2)]


def test_answers_of_another_peer_are_not_taken_for_the_owners() -> None:
    member = DrivenMember(settings=SHARES).serving()
    member.do(card(OTHER, 1, model(2, at_home=True)), at_s=2.0)
    member.do(RowsShared(OTHER, digest(2), rows_of(50)))
    (question,) = member.sent(Question)

    answer = Answer(member.spec.id, THIRD, question.number, OTHER, digest(2), rows_of(50), 0.1)
    member.do(answer)

    assert member.asked(ScoreAnswers) == []


# -- restarts


def test_a_restart_goes_on_with_saved_models_and_greater_numbers() -> None:
    first = DrivenMember().serving()
    (saved,) = first.asked(SaveMember)
    second = DrivenMember()

    second.do(
        MemberStarted(
            100,
            saved.card,
            saved.champion,
            saved.challenger,
            saved.previous,
            saved.orders,
            saved.scores,
        )
    )

    assert second.asked(Fit) == []
    assert second.asked(Serve) == [Serve(digest(1), None)]
    assert second.card().number == saved.card + 1
    assert second.card().scores == (score(ME, 1, is_own=True),)
    assert second.asked(KeepBlobs) == [KeepBlobs(frozenset({blob(1)}))]


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"shadow_s": -1.0}, "shadow_s must be finite and at least 0, got -1.0"),
        ({"shadow_rows": -1}, "shadow_rows must be at least 0, got -1"),
        ({"refit_share": 0.0}, "refit_share must be a positive number, got 0.0"),
        ({"refit_every_s": math.nan}, "refit_every_s must be at least 0, got nan"),
    ],
)
def test_settings_that_make_no_sense_are_refused(fields: dict[str, float], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        MemberSettings(**fields)  # type: ignore[arg-type]
