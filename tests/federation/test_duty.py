from typing import Any

import pytest

from swarm.core.effects import FetchBlob
from swarm.core.ids import PeerId
from swarm.federation.ancestry import window_of
from swarm.federation.blob_tracker import RETRY_AFTER_S, BlobTracker
from swarm.federation.durations import DEADLINE_FACTOR, DEADLINE_MARGIN_S
from swarm.federation.duty import RETRY_COMBINING_AFTER_S, TAKEOVER_STEP_S, Duty
from swarm.federation.effects import Combine, CombineInput, Note
from swarm.federation.efforts import WORKS_FOR_S, Efforts
from swarm.federation.round_view import Announced, RoundView

DEADLINE_S = 30.0


class Case:
    """One duty of the first tier-1 cluster, and what its peer knows."""

    def __init__(self, session: Any, term: int = 0) -> None:
        self.session = session
        self.base = session.head0
        self.cluster = session.tree(self.base).tiers[0][0]
        self.ranking = session.ranking(self.base, self.cluster)
        self.announced = Announced(self.base.digest)
        self.given_up: set[PeerId] = set()
        self.overtaken = False
        self.efforts = Efforts()
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
            efforts=self.efforts,
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
def case(session: Any) -> Case:
    return Case(session)


def test_the_aggregator_combines_in_peer_id_order_when_every_member_is_in(
    case: Case,
) -> None:
    case.contribute(*case.ranking[:2])
    assert case.advance(1.0) == []

    case.contribute(case.ranking[2])

    assert case.advance(2.0) == [case.combine(*case.cluster.peers)]
    assert case.advance(2.1) == []


def test_the_aggregator_pulls_announced_weights_from_their_contributor(case: Case) -> None:
    case.contribute(case.ranking[1], here=False)
    blob = case.announced.contributions[case.ranking[1]].blob

    assert case.advance(1.0) == [FetchBlob(blob, (case.ranking[1],), 0.0)]
    assert case.advance(1.1) == []
    case.blobs.missing(blob, 2.0)
    assert case.advance(2.1) == []
    assert case.advance(2.0 + RETRY_AFTER_S) == [FetchBlob(blob, (case.ranking[1],), 0.0)]


def test_the_time_that_all_pulls_share_is_the_aggregators_own(case: Case) -> None:
    me, near, far = case.ranking
    case.contribute(me)
    case.contribute(near, far, here=False)

    case.advance(1.0)
    case.blobs.arrived(case.announced.contributions[near].blob, 21.0)
    case.blobs.arrived(case.announced.contributions[far].blob, 24.0)
    case.advance(24.0)

    transfers_s = {name: source.transfer_s for name, source in case.duty.inputs.items()}  # type: ignore[union-attr]
    assert transfers_s == {me: 0.0, near: 0.0, far: 3.0}


def test_the_time_to_pull_weights_is_added_to_the_claimed_transfer_time(case: Case) -> None:
    *others, last = case.ranking
    case.contribute(*others)
    case.contribute(last, here=False)
    blob = case.announced.contributions[last].blob

    case.advance(1.0)
    case.blobs.missing(blob, 3.0)
    case.advance(3.0 + RETRY_AFTER_S)
    case.blobs.arrived(blob, 9.0)
    case.advance(9.0)

    transfers_s = {name: source.transfer_s for name, source in case.duty.inputs.items()}  # type: ignore[union-attr]
    assert transfers_s == {**dict.fromkeys(others, 0.0), last: 8.0}


def test_lost_peers_are_not_waited_for(case: Case) -> None:
    case.contribute(*case.ranking[:2])
    case.given_up.add(case.ranking[2])

    assert case.advance(1.0) == [case.combine(*case.ranking[:2])]


def test_a_lost_peer_that_contributed_before_it_went_is_counted(case: Case) -> None:
    case.contribute(*case.ranking)
    case.given_up.add(case.ranking[2])

    assert case.advance(1.0) == [case.combine(*case.ranking)]


@pytest.mark.parametrize(("num_in", "closes"), [(0, False), (1, False), (2, True)])
def test_at_the_deadline_a_quorum_is_enough(case: Case, num_in: int, closes: bool) -> None:
    case.contribute(*case.ranking[:num_in])

    assert case.advance(DEADLINE_S - 0.1) == []
    expected = [case.combine(*case.ranking[:num_in])] if closes else []
    assert case.advance(DEADLINE_S) == expected


def test_a_standby_acts_at_once_when_its_predecessors_are_lost(session: Any) -> None:
    case = Case(session, term=1)
    case.contribute(*case.ranking[1:])
    assert case.advance(1.0) == []

    case.given_up.add(case.ranking[0])

    first, me, _ = case.ranking
    text = f"{me} combined cluster 1 instead of {first}, which stopped answering"
    note = Note("takeover", text, me)
    assert case.advance(2.0) == [note, case.combine(*case.ranking[1:])]


def test_a_standby_waits_past_the_deadline_for_a_silent_predecessor(session: Any) -> None:
    case = Case(session, term=2)
    case.contribute(*case.ranking)
    patience_s = DEADLINE_S + 2 * TAKEOVER_STEP_S
    case.advance(1.0)

    assert case.advance(patience_s - 0.1) == []
    assert case.advance(patience_s)[1] == case.combine(*case.ranking)


def test_a_member_that_works_is_waited_for_past_the_deadline_but_not_for_ever(case: Case) -> None:
    *others, slow = case.ranking
    case.contribute(*others)
    case.advance(20.0)  # the time that a quorum took
    latest_s = DEADLINE_FACTOR * 20.0 + DEADLINE_MARGIN_S
    for second in range(20, 100):
        case.efforts.hear(slow, (second / 100,), float(second))

    assert case.advance(DEADLINE_S) == []
    assert case.advance(latest_s - 0.1) == []
    assert case.advance(latest_s) == [case.combine(*others)]


def test_a_member_whose_progress_has_ended_is_not_waited_for_past_the_deadline(case: Case) -> None:
    *others, hanging = case.ranking
    case.contribute(*others)
    case.efforts.hear(hanging, (0.5,), 25.0)
    case.advance(25.0)

    assert case.advance(25.0 + WORKS_FOR_S - 0.1) == []
    case.efforts.hear(hanging, (0.5,), 25.0 + WORKS_FOR_S - 0.1)
    assert case.advance(25.0 + WORKS_FOR_S) == [case.combine(*others)]


def test_a_standby_counts_its_time_from_when_the_inputs_were_announced(session: Any) -> None:
    case = Case(session, term=1)
    late_s = 10 * DEADLINE_S
    assert case.advance(late_s) == []
    case.contribute(*case.ranking)

    assert case.advance(late_s) == []
    assert case.advance(late_s + TAKEOVER_STEP_S - 0.1) == []
    note, combine = case.advance(late_s + TAKEOVER_STEP_S)
    assert note.text.endswith(f"instead of {case.ranking[0]}, which had nothing to show in time")
    assert combine == case.combine(*case.ranking)


def test_a_standby_leaves_an_aggregator_alone_that_gets_on(session: Any) -> None:
    case = Case(session, term=1)
    case.contribute(*case.ranking)
    case.advance(20.0)
    limit_s = DEADLINE_FACTOR * 20.0 + DEADLINE_MARGIN_S
    for second in range(20, 200):
        case.efforts.hear(case.ranking[0], (2.0, float(second)), float(second))

    assert case.advance(limit_s + TAKEOVER_STEP_S - 0.1) == []
    assert len(case.advance(limit_s + TAKEOVER_STEP_S)) == 2


def test_an_aggregator_gets_on_while_it_pulls_or_combines_and_while_members_do(case: Case) -> None:
    def grows() -> bool:
        before, after = (case.duty.progress(case.efforts, case.base) for _ in range(2))
        return after > before

    idle = grows()
    case.contribute(*case.ranking, here=False)
    case.advance(1.0)
    pulling = grows()
    for contribution in case.announced.contributions.values():
        case.blobs.arrived(contribution.blob, 2.0)
    case.advance(2.0)
    combining = grows()
    case.duty.combined(case.base.blob, frozenset())

    assert (idle, pulling, combining, grows()) == (False, True, True, False)
    before = case.duty.progress(case.efforts, case.base)
    case.efforts.hear(case.ranking[1], (1.5,), 3.0)
    assert case.duty.progress(case.efforts, case.base) == before + 1.5


def test_a_standby_does_not_act_once_its_predecessor_announced(session: Any) -> None:
    case = Case(session, term=1)
    case.contribute(*case.ranking)
    case.announced.add_aggregate(session.aggregate(case.cluster, case.base))

    assert case.advance(DEADLINE_S + 100) == []


def test_rejected_contributions_are_left_out_and_not_waited_for(case: Case) -> None:
    case.contribute(*case.ranking)
    case.advance(1.0)

    case.duty.failed(frozenset([case.ranking[0]]), 1.5)

    assert case.advance(1.5 + RETRY_COMBINING_AFTER_S) == [case.combine(*case.ranking[1:])]


def test_a_failed_combination_is_not_tried_again_at_once(case: Case) -> None:
    case.contribute(*case.ranking)
    case.advance(1.0)
    case.duty.failed(frozenset(), 1.5)

    assert case.advance(1.6) == []
    assert case.advance(1.5 + RETRY_COMBINING_AFTER_S) == [case.combine(*case.ranking)]


@pytest.fixture
def root(session: Any) -> Case:
    case = Case(session)
    case.cluster = session.tree(case.base).root
    case.duty = session.duty(case.cluster, case.base, 0, DEADLINE_S)
    return case


def test_an_aggregate_that_cannot_be_pulled_is_absent_and_its_standbys_counts(
    session: Any, root: Case
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


def test_a_cluster_is_lost_when_its_aggregator_and_standbys_are(session: Any, root: Case) -> None:
    one, two = root.cluster.children
    offer = session.aggregate(one, root.base)
    root.announced.add_aggregate(offer)
    root.blobs.arrived(offer.blob, 0.0)
    assert root.advance(1.0) == []

    root.given_up |= set(two.peers)

    assert [item.name for item in root.advance(2.0)[0].inputs] == [one.id]


def test_no_head_of_own_work_alone_while_a_greater_heads_weights_are_on_their_way(
    session: Any, root: Case
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


def test_a_restarted_aggregators_new_aggregate_is_taken(session: Any, root: Case) -> None:
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
