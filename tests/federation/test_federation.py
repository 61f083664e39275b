"""One machine: what it does about each event."""

from dataclasses import replace
from typing import Any

import pytest

from swarm.core.blobs import BlobRef
from swarm.core.canonical import sha256_hex
from swarm.core.effects import (
    BlobArrived,
    BlobMissing,
    FetchBlob,
    KeepBlobs,
    KeepConnected,
    PeerUnreachable,
    Publish,
    Send,
    Subscribe,
)
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, SetTimer, TimerFired
from swarm.core.session import COHORT_MAX, SessionSpec
from swarm.federation.ancestry import STALENESS_MAX
from swarm.federation.effects import (
    Combine,
    Combined,
    CombineFailed,
    CreateWeights,
    Evaluate,
    EvaluationFinished,
    LearnerReady,
    LeaveRequested,
    Note,
    Rejection,
    SaveContribution,
    SaveHead,
    Started,
    Train,
    TrainingFailed,
    TrainingFinished,
    WeightsCreated,
)
from swarm.federation.enquiries import ASK_AGAIN_AFTER_S
from swarm.federation.federation import (
    BEAT,
    REPEAT,
    Federation,
)
from swarm.federation.founding import FOUND
from swarm.federation.messages import (
    HISTORY_MAX,
    Contribution,
    Goodbye,
    HeadHistory,
    HeadRequest,
    Heartbeat,
    JoinWish,
    SessionOffer,
    SessionQuery,
)
from swarm.federation.newcomers import SETTLED_AFTER_S
from swarm.federation.signed_records import Aggregate, GlobalModel, Metrics
from swarm.federation.topics import cluster_topic, session_topic
from swarm.federation.training import RETRY_TRAINING, RETRY_TRAINING_AFTER_S
from swarm.federation.voice import BEACON_EVERY_REPEATS

ANNA = PeerId("anna")


def of(kind: type, effects: list[Effect]) -> list[Any]:
    return [effect for effect in effects if isinstance(effect, kind)]


def published(kind: type, effects: list[Effect]) -> list[Publish]:
    return [effect for effect in of(Publish, effects) if isinstance(effect.message, kind)]


def finished(head: GlobalModel, blob: Any) -> TrainingFinished:
    return TrainingFinished(head.digest, blob, 100, 4.0, None)


@pytest.fixture
def head0(session: Any) -> GlobalModel:
    head: GlobalModel = session.head0
    return head


@pytest.fixture
def aggregator(session: Any, head0: GlobalModel) -> PeerId:
    """Term 0 of a tier-1 cluster, but not of the root."""
    root = session.ranking(head0, session.tree(head0).root)[0]
    firsts = [session.ranking(head0, c)[0] for c in session.tree(head0).tiers[0]]
    return next(peer for peer in firsts if peer != root)


# -- head 0


def test_the_starter_founds_the_session_when_enough_peers_wish(session: Any) -> None:
    starter, anna = session.peers[0], session.peers[1]
    machine = Federation(starter, session.spec, lambda digest: b"s")
    machine.handle(Started(), 0.0)

    assert CreateWeights() in machine.handle(LearnerReady(), 1.0)
    blob = session.head0.blob
    assert machine.handle(WeightsCreated(blob), 2.0) == []
    waiting = machine.handle(JoinWish(session.spec.id, anna, None), 3.0)
    assert waiting == [SetTimer(FOUND, 3.0 + SETTLED_AFTER_S)]  # others may start just as well
    effects = machine.handle(TimerFired(FOUND), 3.0 + SETTLED_AFTER_S)

    head = session.first(blob, cohort=(starter, anna))
    assert effects[-1] == KeepBlobs(frozenset({blob}))
    assert Publish(session_topic(session.spec.id), head) in effects
    assert [SaveHead(head), KeepConnected((anna,))] == [
        e for e in effects if isinstance(e, SaveHead | KeepConnected)
    ]
    assert Train(head.digest, blob, 1) in effects  # type: ignore[arg-type]


def test_nobody_but_the_starter_makes_weights(session: Any) -> None:
    machine = Federation(session.peers[1], session.spec, lambda digest: b"s")
    machine.handle(Started(), 0.0)

    assert of(CreateWeights, machine.handle(LearnerReady(), 1.0)) == []


# -- adopting


def test_a_head_is_adopted_once_its_weights_are_here(session: Any, head0: GlobalModel) -> None:
    machine, _ = session.machine(session.peers[1])

    fetch, *approach = machine.handle(head0, 1.0)
    assert fetch == FetchBlob(head0.blob, (head0.author, *session.peers[2:]), 2.0)
    assert machine.held is None
    effects = machine.handle(BlobArrived(head0.blob), 2.0)

    assert machine.held == head0
    assert Train(head0.digest, head0.blob, 1) in effects  # type: ignore[arg-type]
    path = session.tree(head0).path(session.peers[1])
    topics = [cluster_topic(session.spec.id, cluster.id) for cluster in path]
    assert [e.topic for e in of(Subscribe, approach)] == topics
    assert [e.topic for e in published(Heartbeat, approach)] == topics
    # All of the home cluster listen one tier up: one heartbeat reaches them.
    assert [e.topic for e in published(Heartbeat, effects)] == topics[1:]


def test_while_a_greater_heads_weights_are_missing_a_lesser_one_is_adopted(session: Any) -> None:
    head0, head1 = session.chain(1)
    rival = session.child(head0, term=1)
    machine, _ = session.machine(session.peers[1], head0)
    machine.handle(rival, 1.0)
    machine.handle(head1, 1.0)

    machine.handle(BlobArrived(head1.blob), 1.1)
    assert machine.held == head1
    machine.handle(BlobMissing(rival.blob, "gone"), 1.2)
    effects = machine.handle(TimerFired(BEAT), 4.0)

    assert [e.blob for e in of(FetchBlob, effects)] == [rival.blob]
    machine.handle(BlobArrived(rival.blob), 3.0)
    assert machine.held == rival


def test_a_head_that_breaks_a_rule_is_rejected_and_said_so(session: Any, head0: Any) -> None:
    machine, _ = session.machine(session.peers[1], head0)
    bad = replace(session.child(head0), author=ANNA)

    (note,) = machine.handle(bad, 1.0)

    assert (note.kind, machine.rejections) == ("rejected", 1)
    assert machine.held == head0


def test_messages_of_other_sessions_change_nothing(session: Any, head0: GlobalModel) -> None:
    machine, _ = session.machine(session.peers[1])

    assert machine.handle(replace(head0, session="other"), 1.0) == []
    assert machine.handle(JoinWish("other", ANNA, None), 1.0) == []  # type: ignore[arg-type]


def test_who_beats_with_an_unknown_greater_head_is_asked_for_it(session: Any) -> None:
    heads = session.chain(3)
    machine, _ = session.machine(session.peers[1], heads[0])
    anna = session.peers[2]

    effects = machine.handle(Heartbeat(session.spec.id, anna, heads[3].key), 1.0)
    assert effects == [Send(anna, HeadRequest(session.spec.id, machine.me, heads[3].digest, 1))]

    effects = machine.handle(HeadHistory(session.spec.id, anna, (heads[3],)), 1.1)
    ancestor = HeadRequest(session.spec.id, machine.me, heads[2].digest, HISTORY_MAX)
    assert effects == [Send(anna, ancestor)]

    effects = machine.handle(HeadHistory(session.spec.id, anna, (heads[2], heads[1])), 1.2)
    assert [e.blob for e in of(FetchBlob, effects)] == [heads[3].blob]
    assert machine.handle(Heartbeat(session.spec.id, anna, heads[3].key), 1.3) == []


def test_a_lie_about_an_old_head_fetches_nothing(session: Any) -> None:
    head0, head1 = session.chain(1)
    machine, _ = session.machine(session.peers[1], head0, head1)
    lie = replace(head0.key, examples_before=10**9)

    assert machine.handle(Heartbeat(session.spec.id, ANNA, lie), 1.0) == []


def test_a_joiner_believes_the_first_head_of_its_bootstrap_only(session: Any) -> None:
    head = session.chain(3)[3]
    history = HeadHistory(session.spec.id, ANNA, (head,))
    trusting = Federation(PeerId("joiner"), session.spec, lambda digest: b"s")
    started = trusting.handle(Started(offered_by=(ANNA,)), 0.0)
    wary = Federation(PeerId("joiner"), session.spec, lambda digest: b"s")
    wary.handle(Started(), 0.0)

    request = HeadRequest(session.spec.id, trusting.me, None, 1 + STALENESS_MAX)
    assert Send(ANNA, request) in started
    assert [e.blob for e in of(FetchBlob, trusting.handle(history, 1.0))] == [head.blob]
    assert of(FetchBlob, wary.handle(history, 1.0)) == []


# -- contributing


def test_a_finished_training_is_saved_before_it_is_announced(session: Any, head0: Any) -> None:
    machine, _ = session.machine(session.peers[1], head0)
    mine = session.contribution(session.peers[1], head0)
    topic = cluster_topic(session.spec.id, session.tree(head0).home(session.peers[1]).id)

    effects = machine.handle(finished(head0, mine.blob), 3.0)

    assert effects == [SaveContribution(mine), Publish(topic, mine)]
    assert machine.handle(finished(head0, mine.blob), 3.5) == []
    repeated = machine.handle(TimerFired(REPEAT), 4.5)
    assert Publish(topic, mine) in repeated


def test_small_weights_ride_along_once_and_repeats_carry_the_reference(
    session: Any, head0: GlobalModel
) -> None:
    machine, _ = session.machine(session.peers[1], head0)
    small = replace(head0.blob, size_bytes=1000)

    (first,) = published(Contribution, machine.handle(finished(head0, small), 3.0))
    (again,) = published(Contribution, machine.handle(TimerFired(REPEAT), 4.5))

    assert first.attach == small
    assert again == replace(first, attach=None)


def test_training_from_an_older_head_that_counted_already_is_dropped(session: Any) -> None:
    head0, head1 = session.chain(1)
    machine, _ = session.machine(session.peers[1], head0, head1)

    assert machine.handle(finished(head0, head0.blob), 3.0) == []


def test_a_failed_training_is_tried_again_a_moment_later(session: Any, head0: Any) -> None:
    machine, _ = session.machine(session.peers[1], head0)

    effects = machine.handle(TrainingFailed(head0.digest, "died"), 3.0)
    again = machine.handle(TimerFired(RETRY_TRAINING), 3.5)

    assert effects == [
        Note("info", "training failed, trying again: died"),
        SetTimer(RETRY_TRAINING, 3.0 + RETRY_TRAINING_AFTER_S),
    ]
    assert again == [Train(head0.digest, head0.blob, 1)]  # type: ignore[arg-type]


def test_after_a_restart_the_stored_contribution_is_announced_not_trained_again(
    session: Any, head0: GlobalModel
) -> None:
    me = session.peers[1]
    mine = session.contribution(me, head0)
    machine = Federation(me, session.spec, lambda digest: b"s")

    effects = machine.handle(Started((head0,), mine), 0.0)
    ready = machine.handle(LearnerReady(), 9.0)

    assert [e.message for e in published(Contribution, effects)] == [mine]
    assert of(Train, [*effects, *ready]) == []
    assert mine.blob in of(KeepBlobs, effects)[-1].blobs
    assert machine.handle(finished(head0, head0.blob), 9.5) == []


def test_after_a_restart_without_a_contribution_training_waits_for_the_learner(
    session: Any, head0: GlobalModel
) -> None:
    machine = Federation(session.peers[1], session.spec, lambda digest: b"s")

    assert of(Train, machine.handle(Started((head0,)), 0.0)) == []
    assert of(Train, machine.handle(LearnerReady(), 9.0)) != []


def test_early_announcements_count_when_their_head_is_adopted(
    session: Any, head0: GlobalModel, aggregator: PeerId
) -> None:
    machine, _ = session.machine(aggregator)
    home = session.tree(head0).home(aggregator)
    for peer in home.peers:
        if peer != aggregator:
            machine.handle(session.contribution(peer, head0), 0.5)
    machine.handle(head0, 1.0)

    effects = machine.handle(BlobArrived(head0.blob), 2.0)

    others = [session.contribution(p, head0).blob for p in home.peers if p != aggregator]
    assert [e.blob for e in of(FetchBlob, effects)] == others


def test_who_missed_a_head_asks_each_that_announces_work_on_it(
    session: Any, head0: GlobalModel, aggregator: PeerId
) -> None:
    machine, _ = session.machine(aggregator)
    one, two = [p for p in session.tree(head0).home(aggregator).peers if p != aggregator]
    request = HeadRequest(session.spec.id, aggregator, head0.digest, 1)

    assert of(Send, machine.handle(session.contribution(one, head0), 0.5)) == [Send(one, request)]
    assert of(Send, machine.handle(session.contribution(two, head0), 0.6)) == [Send(two, request)]
    assert of(Send, machine.handle(session.contribution(two, head0), 0.7)) == []
    machine.handle(head0, 1.0)
    assert of(Send, machine.handle(session.contribution(one, head0), 2.6)) == []


# -- combining


def all_in(session: Any, machine: Federation, head: GlobalModel) -> Combine:
    home = session.tree(head).home(machine.me)
    effects: list[Effect] = []
    for peer in home.peers:
        contribution = session.contribution(peer, head)
        machine.handle(contribution, 3.0)
        if peer == machine.me:
            machine.handle(finished(head, contribution.blob), 3.0)
        effects = machine.handle(BlobArrived(contribution.blob), 3.0)
    (combine,) = of(Combine, effects)
    assert isinstance(combine, Combine)
    return combine


def test_the_aggregator_announces_its_clusters_result_one_tier_up(
    session: Any, head0: GlobalModel, aggregator: PeerId
) -> None:
    machine, _ = session.machine(aggregator, head0)
    combine = all_in(session, machine, head0)
    result = session.aggregate(session.tree(head0).home(aggregator), head0)

    effects = machine.handle(Combined(head0.digest, combine.cluster, result.blob), 3.5)

    root = cluster_topic(session.spec.id, session.tree(head0).root.id)
    (announced,) = published(Aggregate, effects)
    assert announced == Publish(root, result.signed(announced.message.signature))
    assert announced in machine.handle(TimerFired(REPEAT), 4.5)


def test_rejected_inputs_are_told_and_not_named(
    session: Any, head0: GlobalModel, aggregator: PeerId
) -> None:
    machine, _ = session.machine(aggregator, head0)
    combine = all_in(session, machine, head0)
    bad = combine.inputs[0].name

    effects = machine.handle(
        Combined(head0.digest, combine.cluster, head0.blob, (Rejection(bad, "not finite"),)), 6.0
    )

    assert Note("rejected", f"{bad}: not finite", bad) in effects
    (announced,) = published(Aggregate, effects)
    assert bad not in {c.peer for c in announced.message.contributors}  # type: ignore[attr-defined]
    assert machine.rejections == 1


def test_when_everything_is_rejected_nothing_is_announced(
    session: Any, head0: GlobalModel, aggregator: PeerId
) -> None:
    machine, _ = session.machine(aggregator, head0)
    combine = all_in(session, machine, head0)
    rejected = tuple(Rejection(item.name, "bad") for item in combine.inputs)

    effects = machine.handle(Combined(head0.digest, combine.cluster, head0.blob, rejected), 3.5)

    assert published(Aggregate, effects) == []
    assert of(Combine, machine.handle(TimerFired(BEAT), 9.0)) == []


def test_a_worker_that_died_combining_is_asked_again_but_not_at_once(
    session: Any, head0: GlobalModel, aggregator: PeerId
) -> None:
    machine, _ = session.machine(aggregator, head0)
    combine = all_in(session, machine, head0)
    failed = CombineFailed(head0.digest, combine.cluster, "died")

    assert of(Combine, machine.handle(failed, 3.5)) == []
    assert of(Combine, machine.handle(TimerFired(BEAT), 4.5)) == [combine]


def test_the_root_composes_the_next_head_and_adopts_it(session: Any, head0: GlobalModel) -> None:
    tree = session.tree(head0)
    root = session.ranking(head0, tree.root)[0]
    machine, _ = session.machine(root, head0)
    machine.handle(JoinWish(session.spec.id, ANNA, head0.key), 1.0)
    joiner = PeerId("joiner")
    for cluster in tree.tiers[0]:
        aggregate = session.aggregate(cluster, head0, joiners=(joiner, session.peers[0]))
        machine.handle(aggregate, 3.0)
        effects = machine.handle(BlobArrived(aggregate.blob), 3.0)
    (combine,) = of(Combine, effects)
    blob = session.contribution(root, head0).blob

    effects = machine.handle(Combined(head0.digest, combine.cluster, blob), 3.5)

    head = session.child(head0, blob=blob, cohort=(*sorted([ANNA, joiner, *session.peers]),))
    assert machine.held == head.signed(machine.held.signature)  # type: ignore[union-attr]
    assert published(GlobalModel, effects) == [
        Publish(session_topic(session.spec.id), machine.held)  # type: ignore[arg-type]
    ]


# -- meeting, joining and leaving


def test_a_newcomer_repeats_its_wish_until_the_head_it_holds_names_it(session: Any) -> None:
    head0 = session.head0
    me = PeerId("joiner")
    machine, _ = session.machine(me, head0)
    wish = JoinWish(session.spec.id, me, head0.key)
    composer = session.ranking(head0, session.tree(head0).root)[0]

    first, second = (machine.handle(TimerFired(REPEAT), s) for s in (2.0, 4.0))
    asked = [[e.peer for e in of(Send, effects)] for effects in (first, second)]
    assert Send(composer, wish) in first
    assert Send(composer, wish) in second
    assert len({*asked[0], *asked[1]}) == 3
    named = session.child(head0, cohort=(*session.peers, me))
    machine.handle(named, 3.0)
    machine.handle(BlobArrived(named.blob), 3.0)

    assert of(Send, machine.handle(TimerFired(REPEAT), 3.5)) == []


def test_nobody_wishes_to_join_a_finished_session(session: Any) -> None:
    machine, _ = session.machine(PeerId("joiner"), *session.chain(session.spec.rounds))

    assert machine.finished
    assert of(Send, machine.handle(TimerFired(REPEAT), 2.0)) == []


def test_wishes_carried_by_repeated_or_stale_announcements_end(
    session: Any, head0: GlobalModel
) -> None:
    me = session.peers[1]
    other = next(p for p in session.tree(head0).home(me).peers if p != me)
    machine, _ = session.machine(me, head0)
    told = session.contribution(other, head0, joiners=(ANNA, me, other))
    stale = session.contribution(other, session.child(head0), joiners=(PeerId("ghost"),))
    for now_s in (1.0, 5.0, 9.0, 11.5):
        machine.handle(told, now_s)
        machine.handle(stale, now_s)

    (early,) = of(SaveContribution, machine.handle(finished(head0, head0.blob), 12.0))
    assert early.contribution.joiners == ()


def test_a_contribution_passes_wishes_up_without_those_asked_already(
    session: Any, head0: GlobalModel
) -> None:
    machine, _ = session.machine(session.peers[1], head0)
    machine.handle(JoinWish(session.spec.id, ANNA, head0.key), 4.0)
    machine.handle(JoinWish(session.spec.id, session.peers[2], head0.key), 4.0)
    machine.handle(JoinWish(session.spec.id, PeerId("dead"), head0.key), 4.0)
    machine.handle(PeerUnreachable(PeerId("dead")), 4.1)

    (saved,) = of(SaveContribution, machine.handle(finished(head0, head0.blob), 3.0))

    assert saved.contribution.joiners == (ANNA,)


def test_more_joiners_than_fit_are_left_for_later(
    session: Any, head0: GlobalModel, aggregator: PeerId
) -> None:
    machine, _ = session.machine(aggregator, head0)
    home = session.tree(head0).home(aggregator)
    for k, peer in enumerate(home.peers):
        crowd = tuple(PeerId(f"joiner-{k}-{n}") for n in range(COHORT_MAX))
        machine.handle(session.contribution(peer, head0, joiners=crowd), 4.0)
    combine = all_in(session, machine, head0)

    effects = machine.handle(Combined(head0.digest, combine.cluster, head0.blob), 3.5)

    (announced,) = published(Aggregate, effects)
    assert len(announced.message.joiners) == COHORT_MAX  # type: ignore[attr-defined]


def test_the_heads_author_and_the_next_roots_tell_the_session_of_it(session: Any) -> None:
    head0, head1 = session.chain(1)
    topic = session_topic(session.spec.id)
    tellers = set()
    for me in (*session.peers, PeerId("observer")):
        machine, _ = session.machine(me, head0, head1)
        effects = []
        for k in range(BEACON_EVERY_REPEATS):
            effects += machine.handle(TimerFired(REPEAT), 2.0 * (k + 1))
        if Publish(topic, Heartbeat(session.spec.id, me, head1.key)) in effects:
            tellers.add(me)

    ranking = session.ranking(head1, session.tree(head1).root)
    assert tellers == {head1.author, *ranking[:3]}


def test_a_head_that_is_just_being_announced_gets_no_beacon(session: Any) -> None:
    """A third of a large swarm would hear the beacon first, and ask its sender for the head."""
    head0, head1 = session.chain(1)
    machine, _ = session.machine(head1.author, head0)
    for k in range(1, BEACON_EVERY_REPEATS):
        machine.handle(TimerFired(REPEAT), 2.0 * k)
    machine.handle(head1, 2.0 * BEACON_EVERY_REPEATS - 0.2)
    machine.handle(BlobArrived(head1.blob), 2.0 * BEACON_EVERY_REPEATS - 0.1)
    told = Publish(
        session_topic(session.spec.id), Heartbeat(session.spec.id, head1.author, head1.key)
    )

    assert told not in machine.handle(TimerFired(REPEAT), 2.0 * BEACON_EVERY_REPEATS)
    assert told in machine.handle(TimerFired(REPEAT), 2.0 * (BEACON_EVERY_REPEATS + 1))


def test_one_who_wishes_on_an_older_head_is_told_of_the_newer(session: Any) -> None:
    head0, head1 = session.chain(1)
    wish = JoinWish(session.spec.id, ANNA, head0.key)
    author, _ = session.machine(head1.author, head0, head1)
    told = Send(ANNA, HeadHistory(session.spec.id, head1.author, (head1,)))

    assert told in author.handle(wish, 1.0)
    assert told not in author.handle(replace(wish, head=head1.key), 1.0)


def test_requests_are_answered_newest_first_and_bounded(session: Any) -> None:
    spec = replace(session.spec, rounds=50)
    session.spec = spec
    heads = session.chain(40)
    machine, _ = session.machine(session.peers[1], *heads)

    (all_,) = machine.handle(HeadRequest(spec.id, ANNA, None, HISTORY_MAX), 1.0)
    (two,) = machine.handle(HeadRequest(spec.id, ANNA, heads[7].digest, 2), 1.0)

    assert all_ == Send(
        ANNA, HeadHistory(spec.id, machine.me, tuple(heads[: 40 - HISTORY_MAX : -1]))
    )
    assert two == Send(ANNA, HeadHistory(spec.id, machine.me, (heads[7], heads[6])))
    assert machine.handle(HeadRequest(spec.id, ANNA, "0" * 64, 1), 1.0) == []  # type: ignore[arg-type]


def test_answers_to_requests_fit_in_a_message_however_large_the_cohort(session: Any) -> None:
    session.peers = tuple(PeerId(f"peer-{k:03}") for k in range(200))
    session.spec = replace(session.spec, starter=session.peers[0])
    machine, _ = session.machine(session.peers[1], *session.chain(4))

    (answer,) = machine.handle(HeadRequest(session.spec.id, ANNA, None, HISTORY_MAX), 1.0)

    assert len(answer.message.heads) == 1  # type: ignore[attr-defined]


def test_a_query_is_answered_with_the_session(session: Any) -> None:
    machine, _ = session.machine(session.peers[1])

    assert machine.handle(SessionQuery(ANNA), 1.0) == [
        Send(ANNA, SessionOffer(machine.me, session.spec))
    ]


def test_who_leaves_says_goodbye_on_each_of_its_topics(session: Any, head0: GlobalModel) -> None:
    me = session.peers[1]
    machine, _ = session.machine(me, head0)
    path = session.tree(head0).path(me)

    effects = machine.handle(LeaveRequested(), 1.0)

    goodbye = Goodbye(session.spec.id, me)
    topics = [cluster_topic(session.spec.id, cluster.id) for cluster in path]
    assert effects == [Publish(t, goodbye) for t in (session_topic(session.spec.id), *topics)]


# -- the last round


def test_after_the_last_round_the_head_is_measured_and_nothing_trained(session: Any) -> None:
    heads = session.chain(session.spec.rounds)

    machine, effects = session.machine(session.peers[1], *heads)

    last = heads[-1]
    assert of(Evaluate, effects) == [Evaluate(last.digest, last.blob, last.round)]
    assert of(Train, effects) == []
    assert of(Evaluate, machine.handle(TimerFired(RETRY_TRAINING), 1.0)) == []


def test_the_session_is_settled_when_every_watched_peer_holds_the_last_head_or_is_lost(
    session: Any,
) -> None:
    heads = session.chain(session.spec.rounds)
    me, *others = session.peers
    machine, _ = session.machine(me, *heads)
    machine.handle(EvaluationFinished(heads[-1].digest, Metrics(me, 0.5, 1.0, 10)), 1.0)

    for peer in others[:-1]:
        assert not machine.settled(1.0)
        machine.handle(Heartbeat(session.spec.id, peer, heads[-1].key), 1.0)
    assert not machine.settled(1.0)
    machine.handle(Goodbye(session.spec.id, others[-1]), 1.0)

    assert machine.settled(1.0)


def test_those_the_last_head_leaves_out_are_waited_for(session: Any) -> None:
    *heads, parent = session.chain(session.spec.rounds - 1)
    me, *_, out = session.peers
    last = session.child(parent, cohort=tuple(p for p in session.peers if p != out))
    machine, _ = session.machine(me, *heads, parent, last)
    machine.handle(EvaluationFinished(last.digest, Metrics(me, 0.5, 1.0, 10)), 1.0)
    for peer in last.cohort:
        machine.handle(Heartbeat(session.spec.id, peer, last.key), 4.9)

    assert not machine.settled(4.9)
    assert machine.settled(5.0)


def test_repeated_requests_for_one_record_wait(session: Any) -> None:
    heads = session.chain(2)
    machine, _ = session.machine(session.peers[1], heads[0])
    beat = Heartbeat(session.spec.id, session.peers[2], heads[2].key)

    requests = [of(Send, machine.handle(beat, s)) for s in (1.0, 1.5, 1.0 + ASK_AGAIN_AFTER_S)]

    assert [len(r) for r in requests] == [1, 0, 1]


def test_a_session_of_one_peer_runs_alone() -> None:
    me = PeerId("me")
    spec = SessionSpec(starter=me, min_peers=1, rounds=1)
    machine = Federation(me, spec, lambda digest: b"s")
    machine.handle(Started(), 0.0)
    machine.handle(LearnerReady(), 0.0)
    blobs = [BlobRef(sha256_hex(b"%d" % k), 1000) for k in range(3)]

    machine.handle(WeightsCreated(blobs[0]), 1.0)
    head0 = machine.held
    assert head0 is not None
    (combine,) = of(Combine, machine.handle(finished(head0, blobs[1]), 2.0))
    machine.handle(Combined(head0.digest, combine.cluster, blobs[2]), 3.0)

    assert machine.finished
