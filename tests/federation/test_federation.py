"""One machine: how a session begins, which heads it adopts, and how it ends."""

from dataclasses import replace
from typing import Any

from swarm.core.blobs import BlobRef
from swarm.core.canonical import sha256_hex
from swarm.core.effects import (
    BlobArrived,
    BlobMissing,
    FetchBlob,
    KeepBlobs,
    KeepConnected,
    Publish,
    Send,
    Subscribe,
)
from swarm.core.ids import PeerId
from swarm.core.machine import SetTimer, TimerFired
from swarm.core.session import SessionSpec
from swarm.federation.ancestry import STALENESS_MAX
from swarm.federation.effects import (
    Combine,
    Combined,
    CreateWeights,
    Evaluate,
    EvaluationFinished,
    LearnerReady,
    Note,
    SaveHead,
    Started,
    Train,
    TrainingProgressed,
    WeightsCreated,
)
from swarm.federation.efforts import PLACES_MAX, PROGRESS_MAX, TRAINED
from swarm.federation.federation import (
    HEARTBEAT,
    Federation,
)
from swarm.federation.founding import FOUND
from swarm.federation.head_holders import ASK_AGAIN_AFTER_S
from swarm.federation.joiners import SETTLED_AFTER_S
from swarm.federation.messages import (
    HISTORY_MAX,
    Goodbye,
    HeadHistory,
    HeadRequest,
    Heartbeat,
    JoinRequest,
)
from swarm.federation.records import GlobalModel, Metrics
from swarm.federation.topics import cluster_topic, session_topic
from swarm.federation.training import RETRY_TRAINING
from tests.harness.federation_effects import finished, of, published

ANNA = PeerId("anna")


# -- head 0


def test_the_starter_makes_head_0_when_enough_peers_ask_to_join(session: Any) -> None:
    starter, anna = session.peers[0], session.peers[1]
    machine = Federation(starter, session.spec, lambda digest: b"s")
    machine.handle(Started(), 0.0)

    assert CreateWeights() in machine.handle(LearnerReady(), 1.0)
    blob = session.head0.blob
    assert machine.handle(WeightsCreated(blob), 2.0) == []
    waiting = machine.handle(JoinRequest(session.spec.id, anna, None), 3.0)
    assert waiting == [SetTimer(FOUND, 3.0 + SETTLED_AFTER_S)]  # other peers may be starting, too
    effects = machine.handle(TimerFired(FOUND), 3.0 + SETTLED_AFTER_S)

    head = session.first(blob, cohort=(starter, anna))
    assert effects[-1] == KeepBlobs(frozenset({blob}))
    assert Publish(session_topic(session.spec.id), head) in effects
    assert [SaveHead(head), KeepConnected((anna,))] == [
        e for e in effects if isinstance(e, SaveHead | KeepConnected)
    ]
    assert Train(head.digest, blob, 1) in effects  # type: ignore[arg-type]


def test_only_the_starter_makes_weights(session: Any) -> None:
    machine = Federation(session.peers[1], session.spec, lambda digest: b"s")
    machine.handle(Started(), 0.0)

    assert of(CreateWeights, machine.handle(LearnerReady(), 1.0)) == []


# -- adopting


def test_weights_are_not_pulled_over_a_slow_link_even_if_it_is_next_in_the_tree(
    session: Any, head0: GlobalModel, aggregator: PeerId
) -> None:
    me = session.ranking(head0, session.tree(head0).home(aggregator))[2]
    contributors = session.contributors(head0, session.peers)
    late = tuple(
        replace(c, duration_s=90.0, transfer_s=80.0) if c.peer == aggregator else c
        for c in contributors
    )
    first = {}
    for name, named in (("even", contributors), ("late", late)):
        machine, _ = session.machine(me, head0)
        head = session.child(head0, contributors=named)
        assert head.slow == ((aggregator,) if name == "late" else ())
        (fetch,) = of(FetchBlob, machine.handle(head, 1.0))
        first[name] = fetch.holders[0]

    assert first["even"] == aggregator
    assert first["late"] != aggregator


def test_a_head_whose_weights_no_peer_gave_overtakes_no_peer(session: Any) -> None:
    """Even if it is asked for again and again: it may never come."""
    head0, head1, head2 = session.chain(2)
    machine, _ = session.machine(session.peers[1], head0)
    machine.handle(head1, 1.0)
    machine.handle(head2, 1.0)
    assert machine._shared.overtaken

    seen = []
    for now_s, missing in ((3.2, head2), (5.4, head1), (7.6, head2), (9.8, head1)):
        machine.handle(BlobMissing(missing.blob, "no"), now_s)
        machine.handle(TimerFired(HEARTBEAT), now_s + 2.1)
        seen.append(machine._shared.overtaken)

    assert not any(seen)


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


def test_peers_are_watched_in_an_order_that_does_not_depend_on_hashes(
    session: Any, head0: GlobalModel
) -> None:
    """Otherwise a seed of the simulator would not replay one history in each process."""
    machine, _ = session.machine(session.peers[1], head0)

    assert machine._shared.presence.watched == machine.round.neighbours


def test_while_a_greater_heads_weights_are_missing_a_lesser_one_is_adopted(session: Any) -> None:
    head0, head1 = session.chain(1)
    rival = session.child(head0, term=1)
    machine, _ = session.machine(session.peers[1], head0)
    machine.handle(rival, 1.0)
    machine.handle(head1, 1.0)

    machine.handle(BlobArrived(head1.blob), 1.1)
    assert machine.held == head1
    machine.handle(BlobMissing(rival.blob, "gone"), 1.2)
    effects = machine.handle(TimerFired(HEARTBEAT), 4.0)

    assert [e.blob for e in of(FetchBlob, effects)] == [rival.blob]
    machine.handle(BlobArrived(rival.blob), 3.0)
    assert machine.held == rival


def test_a_head_that_breaks_a_rule_is_rejected_with_a_note(session: Any, head0: Any) -> None:
    machine, _ = session.machine(session.peers[1], head0)
    bad = replace(session.child(head0), author=ANNA)

    (note,) = machine.handle(bad, 1.0)

    assert (note.kind, machine.rejections) == ("rejected", 1)
    assert machine.held == head0


def test_messages_of_other_sessions_change_nothing(session: Any, head0: GlobalModel) -> None:
    machine, _ = session.machine(session.peers[1])

    assert machine.handle(replace(head0, session="other"), 1.0) == []
    assert machine.handle(JoinRequest("other", ANNA, None), 1.0) == []  # type: ignore[arg-type]


def test_a_heartbeat_with_an_unknown_greater_head_makes_the_peer_ask_for_it(session: Any) -> None:
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


def test_a_member_that_boasts_of_its_progress_harms_nobody(session: Any, head0: Any) -> None:
    liar = session.peers[0]
    boast = (PROGRESS_MAX,) * PLACES_MAX
    for me in session.peers[1:]:
        machine, _ = session.machine(me, head0)
        for peer in session.peers:
            progress = boast if peer == liar else (1.5,)
            machine.handle(Heartbeat(session.spec.id, peer, head0.key, progress), 1.0)

        beats = published(Heartbeat, machine.handle(TimerFired(HEARTBEAT), 2.0))

        assert beats
        assert all(max(e.message.progress) <= PROGRESS_MAX for e in beats)


def test_progress_of_peers_outside_the_cohort_is_not_kept(session: Any, head0: Any) -> None:
    machine, _ = session.machine(session.peers[1], head0)

    machine.handle(Heartbeat(session.spec.id, PeerId("outsider"), head0.key, (1.0,)), 1.0)

    assert machine.round.efforts.done([PeerId("outsider")], 0) == 0


def test_heartbeats_say_how_far_training_is(session: Any, head0: GlobalModel) -> None:
    me = session.peers[1]
    machine, _ = session.machine(me, head0)

    def said(now_s: float) -> set[tuple[float, ...]]:
        beats = published(Heartbeat, machine.handle(TimerFired(HEARTBEAT), now_s))
        return {beat.message.progress[:1] for beat in beats}  # type: ignore[attr-defined]

    assert said(1.0) == {(0.0,)}
    machine.handle(TrainingProgressed(head0.digest, 0.4), 1.5)
    machine.handle(TrainingProgressed("another base", 0.9), 1.6)  # type: ignore[arg-type]
    assert said(2.0) == {(0.0,)}
    machine.handle(TrainingProgressed(head0.digest, 1.4), 2.5)
    assert said(3.0) == {(1.4,)}
    machine.handle(finished(head0, session.contribution(me, head0).blob), 3.5)
    assert said(4.0) == {(TRAINED,)}


def test_a_peer_that_stood_still_does_not_hold_it_against_others(
    session: Any, head0: GlobalModel
) -> None:
    late, punctual = session.peers[1:3]
    said = {}
    for me, times_s in ((late, (1.0, 2.0, 32.0)), (punctual, range(1, 33))):
        machine, _ = session.machine(me, head0)
        notes = [n for s in times_s for n in of(Note, machine.handle(TimerFired(HEARTBEAT), s))]
        said[me] = {note.kind for note in notes}

    assert "lost" not in said[late]
    assert "lost" in said[punctual]


def test_deadlines_are_later_by_the_time_that_a_peer_stood_still(
    session: Any, head0: GlobalModel, aggregator: PeerId
) -> None:
    machine, _ = session.machine(aggregator, head0)
    home = session.tree(head0).home(aggregator)
    missing = next(peer for peer in home.peers if peer != aggregator)
    for peer in home.peers:
        contribution = session.contribution(peer, head0)
        if peer == aggregator:
            machine.handle(finished(head0, contribution.blob), 1.0)
        elif peer != missing:
            machine.handle(contribution, 1.0)
            machine.handle(BlobArrived(contribution.blob), 1.0)

    def beat(second: float) -> list[Any]:
        machine.handle(Heartbeat(session.spec.id, missing, head0.key), second)
        return of(Combine, machine.handle(TimerFired(HEARTBEAT), second))

    assert [beat(float(second)) for second in range(1, 100)] == [[]] * 99
    due_s = session.spec.deadline_first_s + 50
    assert [beat(float(second)) for second in range(150, int(due_s))] == [[]] * int(due_s - 150)
    assert len(beat(due_s + 1)) == 1


def test_progress_counts_for_the_held_head_only(session: Any, head0: GlobalModel) -> None:
    machine, _ = session.machine(session.peers[1], head0)
    anna, ben = session.peers[2:4]
    other = session.child(head0)

    machine.handle(Heartbeat(session.spec.id, anna, head0.key, (0.5,)), 1.0)
    machine.handle(Heartbeat(session.spec.id, ben, other.key, (0.5,)), 1.0)

    assert machine.round is not None
    assert machine.round.efforts.works([anna], 0, 2.0)
    assert not machine.round.efforts.works([ben], 0, 2.0)


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


def test_peers_left_out_by_the_last_head_are_waited_for(session: Any) -> None:
    *heads, parent = session.chain(session.spec.rounds - 1)
    me, *_, out = session.peers
    last = session.child(parent, cohort=tuple(p for p in session.peers if p != out))
    machine, _ = session.machine(me, *heads, parent, last)
    machine.handle(EvaluationFinished(last.digest, Metrics(me, 0.5, 1.0, 10)), 1.0)
    for second in range(1, 5):
        machine.handle(TimerFired(HEARTBEAT), float(second))
        for peer in last.cohort:
            machine.handle(Heartbeat(session.spec.id, peer, last.key), second + 0.5)

    assert not machine.settled(4.9)
    assert machine.settled(5.0)


def test_repeated_requests_for_one_record_wait(session: Any) -> None:
    heads = session.chain(2)
    machine, _ = session.machine(session.peers[1], heads[0])
    heartbeat = Heartbeat(session.spec.id, session.peers[2], heads[2].key)

    requests = [
        of(Send, machine.handle(heartbeat, s)) for s in (1.0, 1.5, 1.0 + ASK_AGAIN_AFTER_S)
    ]

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
