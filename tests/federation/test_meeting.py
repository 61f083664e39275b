"""One machine and other peers: joining, asking, answering, leaving."""

from dataclasses import replace
from typing import Any

from swarm.core.effects import (
    BlobArrived,
    PeerUnreachable,
    Publish,
    Send,
)
from swarm.core.ids import PeerId
from swarm.core.machine import TimerFired
from swarm.core.session import COHORT_MAX
from swarm.federation.effects import (
    Combined,
    LeaveRequested,
    SaveContribution,
)
from swarm.federation.federation import (
    REPEAT,
)
from swarm.federation.heartbeats import SESSION_HEARTBEAT_EVERY_REPEATS
from swarm.federation.messages import (
    HISTORY_MAX,
    Goodbye,
    HeadHistory,
    HeadRequest,
    Heartbeat,
    JoinRequest,
    SessionOffer,
    SessionQuery,
)
from swarm.federation.records import Aggregate, GlobalModel
from swarm.federation.topics import cluster_topic, session_topic
from tests.harness.federation_effects import all_in, finished, of, published

ANNA = PeerId("anna")


# -- meeting, joining and leaving


def test_a_newcomer_repeats_its_join_request_until_the_held_head_names_it(session: Any) -> None:
    head0 = session.head0
    me = PeerId("joiner")
    machine, _ = session.machine(me, head0)
    request = JoinRequest(session.spec.id, me, head0.key)
    composer = session.ranking(head0, session.tree(head0).root)[0]

    first, second = (machine.handle(TimerFired(REPEAT), s) for s in (2.0, 4.0))
    asked = [[e.peer for e in of(Send, effects)] for effects in (first, second)]
    assert Send(composer, request) in first
    assert Send(composer, request) in second
    assert len({*asked[0], *asked[1]}) == 3
    named = session.child(head0, cohort=(*session.peers, me))
    machine.handle(named, 3.0)
    machine.handle(BlobArrived(named.blob), 3.0)

    assert of(Send, machine.handle(TimerFired(REPEAT), 3.5)) == []


def test_no_peer_asks_to_join_a_finished_session(session: Any) -> None:
    machine, _ = session.machine(PeerId("joiner"), *session.chain(session.spec.rounds))

    assert machine.finished
    assert of(Send, machine.handle(TimerFired(REPEAT), 2.0)) == []


def test_joiners_in_repeated_or_stale_announcements_expire(
    session: Any, head0: GlobalModel
) -> None:
    me = session.peers[1]
    other = next(p for p in session.tree(head0).home(me).peers if p != me)
    machine, _ = session.machine(me, head0)
    repeated = session.contribution(other, head0, joiners=(ANNA, me, other))
    stale = session.contribution(other, session.child(head0), joiners=(PeerId("ghost"),))
    for now_s in (1.0, 5.0, 9.0, 11.5):
        machine.handle(repeated, now_s)
        machine.handle(stale, now_s)

    (early,) = of(SaveContribution, machine.handle(finished(head0, head0.blob), 12.0))
    assert early.contribution.joiners == ()


def test_a_contribution_passes_joiners_up_without_members_of_the_cohort(
    session: Any, head0: GlobalModel
) -> None:
    machine, _ = session.machine(session.peers[1], head0)
    machine.handle(JoinRequest(session.spec.id, ANNA, head0.key), 4.0)
    machine.handle(JoinRequest(session.spec.id, session.peers[2], head0.key), 4.0)
    machine.handle(JoinRequest(session.spec.id, PeerId("dead"), head0.key), 4.0)
    machine.handle(PeerUnreachable(PeerId("dead")), 4.1)

    (saved,) = of(SaveContribution, machine.handle(finished(head0, head0.blob), 3.0))

    assert saved.contribution.joiners == (ANNA,)


def test_more_joiners_than_fit_are_left_for_later(
    session: Any, head0: GlobalModel, aggregator: PeerId
) -> None:
    machine, _ = session.machine(aggregator, head0)
    home = session.tree(head0).home(aggregator)
    for k, peer in enumerate(home.peers):
        joiners = tuple(PeerId(f"joiner-{k}-{n}") for n in range(COHORT_MAX))
        machine.handle(session.contribution(peer, head0, joiners=joiners), 4.0)
    combine = all_in(session, machine, head0)

    effects = machine.handle(Combined(head0.digest, combine.cluster, head0.blob), 3.5)

    (announced,) = published(Aggregate, effects)
    assert len(announced.message.joiners) == COHORT_MAX  # type: ignore[attr-defined]


def test_the_heads_author_and_the_next_roots_send_session_heartbeats(session: Any) -> None:
    head0, head1 = session.chain(1)
    topic = session_topic(session.spec.id)
    senders = set()
    for me in (*session.peers, PeerId("observer")):
        machine, _ = session.machine(me, head0, head1)
        effects = []
        for k in range(SESSION_HEARTBEAT_EVERY_REPEATS):
            effects += machine.handle(TimerFired(REPEAT), 2.0 * (k + 1))
        if Publish(topic, Heartbeat(session.spec.id, me, head1.key)) in effects:
            senders.add(me)

    ranking = session.ranking(head1, session.tree(head1).root)
    assert senders == {head1.author, *ranking[:3]}


def test_a_head_just_adopted_gets_no_session_heartbeat_yet(session: Any) -> None:
    """A third of a large swarm would hear it first, and ask its sender for the head."""
    head0, head1 = session.chain(1)
    machine, _ = session.machine(head1.author, head0)
    for k in range(1, SESSION_HEARTBEAT_EVERY_REPEATS):
        machine.handle(TimerFired(REPEAT), 2.0 * k)
    machine.handle(head1, 2.0 * SESSION_HEARTBEAT_EVERY_REPEATS - 0.2)
    machine.handle(BlobArrived(head1.blob), 2.0 * SESSION_HEARTBEAT_EVERY_REPEATS - 0.1)
    expected = Publish(
        session_topic(session.spec.id), Heartbeat(session.spec.id, head1.author, head1.key)
    )

    assert expected not in machine.handle(
        TimerFired(REPEAT), 2.0 * SESSION_HEARTBEAT_EVERY_REPEATS
    )
    assert expected in machine.handle(
        TimerFired(REPEAT), 2.0 * (SESSION_HEARTBEAT_EVERY_REPEATS + 1)
    )


def test_a_join_request_on_an_older_head_is_answered_with_the_newer(session: Any) -> None:
    head0, head1 = session.chain(1)
    request = JoinRequest(session.spec.id, ANNA, head0.key)
    author, _ = session.machine(head1.author, head0, head1)
    answer = Send(ANNA, HeadHistory(session.spec.id, head1.author, (head1,)))

    assert answer in author.handle(request, 1.0)
    assert answer not in author.handle(replace(request, head=head1.key), 1.0)


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


def test_a_leaving_peer_says_goodbye_on_each_of_its_topics(
    session: Any, head0: GlobalModel
) -> None:
    me = session.peers[1]
    machine, _ = session.machine(me, head0)
    path = session.tree(head0).path(me)

    effects = machine.handle(LeaveRequested(), 1.0)

    goodbye = Goodbye(session.spec.id, me)
    topics = [cluster_topic(session.spec.id, cluster.id) for cluster in path]
    assert effects == [Publish(t, goodbye) for t in (session_topic(session.spec.id), *topics)]
