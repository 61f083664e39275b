"""A peer that sends what no honest peer sends is quarantined for a while."""

from typing import Any

from swarm.core.effects import BlobArrived, PeerUnreachable, Publish, Send
from swarm.core.ids import PeerId, Term
from swarm.core.machine import Effect
from swarm.federation.effects import Combine, Combined, Note, Rejection, TrainingFinished
from swarm.federation.federation import Federation
from swarm.federation.messages import HeadHistory, HeadRequest
from swarm.federation.records import GlobalModel
from swarm.federation.violations import PEERS_MAX, QUARANTINED_FOR_S, VIOLATIONS_MAX, Violations
from tests.harness.federation_effects import of

EVE = PeerId("eve")


def test_the_third_violation_quarantines_a_peer() -> None:
    violations = Violations()

    notes = [violations.count(EVE, "lies", 1.0) for _ in range(VIOLATIONS_MAX)]

    assert notes[:-1] == [[]] * (VIOLATIONS_MAX - 1)
    assert [note.kind for note in notes[-1]] == ["quarantined"]  # type: ignore[attr-defined]
    assert violations.quarantined(EVE, 1.0 + QUARANTINED_FOR_S - 1)
    assert not violations.quarantined(EVE, 1.0 + QUARANTINED_FOR_S)


def test_after_its_time_is_over_one_more_violation_is_enough() -> None:
    violations = Violations()
    for _ in range(VIOLATIONS_MAX):
        violations.count(EVE, "lies", 1.0)

    assert violations.count(EVE, "lies again", 2.0 + QUARANTINED_FOR_S) != []


def test_a_million_violators_do_not_fill_the_memory() -> None:
    violations = Violations()

    for k in range(3 * PEERS_MAX):
        violations.count(PeerId(f"eve-{k}"), "lies", 1.0)

    assert len(violations._counts) <= PEERS_MAX


def lie(session: Any, k: int) -> GlobalModel:
    """A head by a peer that claims another peer's place."""
    ranking = session.ranking(session.head0, session.tree(session.head0).root)
    head: GlobalModel = session.child(
        session.head0,
        term=Term(1),
        author=ranking[0],
        blob=session.contribution(f"{k}", session.head0).blob,
    )
    return head


def lying(session: Any, machine: Federation, now_s: float) -> list[Effect]:
    effects: list[Effect] = []
    for k in range(VIOLATIONS_MAX):
        effects += machine.handle(lie(session, k), now_s)
    return effects


def test_the_author_of_invalid_records_is_not_answered_any_more(session: Any) -> None:
    machine, _ = session.machine(session.peers[0], session.head0)
    author = lie(session, 0).author
    request = HeadRequest(session.spec.id, author, None)

    before = machine.handle(request, 1.0)
    effects = lying(session, machine, 2.0)
    after = machine.handle(request, 3.0)

    assert [e.peer for e in of(Send, before)] == [author]
    assert [n.kind for n in of(Note, effects)].count("rejected") == VIOLATIONS_MAX
    assert machine.quarantined(3.0) == {author}
    assert after == []


def test_a_peer_that_relays_invalid_records_is_not_blamed(session: Any) -> None:
    lies = [lie(session, k) for k in range(VIOLATIONS_MAX)]
    me, relayer = [peer for peer in session.peers if peer != lies[0].author][:2]
    machine, _ = session.machine(me, session.head0)

    for head in lies:
        machine.handle(HeadHistory(session.spec.id, relayer, (head,)), 1.0)

    assert machine.quarantined(1.0) == {lies[0].author}


def test_a_valid_head_of_a_quarantined_author_is_adopted_all_the_same(session: Any) -> None:
    """Other peers adopt it: a peer that did not would stay behind alone."""
    author = lie(session, 0).author
    me = next(peer for peer in session.peers if peer != author)
    machine, _ = session.machine(me, session.head0)
    lying(session, machine, 2.0)
    honest = session.child(session.head0)

    machine.handle(honest, 3.0)
    machine.handle(BlobArrived(honest.blob), 3.0)

    assert honest.author == author
    assert machine.held == honest


def test_weights_that_fail_the_gates_three_times_end_in_quarantine(session: Any) -> None:
    head = session.head0
    eve = session.tree(head).tiers[0][0].peers[0]
    machine = None
    notes: list[Note] = []
    for round_number in range(1, VIOLATIONS_MAX + 1):
        home = session.tree(head).home(eve)
        me = next(peer for peer in home.peers if peer != eve)
        machine = machine or session.machine(me, head)[0]
        me = machine.me
        for peer in home.peers:
            if peer != me:
                contribution = session.contribution(peer, head)
                machine.handle(contribution, float(round_number))
                machine.handle(BlobArrived(contribution.blob), float(round_number))
        mine = session.contribution(me, head)
        done = TrainingFinished(head.digest, mine.blob, 100, 4.0, None)
        effects = machine.handle(done, float(round_number))
        effects += [] if of(Combine, effects) else _take_over(machine, home, round_number)
        (job,) = of(Combine, effects)
        failing = (Rejection(eve, "weights must be finite"),)
        effects = machine.handle(
            Combined(job.base, job.cluster, mine.blob, failing), float(round_number)
        )
        notes += of(Note, effects)
        head = session.child(head)
        machine.handle(head, float(round_number))
        machine.handle(BlobArrived(head.blob), float(round_number))

    assert [n.kind for n in notes].count("rejected") == VIOLATIONS_MAX
    assert machine is not None
    assert machine.quarantined(4.0) == {eve}
    assert of(Publish, machine.handle(session.contribution(eve, head), 5.0)) == []


def _take_over(machine: Federation, home: Any, now_s: float) -> list[Effect]:
    effects: list[Effect] = []
    for peer in home.peers:
        if peer != machine.me:
            effects += machine.handle(PeerUnreachable(peer), float(now_s))
    return effects
