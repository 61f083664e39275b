"""One machine in a round: what it contributes, and what it combines."""

from dataclasses import replace
from typing import Any

from swarm.core.effects import (
    BlobArrived,
    FetchBlob,
    KeepBlobs,
    Publish,
    Send,
)
from swarm.core.ids import PeerId
from swarm.core.machine import SetTimer, TimerFired
from swarm.federation.effects import (
    Combine,
    Combined,
    CombineFailed,
    LearnerReady,
    Note,
    Rejection,
    SaveContribution,
    Started,
    Train,
    TrainingFailed,
)
from swarm.federation.federation import (
    HEARTBEAT,
    REPEAT,
    Federation,
)
from swarm.federation.messages import (
    Contribution,
    HeadRequest,
    JoinRequest,
)
from swarm.federation.records import Aggregate, GlobalModel
from swarm.federation.topics import cluster_topic, session_topic
from swarm.federation.training import RETRY_TRAINING, RETRY_TRAINING_AFTER_S
from tests.harness.federation_effects import all_in, finished, of, published

ANNA = PeerId("anna")


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
        Note("failing", "training failed, trying again in 1 s: died"),
        SetTimer(RETRY_TRAINING, 3.0 + RETRY_TRAINING_AFTER_S),
    ]
    assert again == [Train(head0.digest, head0.blob, 1, 1)]  # type: ignore[arg-type]


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


def test_a_peer_that_missed_a_head_asks_each_peer_that_announces_work_on_it(
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


def test_rejected_inputs_are_noted_and_not_named(
    session: Any, head0: GlobalModel, aggregator: PeerId
) -> None:
    machine, _ = session.machine(aggregator, head0)
    combine = all_in(session, machine, head0)
    bad = combine.inputs[0].name

    effects = machine.handle(
        Combined(head0.digest, combine.cluster, head0.blob, (Rejection(bad, "not finite"),)), 6.0
    )

    assert Note("rejected", f"the work of {bad} failed a check: not finite", bad) in effects
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
    assert of(Combine, machine.handle(TimerFired(HEARTBEAT), 9.0)) == []


def test_a_worker_that_died_combining_is_asked_again_but_not_at_once(
    session: Any, head0: GlobalModel, aggregator: PeerId
) -> None:
    machine, _ = session.machine(aggregator, head0)
    combine = all_in(session, machine, head0)
    failed = CombineFailed(head0.digest, combine.cluster, "died")

    assert of(Combine, machine.handle(failed, 3.5)) == []
    assert of(Combine, machine.handle(TimerFired(HEARTBEAT), 4.5)) == [combine]


def test_the_root_composes_the_next_head_and_adopts_it(session: Any, head0: GlobalModel) -> None:
    tree = session.tree(head0)
    root = session.ranking(head0, tree.root)[0]
    machine, _ = session.machine(root, head0)
    machine.handle(JoinRequest(session.spec.id, ANNA, head0.key), 1.0)
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
