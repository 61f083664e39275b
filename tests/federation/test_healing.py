"""Two lineages meet again: which peers announce, merge, check and wait."""

from dataclasses import replace
from typing import Any

import pytest

from swarm.core.effects import BlobArrived, FetchBlob, Publish, Send
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, TimerFired
from swarm.federation.branches import KEPT_FOR_ADOPTIONS, Branches
from swarm.federation.effects import (
    Combine,
    Combined,
    MergeInput,
    Note,
    Rejection,
    TrainingFinished,
)
from swarm.federation.federation import REPEAT, Federation
from swarm.federation.messages import HISTORY_MAX, HeadHistory, HeadRequest, JoinRequest
from swarm.federation.records import Branch, GlobalModel, Merged
from swarm.federation.validity import InvalidRecordError, check_head
from tests.harness.federation_effects import of


def adopt(machine: Federation, head: GlobalModel, now_s: float) -> list[Effect]:
    machine.handle(head, now_s)
    return machine.handle(BlobArrived(head.blob), now_s)


class Parted:
    """After head 1 peers 0 to 3 went on for two heads, peers 4 and 5 for one."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.head0, self.head1 = session.chain(1)
        many, few = session.peers[:4], session.peers[4:]
        self.a2 = self._child(self.head1, many)
        self.a3 = self._child(self.a2, many)
        term = next(
            k
            for k, peer in enumerate(self._ranking(self.head1))
            if peer in few  # its author must be on that side
        )
        self.b2 = self._child(self.head1, few, term)
        self.known = {h.digest: h for h in (self.head0, self.head1, self.a2, self.a3, self.b2)}

    def _ranking(self, head: GlobalModel) -> tuple[PeerId, ...]:
        ranking: tuple[PeerId, ...] = self.session.ranking(head, self.session.tree(head).root)
        return ranking

    def _child(self, parent: GlobalModel, peers: tuple[PeerId, ...], term: int = 0) -> GlobalModel:
        contributors = self.session.contributors(parent, peers)
        head: GlobalModel = self.session.child(
            parent, term, contributors=contributors, cohort=peers
        )
        return head

    def merging(self, num_examples: int = 200, **fields: Any) -> GlobalModel:
        merged = (Merged(self.b2.digest, num_examples),)
        contributors = self.session.contributors(self.a3, self.a3.cohort)
        values = {"merged": merged, "contributors": contributors, **fields}
        head: GlobalModel = self.session.child(self.a3, **values)
        return head


@pytest.fixture
def parted(session: Any) -> Parted:
    return Parted(session)


# -- the side that is left


def left(session: Any, parted: Parted) -> tuple[Federation, list[Effect]]:
    """A peer of the lesser side meets the others."""
    machine, _ = session.machine(session.peers[5], parted.head0, parted.head1, parted.b2)
    machine.handle(parted.a2, 9.0)
    return machine, adopt(machine, parted.a3, 10.0)


def test_a_peer_that_leaves_a_lineage_names_the_branch_in_its_join_request(
    session: Any, parted: Parted
) -> None:
    _, adopted = left(session, parted)

    join_requests = [e.message for e in of(Send, adopted) if isinstance(e.message, JoinRequest)]
    assert {r.branches for r in join_requests} == {(Branch(parted.b2.digest, session.peers[5]),)}


def test_a_peer_that_leaves_its_own_head_announces_the_parent_too(
    session: Any, parted: Parted
) -> None:
    contributors = session.contributors(parted.b2, parted.b2.cohort)
    b3 = session.child(parted.b2, contributors=contributors, cohort=parted.b2.cohort)
    machine, _ = session.machine(b3.author, parted.head0, parted.head1, parted.b2, b3)
    for head in (parted.a2, parted.a3):
        machine.handle(head, 9.0)
    by_author, by_other = Branches(b3.author), Branches(session.peers[0])

    for branches in (by_author, by_other):
        branches.adopted(parted.a3, b3, machine.lineage)

    assert {branch.head for branch in by_author.to_announce()} == {b3.digest, parted.b2.digest}
    assert {branch.head for branch in by_other.to_announce()} == {b3.digest}


def test_a_merged_branch_is_no_longer_announced(session: Any) -> None:
    session.spec = replace(session.spec, rounds=9)
    parted = Parted(session)
    machine, _ = left(session, parted)

    everyone = {"cohort": tuple(session.peers)}
    effects = adopt(machine, parted.merging(**everyone), 12.0)
    done = machine.handle(TrainingFinished(machine.held.digest, parted.b2.blob, 9, 1.0, None), 13)

    (mine,) = [e.message for e in of(Publish, done)]
    assert mine.branches == ()
    assert of(Note, effects)[0].kind == "head"


def test_a_branch_is_announced_again_if_the_head_that_merged_it_lost(session: Any) -> None:
    session.spec = replace(session.spec, rounds=9)
    parted = Parted(session)
    machine, _ = left(session, parted)
    everyone = tuple(session.peers)
    merging = parted.merging(cohort=everyone)
    adopt(machine, merging, 12.0)
    by_standby = session.child(
        parted.a3,
        term=1,
        cohort=everyone,
        contributors=session.contributors(parted.a3, parted.a3.cohort),
    )

    adopt(machine, by_standby, 13.0)

    assert machine.held == by_standby
    done = machine.handle(TrainingFinished(by_standby.digest, parted.b2.blob, 9, 1.0, None), 14.0)
    (mine,) = [e.message for e in of(Publish, done)]
    assert {branch.head for branch in mine.branches} == {merging.digest, parted.b2.digest}


def test_a_branch_that_no_head_merges_is_given_up_in_the_end(session: Any) -> None:
    session.spec = replace(session.spec, rounds=99)
    parted = Parted(session)
    machine, _ = left(session, parted)
    head = parted.a3
    notes: list[str] = []

    for k in range(KEPT_FOR_ADOPTIONS + 1):
        contributors = session.contributors(head, head.cohort)
        head = session.child(head, contributors=contributors, cohort=head.cohort)
        notes += [n.text for n in of(Note, adopt(machine, head, 20.0 + k)) if n.kind == "skipped"]

    what = f"work of another side of a split (head {parted.b2.digest[:12]})"
    assert notes == [f"{what} was not merged: no head merged it"]


def test_leaving_a_sibling_of_the_same_contributions_loses_nothing(session: Any) -> None:
    """A fork by takeover, not by a partition."""
    head0 = session.head0
    first, second = session.child(head0), session.child(head0, term=1)
    machine, _ = session.machine(session.peers[0], head0, first)

    effects = adopt(machine, second, 5.0)

    assert [n for n in of(Note, effects) if n.kind == "skipped"] == []


def test_a_note_says_what_is_lost_when_two_sides_name_one_contribution(session: Any) -> None:
    """Only in the end: the next lineage that is adopted may have no conflict."""
    head0 = session.head0
    mine = session.child(head0, contributors=session.contributors(head0, session.peers[:4]))
    head = session.child(
        head0, term=1, contributors=session.contributors(head0, session.peers[3:])
    )
    machine, _ = session.machine(session.peers[0], head0, mine)
    notes: list[tuple[int, str]] = []

    while not machine.finished:
        effects = adopt(machine, head, 5.0)
        notes += [(head.round, n.text) for n in of(Note, effects) if n.kind == "skipped"]
        head = session.child(head)

    ((noted_in, text),) = notes
    assert noted_in == session.spec.rounds
    assert "both sides name the contribution of peer-3; 3 contributions are lost" in text


# -- the composer of the next head


def holder(session: Any, parted: Parted) -> PeerId:
    """A peer of the lesser side that is not the author of its head."""
    return next(peer for peer in session.peers[4:] if peer != parted.b2.author)


def composer(session: Any, parted: Parted) -> tuple[Federation, list[Effect]]:
    """The root's aggregator on head a3, which heard of the branch from one of its holders."""
    me = session.ranking(parted.a3, session.tree(parted.a3).root)[0]
    heads = (parted.head0, parted.head1, parted.a2, parted.a3)
    machine, _ = session.machine(me, *heads)
    announcer = holder(session, parted)
    branches = (Branch(parted.b2.digest, announcer),)
    machine.handle(JoinRequest(session.spec.id, announcer, parted.a3.key, branches), 1.0)
    return machine, machine.handle(TimerFired(REPEAT), 2.0)


def test_the_composer_asks_the_holder_for_record_and_weights(session: Any, parted: Parted) -> None:
    machine, first = composer(session, parted)
    request = HeadRequest(session.spec.id, machine.me, parted.b2.digest, HISTORY_MAX)
    history = HeadHistory(session.spec.id, holder(session, parted), (parted.b2,))

    then = machine.handle(history, 3.0)

    assert Send(holder(session, parted), request) in first
    assert FetchBlob(parted.b2.blob, (holder(session, parted),), 0.0) in then


def test_an_author_alone_does_not_prove_the_work_of_others(session: Any, parted: Parted) -> None:
    me = session.ranking(parted.a3, session.tree(parted.a3).root)[0]
    machine, _ = session.machine(me, parted.head0, parted.head1, parted.a2, parted.a3)
    author = parted.b2.author
    request = JoinRequest(
        session.spec.id, author, parted.a3.key, (Branch(parted.b2.digest, author),)
    )
    machine.handle(request, 1.0)
    machine.handle(TimerFired(REPEAT), 2.0)

    effects = machine.handle(HeadHistory(session.spec.id, author, (parted.b2,)), 3.0)

    assert of(FetchBlob, effects) == []


def close_round(
    session: Any,
    machine: Federation,
    head: GlobalModel,
    rejected: tuple[Rejection, ...] = (),
) -> list[Effect]:
    """Every other contribution and aggregate comes in, then this peer's own contribution."""
    tree = session.tree(head)
    home = tree.home(machine.me)
    others = [session.contribution(peer, head) for peer in home.peers if peer != machine.me]
    if tree.root.children:
        others += [session.aggregate(c, head) for c in tree.tiers[0] if c is not home]
    for message in others:
        machine.handle(message, 5.0)
        machine.handle(BlobArrived(message.blob), 5.0)
    mine = session.contribution(machine.me, head)
    effects = machine.handle(TrainingFinished(head.digest, mine.blob, 100, 4.0, None), 5.0)
    for effect in effects:  # grows while the combinations are answered
        if isinstance(effect, Combine):
            failing = rejected if effect.merge is not None else ()
            made = session.contribution(effect.cluster, head).blob
            effects += machine.handle(Combined(effect.base, effect.cluster, made, failing), 6.0)
    return effects


def test_the_next_head_merges_the_branch_with_its_share(session: Any, parted: Parted) -> None:
    machine, _ = composer(session, parted)
    machine.handle(HeadHistory(session.spec.id, session.peers[5], (parted.b2,)), 3.0)
    machine.handle(BlobArrived(parted.b2.blob), 4.0)

    effects = close_round(session, machine, parted.a3)

    root = session.tree(parted.a3).root
    (job,) = [e for e in of(Combine, effects) if e.cluster == root.id]
    name = f"merge of {parted.b2.digest[:12]}"
    assert job.merge == MergeInput(name, parted.b2.blob, 200 / (800 + 200))
    (head,) = [e.message for e in of(Publish, effects) if isinstance(e.message, GlobalModel)]
    assert head.merged == (Merged(parted.b2.digest, 200),)
    assert head.weight == 400 + 200
    assert holder(session, parted) in head.cohort
    check_head(head, parted.known, session.spec)


def test_a_branch_whose_weights_are_not_here_yet_is_left_for_the_next_head(
    session: Any, parted: Parted
) -> None:
    machine, _ = composer(session, parted)
    machine.handle(HeadHistory(session.spec.id, session.peers[5], (parted.b2,)), 3.0)

    effects = close_round(session, machine, parted.a3)

    assert all(job.merge is None for job in of(Combine, effects))


def test_a_branch_that_fails_a_gate_is_not_named(session: Any, parted: Parted) -> None:
    machine, _ = composer(session, parted)
    machine.handle(HeadHistory(session.spec.id, session.peers[5], (parted.b2,)), 3.0)
    machine.handle(BlobArrived(parted.b2.blob), 4.0)
    name = f"merge of {parted.b2.digest[:12]}"

    effects = close_round(session, machine, parted.a3, (Rejection(name, "not finite"),))

    (head,) = [e.message for e in of(Publish, effects) if isinstance(e.message, GlobalModel)]
    assert head.merged == ()
    assert any(n.kind == "skipped" and "not finite" in n.text for n in of(Note, effects))


# -- peers that adopt


@pytest.mark.parametrize(
    ("examples", "rule"), [(199, "count the examples"), (201, "count the examples")]
)
def test_a_merge_must_count_the_examples_of_the_branch(
    session: Any, parted: Parted, examples: int, rule: str
) -> None:
    check_head(parted.merging(), parted.known, session.spec)
    with pytest.raises(InvalidRecordError, match=rule):
        check_head(parted.merging(examples), parted.known, session.spec)


def test_a_branch_may_not_be_merged_twice(session: Any, parted: Parted) -> None:
    once = parted.merging(cohort=tuple(session.peers))
    known = {**parted.known, once.digest: once}
    twice = session.child(
        once,
        contributors=session.contributors(once, session.peers),
        merged=(Merged(parted.b2.digest, 200),),
    )

    with pytest.raises(InvalidRecordError, match="merged"):
        check_head(twice, known, session.spec)


def test_a_merged_head_must_be_less_than_the_parent(session: Any, parted: Parted) -> None:
    """Otherwise the parent's holders should have adopted it."""
    head = session.child(
        parted.b2,
        contributors=session.contributors(parted.b2, parted.b2.cohort),
        merged=(Merged(parted.a3.digest, 800),),
    )

    with pytest.raises(InvalidRecordError, match="less than the parent"):
        check_head(head, parted.known, session.spec)


def test_a_head_may_not_name_a_contribution_of_the_branch_it_merges(
    session: Any, parted: Parted
) -> None:
    fresh = session.contributors(parted.a3, parted.a3.cohort)
    repeated = parted.b2.contributors[:1]

    with pytest.raises(InvalidRecordError, match="both by itself and with a merged head"):
        check_head(parted.merging(contributors=(*fresh, *repeated)), parted.known, session.spec)


def test_a_head_that_merges_an_unknown_branch_waits_for_its_record(
    session: Any, parted: Parted
) -> None:
    heads = (parted.head0, parted.head1, parted.a2, parted.a3)
    merging = parted.merging()
    me = next(peer for peer in session.peers[:4] if peer != merging.author)
    machine, _ = session.machine(me, *heads)

    asked = machine.handle(merging, 10.0)
    machine.handle(BlobArrived(merging.blob), 10.5)
    waiting = machine.held
    machine.handle(HeadHistory(session.spec.id, merging.author, (parted.b2,)), 11.0)

    request = HeadRequest(session.spec.id, machine.me, parted.b2.digest, HISTORY_MAX)
    assert Send(merging.author, request) in asked
    assert waiting == parted.a3
    assert machine.held == merging
