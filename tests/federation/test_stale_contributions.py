"""Late work counts: a stale contribution, from its training to the head that names it."""

from typing import Any

import pytest

from swarm.core.effects import BlobArrived, FetchBlob, Publish
from swarm.core.ids import PeerId, RoundNumber
from swarm.core.machine import Effect, TimerFired
from swarm.federation.effects import (
    Combine,
    Combined,
    Note,
    Rejection,
    SaveContribution,
    Started,
    Train,
    TrainingFailed,
    TrainingFinished,
)
from swarm.federation.federation import REPEAT, Federation
from swarm.federation.messages import Contribution, JoinRequest
from swarm.federation.records import GlobalModel
from swarm.federation.topics import cluster_topic
from swarm.federation.training import RETRY_TRAINING
from tests.harness.federation_effects import of


def finished(head: GlobalModel, blob: Any) -> TrainingFinished:
    return TrainingFinished(head.digest, blob, 100, 9.0, None)


def adopt(machine: Federation, head: GlobalModel, now_s: float) -> list[Effect]:
    machine.handle(head, now_s)
    return machine.handle(BlobArrived(head.blob), now_s)


class Late:
    """The others closed the round on head 0 without one peer; the new head's cohort has it."""

    def __init__(self, session: Any) -> None:
        self.head0 = session.head0
        self.me = session.tree(self.head0).tiers[0][0].peers[0]
        others = tuple(peer for peer in session.peers if peer != self.me)
        self.head1 = session.child(
            self.head0, contributors=session.contributors(self.head0, others)
        )
        self.machine, _ = session.machine(self.me, self.head0)
        self.mine = session.contribution(self.me, self.head0, duration_s=9.0)
        self.home = session.tree(self.head1).home(self.me)
        self.topic = cluster_topic(session.spec.id, self.home.id)


@pytest.fixture
def late(session: Any) -> Late:
    return Late(session)


def test_a_peer_finishes_its_training_before_it_trains_on_the_new_head(late: Late) -> None:
    adopted = adopt(late.machine, late.head1, 5.0)
    effects = late.machine.handle(finished(late.head0, late.mine.blob), 9.0)

    assert of(Train, adopted) == []
    assert SaveContribution(late.mine) in effects
    assert Publish(late.topic, late.mine) in effects
    assert of(Train, effects) == [Train(late.head1.digest, late.head1.blob, RoundNumber(2))]


def test_a_late_contribution_is_announced_again_in_every_round_until_it_counts(
    session: Any, late: Late
) -> None:
    adopt(late.machine, late.head1, 5.0)
    late.machine.handle(finished(late.head0, late.mine.blob), 9.0)
    others = tuple(peer for peer in session.peers if peer != late.me)
    without = session.child(late.head1, contributors=session.contributors(late.head1, others))
    named = (*session.contributors(without, others), late.mine.contributor)

    again = adopt(late.machine, without, 12.0)
    done = adopt(late.machine, session.child(without, contributors=named), 15.0)

    assert late.mine in [e.message for e in of(Publish, again)]
    assert late.mine not in [e.message for e in of(Publish, done)]


def test_a_late_training_that_fails_gives_way_to_the_newest_head(late: Late) -> None:
    adopt(late.machine, late.head1, 5.0)

    late.machine.handle(TrainingFailed(late.head0.digest, "died"), 6.0)
    effects = late.machine.handle(TimerFired(RETRY_TRAINING), 7.0)

    assert [e.base for e in of(Train, effects)] == [late.head1.digest]


def test_training_from_a_head_of_another_lineage_is_given_up(session: Any) -> None:
    head0 = session.head0
    me = session.peers[0]
    left, taken = session.child(head0), session.child(head0, term=1)
    machine, _ = session.machine(me, head0, left)

    assert [e.base for e in of(Train, adopt(machine, taken, 5.0))] == [taken.digest]


def test_a_peer_that_trains_on_an_older_head_does_not_ask_to_join_yet(
    session: Any, late: Late
) -> None:
    others = tuple(peer for peer in session.peers if peer != late.me)
    named = session.contributors(late.head0, others)
    without = session.child(late.head0, cohort=others, contributors=named)
    adopt(late.machine, without, 5.0)

    busy = late.machine.handle(TimerFired(REPEAT), 6.0)
    late.machine.handle(finished(late.head0, late.mine.blob), 9.0)
    done = late.machine.handle(TimerFired(REPEAT), 10.0)

    assert [e for e in busy if isinstance(getattr(e, "message", None), JoinRequest)] == []
    assert [e for e in done if isinstance(getattr(e, "message", None), JoinRequest)]


def test_after_a_restart_a_stale_contribution_is_announced(session: Any, late: Late) -> None:
    machine = Federation(late.me, session.spec, lambda digest: b"s")

    effects = machine.handle(Started((late.head0, late.head1), late.mine), 0.0)

    assert Publish(late.topic, late.mine) in effects


# -- at the aggregator


class LateCluster:
    """Term 0 of the late peer's cluster on head 1, with the others' contributions in."""

    def __init__(self, session: Any, late: Late) -> None:
        self.late = late
        ranking = session.ranking(late.head1, late.home)
        self.me = next(peer for peer in ranking if peer != late.me)
        self.slow = late.me
        self.machine, _ = session.machine(self.me, late.head0, late.head1)
        self.fresh = [session.contribution(peer, late.head1) for peer in late.home.peers]

    def hear_fresh(self, now_s: float) -> list[Effect]:
        effects: list[Effect] = []
        for contribution in self.fresh:
            if contribution.peer == self.me:
                done = finished(self.late.head1, contribution.blob)
                effects += self.machine.handle(done, now_s)
            else:
                effects += self.machine.handle(contribution, now_s)
                effects += self.machine.handle(BlobArrived(contribution.blob), now_s)
        return effects


@pytest.fixture
def cluster(session: Any) -> LateCluster:
    for attempt in range(40):  # an initial blob under which the late peer is not the aggregator
        session.initial = f"initial {attempt}"
        late = Late(session)
        if session.ranking(late.head1, late.home)[0] != late.me:
            return LateCluster(session, late)
    raise AssertionError("the late peer is always the aggregator")


def test_a_stale_contribution_counts_discounted(session: Any, cluster: LateCluster) -> None:
    late = cluster.late
    heard = cluster.machine.handle(late.mine, 1.0)
    cluster.machine.handle(BlobArrived(late.mine.blob), 1.1)
    cluster.machine.handle(BlobArrived(late.head0.blob), 1.2)

    (combine,) = of(Combine, cluster.hear_fresh(2.0))

    assert of(FetchBlob, heard) == [FetchBlob(late.mine.blob, (late.me,), 0.0)]
    stale = [item for item in combine.inputs if item.stale_base is not None]
    assert [(item.blob, item.stale_base) for item in stale] == [(late.mine.blob, late.head0.blob)]
    assert stale[0].weight == pytest.approx(100 / 2**0.5)
    assert len(combine.inputs) == len(late.home.peers) + 1


def test_a_stale_contribution_is_not_waited_for(cluster: LateCluster) -> None:
    cluster.machine.handle(cluster.late.mine, 1.0)

    (combine,) = of(Combine, cluster.hear_fresh(2.0))

    assert len(combine.inputs) == len(cluster.late.home.peers)


def test_a_named_contribution_is_not_taken_again(session: Any, cluster: LateCluster) -> None:
    counted = session.contribution(cluster.me, cluster.late.head0)
    replayed: Contribution = session.contribution(cluster.late.home.peers[-1], cluster.late.head0)

    for contribution in (counted, replayed):
        assert of(FetchBlob, cluster.machine.handle(contribution, 1.0)) == []


def test_a_stale_contribution_that_fails_a_gate_is_not_named(cluster: LateCluster) -> None:
    late = cluster.late
    cluster.machine.handle(late.mine, 1.0)
    cluster.machine.handle(BlobArrived(late.mine.blob), 1.1)
    cluster.machine.handle(BlobArrived(late.head0.blob), 1.2)
    (combine,) = of(Combine, cluster.hear_fresh(2.0))
    (name,) = [item.name for item in combine.inputs if item.stale_base is not None]

    done = Combined(
        late.head1.digest, combine.cluster, late.head0.blob, (Rejection(name, "not finite"),)
    )
    effects = cluster.machine.handle(done, 3.0)

    (announced,) = [
        e.message for e in of(Publish, effects) if not isinstance(e.message, Contribution)
    ]
    assert {c.base for c in announced.contributors} == {late.head1.digest}
    peer = PeerId(name.split()[0])
    assert Note("rejected", f"the late work of {peer} failed a check: not finite", peer) in effects
