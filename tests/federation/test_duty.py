from typing import Any

import pytest

from swarm.core.effects import FetchBlob
from swarm.core.ids import PeerId
from swarm.federation.ancestry import window_of
from swarm.federation.blob_tracker import RETRY_AFTER_S, BlobTracker
from swarm.federation.duty import RETRY_COMBINING_AFTER_S, TAKEOVER_STEP_S, Duty
from swarm.federation.effects import Combine, CombineInput, Note
from swarm.federation.round_view import Announced, RoundView

DEADLINE_S = 30.0


class Member:
    """One duty of the first tier-1 cluster, and what its peer knows."""

    def __init__(self, session: Any, term: int = 0) -> None:
        self.session = session
        self.base = session.head0
        self.cluster = session.tree(self.base).tiers[0][0]
        self.ranking = session.ranking(self.base, self.cluster)
        self.announced = Announced(self.base.digest)
        self.given_up: set[PeerId] = set()
        self.overtaken = False
        self.blobs = BlobTracker()
        self.duty: Duty = session.duty(self.cluster, self.base, term, DEADLINE_S)

    def contribute(self, *peers: str, here: bool = True) -> None:
        for peer in peers:
            contribution = self.session.contribution(peer, self.base)
            self.announced.add_contribution(contribution)
            if here:
                self.blobs.arrived(contribution.blob, 0.0)

    def advance(self, now_s: float) -> list[Any]:
        view = RoundView(
            window_of({}, self.base),
            self.announced.contributions,
            self.announced.stale,
            self.announced.aggregates,
            given_up=frozenset(self.given_up),
            overtaken=self.overtaken,
        )
        return self.duty.advance(view, self.blobs, self.session.spec, now_s)

    def combine(self, *peers: str) -> Combine:
        inputs = tuple(
            CombineInput(p, self.announced.contributions[p].blob, 100)  # type: ignore[index]
            for p in sorted(peers)
        )
        return Combine(self.base.digest, self.base.blob, self.cluster.id, inputs)


@pytest.fixture
def member(session: Any) -> Member:
    return Member(session)


def test_the_aggregator_combines_in_peer_id_order_when_every_member_is_in(
    member: Member,
) -> None:
    member.contribute(*member.ranking[:2])
    assert member.advance(1.0) == []

    member.contribute(member.ranking[2])

    assert member.advance(2.0) == [member.combine(*member.cluster.peers)]
    assert member.advance(2.1) == []


def test_the_aggregator_pulls_what_is_announced_from_its_contributor(member: Member) -> None:
    member.contribute(member.ranking[1], here=False)
    blob = member.announced.contributions[member.ranking[1]].blob

    assert member.advance(1.0) == [FetchBlob(blob, (member.ranking[1],), 0.0)]
    assert member.advance(1.1) == []
    member.blobs.missing(blob, 2.0)
    assert member.advance(2.1) == []
    assert member.advance(2.0 + RETRY_AFTER_S) == [FetchBlob(blob, (member.ranking[1],), 0.0)]


def test_what_all_pulls_take_is_the_aggregators_own_link(member: Member) -> None:
    me, near, far = member.ranking
    member.contribute(me)
    member.contribute(near, far, here=False)

    member.advance(1.0)
    member.blobs.arrived(member.announced.contributions[near].blob, 21.0)
    member.blobs.arrived(member.announced.contributions[far].blob, 24.0)
    member.advance(24.0)

    transfers_s = {name: source.transfer_s for name, source in member.duty.inputs.items()}  # type: ignore[union-attr]
    assert transfers_s == {me: 0.0, near: 0.0, far: 3.0}


def test_the_time_to_pull_weights_is_added_to_what_their_author_claims(member: Member) -> None:
    *others, last = member.ranking
    member.contribute(*others)
    member.contribute(last, here=False)
    blob = member.announced.contributions[last].blob

    member.advance(1.0)
    member.blobs.missing(blob, 3.0)
    member.advance(3.0 + RETRY_AFTER_S)
    member.blobs.arrived(blob, 9.0)
    member.advance(9.0)

    transfers_s = {name: source.transfer_s for name, source in member.duty.inputs.items()}  # type: ignore[union-attr]
    assert transfers_s == {**dict.fromkeys(others, 0.0), last: 8.0}


def test_nobody_waits_for_the_lost(member: Member) -> None:
    member.contribute(*member.ranking[:2])
    member.given_up.add(member.ranking[2])

    assert member.advance(1.0) == [member.combine(*member.ranking[:2])]


def test_a_lost_peer_that_contributed_before_it_went_is_counted(member: Member) -> None:
    member.contribute(*member.ranking)
    member.given_up.add(member.ranking[2])

    assert member.advance(1.0) == [member.combine(*member.ranking)]


@pytest.mark.parametrize(("num_in", "closes"), [(0, False), (1, False), (2, True)])
def test_at_the_deadline_a_quorum_is_enough(member: Member, num_in: int, closes: bool) -> None:
    member.contribute(*member.ranking[:num_in])

    assert member.advance(DEADLINE_S - 0.1) == []
    expected = [member.combine(*member.ranking[:num_in])] if closes else []
    assert member.advance(DEADLINE_S) == expected


def test_a_standby_acts_at_once_when_its_predecessors_are_lost(session: Any) -> None:
    member = Member(session, term=1)
    member.contribute(*member.ranking[1:])
    assert member.advance(1.0) == []

    member.given_up.add(member.ranking[0])

    note = Note("takeover", "takes over tier 1 as standby 1", member.ranking[1])
    assert member.advance(2.0) == [note, member.combine(*member.ranking[1:])]


def test_a_standby_waits_past_the_deadline_for_a_silent_predecessor(session: Any) -> None:
    member = Member(session, term=2)
    member.contribute(*member.ranking)
    patience_s = DEADLINE_S + 2 * TAKEOVER_STEP_S

    assert member.advance(patience_s - 0.1) == []
    assert member.advance(patience_s)[1] == member.combine(*member.ranking)


def test_a_standby_does_not_act_once_its_predecessor_announced(session: Any) -> None:
    member = Member(session, term=1)
    member.contribute(*member.ranking)
    member.announced.add_aggregate(session.aggregate(member.cluster, member.base))

    assert member.advance(DEADLINE_S + 100) == []


def test_rejected_contributions_are_left_out_and_not_waited_for(member: Member) -> None:
    member.contribute(*member.ranking)
    member.advance(1.0)

    member.duty.failed(frozenset([member.ranking[0]]), 1.5)

    assert member.advance(1.5 + RETRY_COMBINING_AFTER_S) == [member.combine(*member.ranking[1:])]


def test_a_failed_combination_is_not_tried_again_at_once(member: Member) -> None:
    member.contribute(*member.ranking)
    member.advance(1.0)
    member.duty.failed(frozenset(), 1.5)

    assert member.advance(1.6) == []
    assert member.advance(1.5 + RETRY_COMBINING_AFTER_S) == [member.combine(*member.ranking)]


@pytest.fixture
def root(session: Any) -> Member:
    member = Member(session)
    member.cluster = session.tree(member.base).root
    member.duty = session.duty(member.cluster, member.base, 0, DEADLINE_S)
    return member


def test_an_aggregate_that_cannot_be_pulled_is_absent_and_its_standbys_counts(
    session: Any, root: Member
) -> None:
    one, two = root.cluster.children
    offers = [session.aggregate(one, root.base), session.aggregate(two, root.base, term=0)]
    for offer in offers:
        root.announced.add_aggregate(offer)
    root.blobs.arrived(offers[0].blob, 0.0)
    root.advance(1.0)
    root.blobs.missing(offers[1].blob, 2.0)
    standby = session.aggregate(two, root.base, term=1)
    root.announced.add_aggregate(standby)

    assert root.advance(2.1) == [FetchBlob(standby.blob, (standby.author,), 0.0)]
    root.blobs.arrived(standby.blob, 0.0)
    (combine,) = root.advance(2.2)
    assert {item.blob for item in combine.inputs} == {offers[0].blob, standby.blob}
    assert list(root.duty.inputs.values()) == [
        {one.id: offers[0], two.id: standby}[item.name] for item in combine.inputs
    ]


def test_a_cluster_is_lost_when_those_who_could_speak_for_it_are(
    session: Any, root: Member
) -> None:
    one, two = root.cluster.children
    offer = session.aggregate(one, root.base)
    root.announced.add_aggregate(offer)
    root.blobs.arrived(offer.blob, 0.0)
    assert root.advance(1.0) == []

    root.given_up |= set(two.peers)

    assert [item.name for item in root.advance(2.0)[0].inputs] == [one.id]


def test_nobody_leaves_for_its_own_work_while_the_others_head_is_on_its_way(
    session: Any, root: Member
) -> None:
    me, *_ = session.ranking(root.base, root.cluster)
    (mine,) = (child for child in root.cluster.children if me in child.peers)
    alone = session.contributors(root.base, (me,))
    offer = session.aggregate(mine, root.base, contributors=alone)
    root.announced.add_aggregate(offer)
    root.blobs.arrived(offer.blob, 0.0)
    root.given_up |= set(session.peers) - {me}

    root.overtaken = True
    assert root.advance(1.0) == []
    root.overtaken = False
    (combine,) = root.advance(2.0)
    assert [item.name for item in combine.inputs] == [mine.id]


def test_a_restarted_aggregators_new_aggregate_is_heard(session: Any, root: Member) -> None:
    (one, _two) = root.cluster.children
    offers = [
        session.aggregate(one, root.base, blob=session.contribution(f"{k}", root.base).blob)
        for k in range(4)
    ]

    news = []
    for offer in (*offers, offers[-1]):
        news.append(not root.announced.knows(offer))
        if news[-1]:
            root.announced.add_aggregate(offer)

    assert news == [True, True, True, True, False]
    assert root.announced.aggregates[one.id] == offers[-2:]
