"""One machine under operators' commands, and as a source of the past."""

from typing import Any

import pytest

from swarm.commanding.commands import VALID_FOR_S, Command, RelayedCommands
from swarm.core.effects import BlobArrived, Publish, Send
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, TimerFired
from swarm.federation.answering import ANSWERS_AT_ONCE, ANSWERS_PER_S, AnswerBudget
from swarm.federation.effects import (
    Combine,
    CreateWeights,
    Evaluate,
    EvaluationFinished,
    LearnerReady,
    LeaveRequested,
    Note,
    SaveLedger,
    Started,
    Train,
    TrainingFinished,
    WeightsCreated,
)
from swarm.federation.federation import HEARTBEAT, REPEAT, Federation
from swarm.federation.founding import FOUND
from swarm.federation.joiners import SETTLED_AFTER_S
from swarm.federation.ledger_entries import LedgerPage, LedgerRequest
from swarm.federation.messages import (
    HISTORY_MAX,
    Contribution,
    Goodbye,
    HeadHistory,
    HeadRequest,
    Heartbeat,
    JoinRequest,
)
from swarm.federation.records import GlobalModel, Metrics
from swarm.federation.topics import cluster_topic
from tests.harness.federation_effects import of

OLGA, WATCHER = PeerId("olga"), PeerId("watcher")
UNIX_S = 1_000_000.0


class Operated:
    """A machine that trusts Olga, in the first round."""

    def __init__(self, session: Any, me: PeerId, **settings: Any) -> None:
        self.session = session
        self.me = me
        self.machine = Federation(me, session.spec, lambda _: b"s", (OLGA,), **settings)
        self.machine.handle(Started(unix_s=UNIX_S), 0.0)
        self.machine.handle(LearnerReady(), 0.0)
        self._sequence = 0

    def hold(self, head: GlobalModel, now_s: float = 0.0) -> list[Effect]:
        self.machine.handle(head, now_s)
        return self.machine.handle(BlobArrived(head.blob), now_s)

    def command(self, action: Any, now_s: float, **fields: Any) -> list[Effect]:
        self._sequence += 1
        expires_unix_s = UNIX_S + now_s + VALID_FOR_S
        given = Command(
            self.session.spec.id, OLGA, self._sequence, action, expires_unix_s, **fields
        )
        return self.machine.handle(RelayedCommands(self.session.spec.id, OLGA, (given,)), now_s)


@pytest.fixture
def head0(session: Any) -> GlobalModel:
    head: GlobalModel = session.head0
    return head


@pytest.fixture
def operated(session: Any, head0: GlobalModel) -> Operated:
    """The aggregator of a tier-1 cluster."""
    home = session.tree(head0).tiers[0][0]
    machine = Operated(session, session.ranking(head0, home)[0])
    machine.hold(head0)
    return machine


def contributions(operated: Operated, head: GlobalModel, now_s: float) -> list[Effect]:
    """What the machine does when all contributions of its cluster are in."""
    home = operated.session.tree(head).home(operated.me)
    effects: list[Effect] = []
    for peer in home.peers:
        contribution: Contribution = operated.session.contribution(peer, head)
        if peer == operated.me:
            done = TrainingFinished(head.digest, contribution.blob, 100, 4.0, None)
            effects += operated.machine.handle(done, now_s)
        else:
            effects += operated.machine.handle(contribution, now_s)
            effects += operated.machine.handle(BlobArrived(contribution.blob), now_s)
    return effects


def heartbeat(operated: Operated, now_s: float) -> list[Effect]:
    """A heartbeat of the machine, just after one of every other peer of the cluster."""
    for peer in operated.session.peers:
        if peer != operated.me:
            operated.machine.handle(Heartbeat(operated.session.spec.id, peer, None), now_s)
    return operated.machine.handle(TimerFired(HEARTBEAT), now_s)


def test_while_paused_no_cluster_is_combined_and_then_it_is(
    operated: Operated, head0: GlobalModel
) -> None:
    operated.command("pause", 1.0)

    assert of(Combine, contributions(operated, head0, 2.0)) == []
    assert of(Combine, heartbeat(operated, 3.0)) == []

    assert len(of(Combine, operated.command("resume", 60.0))) == 1


def test_while_paused_no_training_begins(session: Any, head0: GlobalModel) -> None:
    operated = Operated(session, session.peers[2])
    operated.command("pause", 1.0)

    assert of(Train, operated.hold(head0, 2.0)) == []

    assert len(of(Train, operated.command("resume", 3.0))) == 1


def test_the_time_of_a_pause_does_not_count_towards_a_deadline(
    operated: Operated, head0: GlobalModel
) -> None:
    """180 s are allowed; 100 s before and 100 s after a pause of 1000 s are more than that."""
    home = operated.session.tree(head0).home(operated.me)
    missing = next(p for p in home.peers if p != operated.me)
    for peer in (p for p in home.peers if p != missing):
        contribution = operated.session.contribution(peer, head0)
        operated.machine.handle(
            TrainingFinished(head0.digest, contribution.blob, 100, 4.0, None)
            if peer == operated.me
            else contribution,
            1.0,
        )

        operated.machine.handle(BlobArrived(contribution.blob), 1.0)
    for second in range(1, 100):
        heartbeat(operated, float(second))
    operated.command("pause", 100.0)
    for second in range(100, 1100):
        heartbeat(operated, float(second))

    assert of(Combine, operated.command("resume", 1100.0)) == []
    for second in range(1100, 1180):
        assert of(Combine, heartbeat(operated, float(second))) == []
    assert len(of(Combine, heartbeat(operated, 1181.0))) == 1


def test_stop_ends_the_session_with_the_model_that_is_there(
    operated: Operated, head0: GlobalModel
) -> None:
    effects = operated.command("stop", 5.0)

    assert of(Evaluate, effects) == [Evaluate(head0.digest, head0.blob, head0.round)]
    assert operated.machine.finished
    operated.machine.handle(
        EvaluationFinished(head0.digest, Metrics(operated.me, 0.5, 1.0, 10)), 6.0
    )
    assert operated.machine.final_metrics is not None
    assert of(Combine, contributions(operated, head0, 7.0)) == []


def test_a_stopped_session_can_be_resumed(operated: Operated, head0: GlobalModel) -> None:
    operated.command("stop", 5.0)

    effects = operated.command("resume", 6.0)

    assert of(Train, effects)
    assert not operated.machine.finished


def test_a_removed_peer_is_ignored_and_not_waited_for(
    operated: Operated, head0: GlobalModel
) -> None:
    home = operated.session.tree(head0).home(operated.me)
    removed = next(p for p in home.peers if p != operated.me)
    operated.command("remove", 1.0, subject=removed)

    (combine,) = of(Combine, contributions(operated, head0, 2.0))

    assert {item.name for item in combine.inputs} == set(home.peers) - {removed}


def test_the_starter_of_a_held_session_waits_for_start(session: Any) -> None:
    starter = Operated(session, session.spec.starter, held=True)
    machine, anna = starter.machine, session.peers[1]
    machine.handle(WeightsCreated(session.head0.blob), 1.0)
    machine.handle(JoinRequest(session.spec.id, anna, None), 2.0)
    assert of(Publish, machine.handle(TimerFired(FOUND), 2.0 + SETTLED_AFTER_S)) == []
    assert machine.registers.run_state == "held"

    starter.command("start", 5.0)

    assert machine.held is not None
    assert set(machine.held.cohort) == {session.spec.starter, anna}


def test_a_refused_command_changes_nothing_and_is_counted(
    session: Any, operated: Operated, head0: GlobalModel
) -> None:
    eve = PeerId("eve")
    stop = Command(session.spec.id, eve, 9, "stop", UNIX_S + 100)

    effects = operated.machine.handle(RelayedCommands(session.spec.id, eve, (stop,)), 1.0)

    assert of(Note, effects) == [
        Note(
            "refused",
            "a command was not followed: stop: eve is no operator that this peer trusts",
            eve,
        )
    ]
    assert operated.machine.registers.num_refused == 1
    assert len(of(Combine, contributions(operated, head0, 2.0))) == 1


def test_a_paused_peer_is_still_paused_after_a_restart(session: Any, head0: GlobalModel) -> None:
    pause = Command(session.spec.id, OLGA, 1, "pause", 1.0)
    machine = Federation(session.peers[2], session.spec, lambda _: b"s", (OLGA,))
    machine.handle(Started(heads=(head0,), commands=(pause,), unix_s=UNIX_S), 0.0)

    assert of(Train, machine.handle(LearnerReady(), 1.0)) == []


# -- the past


def test_new_entries_go_to_the_cluster_with_the_next_heartbeat_and_are_saved(
    operated: Operated, head0: GlobalModel
) -> None:
    home = operated.session.tree(head0).home(operated.me)
    neighbour = next(p for p in home.peers if p != operated.me)
    operated.machine.handle(Goodbye(operated.session.spec.id, neighbour, "disk"), 3.0)

    effects = operated.machine.handle(TimerFired(HEARTBEAT), 4.0)

    (page,) = [e for e in of(Publish, effects) if isinstance(e.message, LedgerPage)]
    assert page.topic == cluster_topic(operated.session.spec.id, home.id)
    sent = [(e.kind, e.subject, e.round, e.unix_s) for e in page.message.entries]
    assert ("disk", neighbour, 1, UNIX_S + 3.0) in sent
    (saved,) = of(SaveLedger, operated.machine.handle(TimerFired(REPEAT), 5.0))
    assert {e.kind for e in saved.entries} >= {"disk"}


def test_the_entries_of_a_peer_outlive_it_in_its_cluster(
    operated: Operated, head0: GlobalModel
) -> None:
    session = operated.session
    home = session.tree(head0).home(operated.me)
    neighbour = next(p for p in home.peers if p != operated.me)
    other = Operated(session, neighbour)
    other.hold(head0)
    other.machine.handle(Goodbye(session.spec.id, session.peers[5]), 1.0)
    (page,) = [
        e.message
        for e in of(Publish, other.machine.handle(TimerFired(HEARTBEAT), 2.0))
        if isinstance(e.message, LedgerPage)
    ]

    operated.machine.handle(page, 3.0)

    answer = operated.machine.handle(LedgerRequest(session.spec.id, WATCHER, 0), 4.0)
    kinds = [e.kind for e in page.entries]
    assert kinds[0] == "left"
    assert "lost" not in kinds
    assert answer == [
        Send(WATCHER, LedgerPage(session.spec.id, operated.me, page.entries, len(page.entries)))
    ]


def test_a_goodbye_carries_the_reason(operated: Operated) -> None:
    effects = operated.machine.handle(LeaveRequested("disk"), 1.0)

    assert {e.message for e in of(Publish, effects)} == {
        Goodbye(operated.session.spec.id, operated.me, "disk")
    }


def test_observers_are_answered_within_a_budget(operated: Operated) -> None:
    request = LedgerRequest(operated.session.spec.id, WATCHER, 0)

    answers = [operated.machine.handle(request, 1.0) for _ in range(2 * ANSWERS_AT_ONCE)]

    assert sum(map(bool, answers)) == ANSWERS_AT_ONCE
    past = HeadRequest(operated.session.spec.id, WATCHER, None, HISTORY_MAX)
    assert operated.machine.handle(past, 1.0) == []
    neighbour = next(p for p in operated.session.peers if p != operated.me)
    member = HeadRequest(operated.session.spec.id, neighbour, None, HISTORY_MAX)
    assert len(operated.machine.handle(member, 1.0)) == 1


def test_the_answer_budget_refills() -> None:
    answers = AnswerBudget()
    while answers.allows(0.0):
        pass

    assert [answers.allows(1.5 / ANSWERS_PER_S), answers.allows(1.5 / ANSWERS_PER_S)] == [
        True,
        False,
    ]


def test_a_newcomer_asks_for_the_past_until_it_reaches_back_to_head_0(session: Any) -> None:
    chain = session.chain(7)
    me = session.peers[2]
    machine = Federation(me, session.spec, lambda _: b"s")
    machine.handle(Started(offered_by=(session.peers[0],)), 0.0)
    recent = tuple(reversed(chain[3:]))
    machine.handle(HeadHistory(session.spec.id, session.peers[0], recent), 0.5)

    machine.handle(BlobArrived(chain[-1].blob), 1.0)

    asked: list[HeadRequest] = []
    for k in range(4):
        effects = machine.handle(TimerFired(REPEAT), 2.0 * (k + 1))
        asked += [e.message for e in of(Send, effects) if isinstance(e.message, HeadRequest)]
    assert {(r.digest, r.count) for r in asked} == {(chain[2].digest, HISTORY_MAX)}

    machine.handle(HeadHistory(session.spec.id, session.peers[1], tuple(reversed(chain[:3]))), 9.0)
    assert machine.held is not None
    assert list(machine.lineage.ancestors(machine.held)) == chain[::-1]
    later = [machine.handle(TimerFired(REPEAT), 10.0 + 2 * k) for k in range(4)]
    assert not [e for es in later for e in of(Send, es) if isinstance(e.message, HeadRequest)]


def test_creating_weights_does_not_wait_for_start(session: Any) -> None:
    machine = Federation(session.spec.starter, session.spec, lambda _: b"s", held=True)
    machine.handle(Started(), 0.0)

    assert CreateWeights() in machine.handle(LearnerReady(), 1.0)


def test_leaving_a_lineage_for_another_is_noted_as_a_partition(session: Any) -> None:
    few, head0 = session.peers[:2], session.head0
    ours1 = session.child(head0, contributors=session.contributors(head0, few))
    ours2 = session.child(ours1, contributors=session.contributors(ours1, few))
    theirs1 = session.child(head0)
    theirs2 = session.child(theirs1)
    machine, _ = session.machine(session.peers[2], head0, ours1, ours2)

    for head in (theirs1, theirs2):
        machine.handle(head, 1.0)
    notes = of(Note, machine.handle(BlobArrived(theirs2.blob), 2.0))

    assert machine.held == theirs2
    (parting,) = [note for note in notes if note.kind == "partition"]
    assert parting.text.startswith("the swarm was split: peer-2 had gone on apart from")


def test_a_standbys_head_of_the_same_round_is_no_partition(session: Any) -> None:
    head0 = session.head0
    machine, _ = session.machine(session.peers[2], head0)
    notes = []
    for term in (0, 1):
        head = session.child(head0, term=term)
        notes += of(Note, machine.handle(head, 1.0 + term))
        notes += of(Note, machine.handle(BlobArrived(head.blob), 1.0 + term))

    assert machine.held.term == 1
    assert not [note for note in notes if note.kind == "partition"]


def test_catching_up_over_several_rounds_is_no_partition(session: Any) -> None:
    chain = session.chain(3)
    machine, _ = session.machine(session.peers[2], chain[0])

    history = HeadHistory(session.spec.id, session.peers[0], tuple(reversed(chain[1:])))
    notes = of(Note, machine.handle(history, 1.0))
    notes += of(Note, machine.handle(BlobArrived(chain[3].blob), 2.0))

    assert machine.held == chain[3]
    assert not [note for note in notes if note.kind == "partition"]
