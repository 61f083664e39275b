"""What a time-out says that a peer waits for."""

from dataclasses import replace
from typing import Any

from swarm.core.ids import PeerId
from swarm.core.session import SessionSpec
from swarm.federation.effects import LearnerReady, Started
from swarm.federation.federation import Federation
from swarm.federation.ledger_entries import LedgerEntry, LedgerPage
from swarm.federation.messages import JoinRequest
from swarm.federation.waiting_reasons import awaited, joined, name_of
from tests.harness.federation_effects import finished


def test_before_the_first_model_it_counts_the_peers(session: Any) -> None:
    spec = replace(session.spec, min_peers=4)
    machine = Federation(session.peers[0], spec, lambda digest: b"s")
    machine.handle(Started(), 0.0)
    machine.handle(LearnerReady(), 1.0)
    machine.handle(JoinRequest(spec.id, session.peers[1], None), 2.0)

    assert awaited(machine, 0.0, 3.0) == "2 of 4 peers are here"


def test_while_it_trains_it_says_how_far_it_is(session: Any) -> None:
    machine, _ = session.machine(session.peers[0], session.head0)

    assert awaited(machine, 0.43, 1.0) == "this peer has trained 43% of round 1"


def test_then_it_names_the_peers_that_have_not_contributed(session: Any) -> None:
    head = session.head0
    me = session.peers[0]
    home = session.tree(head).path(me)[0]
    _, other, third = sorted(home.peers, key=lambda peer: peer != me)
    machine, _ = session.machine(me, head)
    name = LedgerEntry(session.spec.id, other, 1, 1.0, "name", head.round, other, "ada", b"s")
    machine.handle(LedgerPage(session.spec.id, other, (name,), None), 1.0)

    machine.handle(finished(head, head.blob), 1.0)
    assert awaited(machine, 1.0, 1.0) == (
        f"{joined([name_of(p, {other: 'ada'}) for p in home.peers if p != me])} "
        "have not contributed to round 1"
    )
    machine.handle(session.contribution(third, head), 2.0)
    assert awaited(machine, 1.0, 2.0) == "ada has not contributed to round 1"
    machine.handle(session.contribution(other, head), 3.0)
    assert awaited(machine, 1.0, 3.0) == "the contributions to round 1 are being combined"


def test_a_peer_outside_the_cohort_asks_to_join(session: Any) -> None:
    machine, _ = session.machine(PeerId("late"), session.head0)

    assert awaited(machine, 0.0, 1.0) == "this peer is not in the round yet; it asks to join"


def test_a_finished_session_is_measured_last(session: Any) -> None:
    short = type(session)(SessionSpec(starter=session.peers[0], rounds=1))
    machine, _ = short.machine(short.peers[0], short.head0, short.child(short.head0))

    assert awaited(machine, 0.0, 1.0) == "this peer still measures the last model"


def test_names_are_joined_and_long_lists_are_cut() -> None:
    assert joined(["a"]) == "a"
    assert joined(["a", "b"]) == "a and b"
    assert joined(list("abcde")) == "a, b, c, d and e"
    assert joined(list("abcdef")) == "a, b, c, d and 2 others"
    assert name_of(PeerId("12D3KooWabcdef"), {}) == "peer abcdef"
