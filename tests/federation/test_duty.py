from typing import Any

import pytest

from swarm.core.effects import FetchBlob
from swarm.federation.ancestry import window_of
from swarm.federation.blob_tracker import RETRY_AFTER_S, BlobTracker
from swarm.federation.duty import RETRY_COMBINING_AFTER_S, TAKEOVER_STEP_S, Duty, RoundFacts
from swarm.federation.effects import Combine, CombineInput, Note

DEADLINE_S = 30.0


class Studies:
    """One duty of the first tier-1 cluster, and what its peer knows."""

    def __init__(self, session: Any, term: int = 0) -> None:
        self.session = session
        self.base = session.head0
        self.cluster = session.tree(self.base).tiers[0][0]
        self.ranking = session.ranking(self.base, self.cluster)
        self.facts = RoundFacts(window_of({}, self.base))
        self.blobs = BlobTracker()
        self.duty: Duty = session.duty(self.cluster, self.base, term, DEADLINE_S)

    def contribute(self, *peers: str, here: bool = True) -> None:
        for peer in peers:
            contribution = self.session.contribution(peer, self.base)
            self.facts.contributions[contribution.peer] = contribution
            if here:
                self.blobs.arrived(contribution.blob, 0.0)

    def advance(self, now_s: float) -> list[Any]:
        return self.duty.advance(self.facts, self.blobs, self.session.spec, now_s)

    def combine(self, *peers: str) -> Combine:
        inputs = tuple(
            CombineInput(p, self.facts.contributions[p].blob, 100)  # type: ignore[index]
            for p in sorted(peers)
        )
        return Combine(self.base.digest, self.base.blob, self.cluster.id, inputs)


@pytest.fixture
def studies(session: Any) -> Studies:
    return Studies(session)


def test_the_aggregator_combines_in_peer_id_order_when_every_member_is_in(
    studies: Studies,
) -> None:
    studies.contribute(*studies.ranking[:2])
    assert studies.advance(1.0) == []

    studies.contribute(studies.ranking[2])

    assert studies.advance(2.0) == [studies.combine(*studies.cluster.peers)]
    assert studies.advance(2.1) == []


def test_the_aggregator_pulls_what_is_announced_from_its_contributor(studies: Studies) -> None:
    studies.contribute(studies.ranking[1], here=False)
    blob = studies.facts.contributions[studies.ranking[1]].blob

    assert studies.advance(1.0) == [FetchBlob(blob, (studies.ranking[1],), 0.0)]
    assert studies.advance(1.1) == []
    studies.blobs.missing(blob, 2.0)
    assert studies.advance(2.1) == []
    assert studies.advance(2.0 + RETRY_AFTER_S) == [FetchBlob(blob, (studies.ranking[1],), 0.0)]


def test_what_all_pulls_take_is_the_aggregators_own_link(studies: Studies) -> None:
    me, near, far = studies.ranking
    studies.contribute(me)
    studies.contribute(near, far, here=False)

    studies.advance(1.0)
    studies.blobs.arrived(studies.facts.contributions[near].blob, 21.0)
    studies.blobs.arrived(studies.facts.contributions[far].blob, 24.0)
    studies.advance(24.0)

    transfers_s = {name: source.transfer_s for name, source in studies.duty.inputs.items()}  # type: ignore[union-attr]
    assert transfers_s == {me: 0.0, near: 0.0, far: 3.0}


def test_the_time_to_pull_weights_is_added_to_what_their_author_claims(studies: Studies) -> None:
    *others, last = studies.ranking
    studies.contribute(*others)
    studies.contribute(last, here=False)
    blob = studies.facts.contributions[last].blob

    studies.advance(1.0)
    studies.blobs.missing(blob, 3.0)
    studies.advance(3.0 + RETRY_AFTER_S)
    studies.blobs.arrived(blob, 9.0)
    studies.advance(9.0)

    transfers_s = {name: source.transfer_s for name, source in studies.duty.inputs.items()}  # type: ignore[union-attr]
    assert transfers_s == {**dict.fromkeys(others, 0.0), last: 8.0}


def test_nobody_waits_for_the_lost(studies: Studies) -> None:
    studies.contribute(*studies.ranking[:2])
    studies.facts.given_up.add(studies.ranking[2])

    assert studies.advance(1.0) == [studies.combine(*studies.ranking[:2])]


def test_a_lost_peer_that_contributed_before_it_went_is_counted(studies: Studies) -> None:
    studies.contribute(*studies.ranking)
    studies.facts.given_up.add(studies.ranking[2])

    assert studies.advance(1.0) == [studies.combine(*studies.ranking)]


@pytest.mark.parametrize(("num_in", "closes"), [(0, False), (1, False), (2, True)])
def test_at_the_deadline_a_quorum_is_enough(studies: Studies, num_in: int, closes: bool) -> None:
    studies.contribute(*studies.ranking[:num_in])

    assert studies.advance(DEADLINE_S - 0.1) == []
    expected = [studies.combine(*studies.ranking[:num_in])] if closes else []
    assert studies.advance(DEADLINE_S) == expected


def test_a_standby_acts_at_once_when_its_predecessors_are_lost(session: Any) -> None:
    studies = Studies(session, term=1)
    studies.contribute(*studies.ranking[1:])
    assert studies.advance(1.0) == []

    studies.facts.given_up.add(studies.ranking[0])

    note = Note("takeover", "takes over tier 1 as standby 1", studies.ranking[1])
    assert studies.advance(2.0) == [note, studies.combine(*studies.ranking[1:])]


def test_a_standby_waits_past_the_deadline_for_a_silent_predecessor(session: Any) -> None:
    studies = Studies(session, term=2)
    studies.contribute(*studies.ranking)
    patience_s = DEADLINE_S + 2 * TAKEOVER_STEP_S

    assert studies.advance(patience_s - 0.1) == []
    assert studies.advance(patience_s)[1] == studies.combine(*studies.ranking)


def test_a_standby_does_not_act_once_its_predecessor_announced(session: Any) -> None:
    studies = Studies(session, term=1)
    studies.contribute(*studies.ranking)
    studies.facts.hear_aggregate(session.aggregate(studies.cluster, studies.base))

    assert studies.advance(DEADLINE_S + 100) == []


def test_rejected_contributions_are_left_out_and_not_waited_for(studies: Studies) -> None:
    studies.contribute(*studies.ranking)
    studies.advance(1.0)

    studies.duty.failed(frozenset([studies.ranking[0]]), 1.5)

    assert studies.advance(1.5 + RETRY_COMBINING_AFTER_S) == [
        studies.combine(*studies.ranking[1:])
    ]


def test_a_failed_combination_is_not_tried_again_at_once(studies: Studies) -> None:
    studies.contribute(*studies.ranking)
    studies.advance(1.0)
    studies.duty.failed(frozenset(), 1.5)

    assert studies.advance(1.6) == []
    assert studies.advance(1.5 + RETRY_COMBINING_AFTER_S) == [studies.combine(*studies.ranking)]


@pytest.fixture
def root(session: Any) -> Studies:
    studies = Studies(session)
    studies.cluster = session.tree(studies.base).root
    studies.duty = session.duty(studies.cluster, studies.base, 0, DEADLINE_S)
    return studies


def test_an_aggregate_that_cannot_be_pulled_is_absent_and_its_standbys_counts(
    session: Any, root: Studies
) -> None:
    one, two = root.cluster.children
    offers = [session.aggregate(one, root.base), session.aggregate(two, root.base, term=0)]
    for offer in offers:
        root.facts.hear_aggregate(offer)
    root.blobs.arrived(offers[0].blob, 0.0)
    root.advance(1.0)
    root.blobs.missing(offers[1].blob, 2.0)
    standby = session.aggregate(two, root.base, term=1)
    root.facts.hear_aggregate(standby)

    assert root.advance(2.1) == [FetchBlob(standby.blob, (standby.author,), 0.0)]
    root.blobs.arrived(standby.blob, 0.0)
    (combine,) = root.advance(2.2)
    assert {item.blob for item in combine.inputs} == {offers[0].blob, standby.blob}
    assert list(root.duty.inputs.values()) == [
        {one.id: offers[0], two.id: standby}[item.name] for item in combine.inputs
    ]


def test_a_cluster_is_lost_when_those_who_could_speak_for_it_are(
    session: Any, root: Studies
) -> None:
    one, two = root.cluster.children
    offer = session.aggregate(one, root.base)
    root.facts.hear_aggregate(offer)
    root.blobs.arrived(offer.blob, 0.0)
    assert root.advance(1.0) == []

    root.facts.given_up |= set(two.peers)

    assert [item.name for item in root.advance(2.0)[0].inputs] == [one.id]


def test_nobody_leaves_for_its_own_work_while_the_others_head_is_on_its_way(
    session: Any, root: Studies
) -> None:
    me, *_ = session.ranking(root.base, root.cluster)
    (mine,) = (child for child in root.cluster.children if me in child.peers)
    alone = session.contributors(root.base, (me,))
    offer = session.aggregate(mine, root.base, contributors=alone)
    root.facts.hear_aggregate(offer)
    root.blobs.arrived(offer.blob, 0.0)
    root.facts.given_up |= set(session.peers) - {me}

    root.facts.overtaken = True
    assert root.advance(1.0) == []
    root.facts.overtaken = False
    (combine,) = root.advance(2.0)
    assert [item.name for item in combine.inputs] == [mine.id]


def test_a_restarted_aggregators_new_aggregate_is_heard(session: Any, root: Studies) -> None:
    (one, _two) = root.cluster.children
    offers = [
        session.aggregate(one, root.base, blob=session.contribution(f"{k}", root.base).blob)
        for k in range(4)
    ]

    news = []
    for offer in (*offers, offers[-1]):
        news.append(not root.facts.knows(offer))
        if news[-1]:
            root.facts.hear_aggregate(offer)

    assert news == [True, True, True, True, False]
    assert root.facts.aggregates[one.id] == offers[-2:]
