"""Training that fails, and models that do not learn."""

from typing import Any

import pytest

from swarm.core.effects import BlobArrived
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, SetTimer, TimerFired
from swarm.federation.effects import (
    Finding,
    GiveUp,
    LearnerFailed,
    LearnerReady,
    LeaveRequested,
    Note,
    Train,
    TrainingFailed,
    TrainingFinished,
)
from swarm.federation.federation import Federation
from swarm.federation.ledger_entries import LedgerPage
from swarm.federation.messages import Goodbye
from swarm.federation.records import GlobalModel
from swarm.federation.training import RETRY_TRAINING
from tests.harness.federation_effects import finished, of, published

GROWS = Finding("loss-grows", "the loss grows")


@pytest.fixture
def machine(session: Any) -> Federation:
    machine: Federation = session.machine(session.peers[1], session.head0)[0]
    return machine


def fail(machine: Federation, *reasons: str) -> list[Effect]:
    """Fail for each of these reasons, one attempt after the other; return the last effects."""
    effects: list[Effect] = []
    for now_s, reason in enumerate(reasons):
        machine.handle(TimerFired(RETRY_TRAINING), float(now_s))
        assert machine.held is not None
        effects = machine.handle(TrainingFailed(machine.held.digest, reason), float(now_s))
    return effects


def test_each_attempt_waits_longer_and_shuffles_differently(
    machine: Federation, head0: GlobalModel
) -> None:
    first = fail(machine, "nan")
    again = machine.handle(TimerFired(RETRY_TRAINING), 1.0)
    second = machine.handle(TrainingFailed(head0.digest, "nan"), 1.0)

    assert of(SetTimer, first) == [SetTimer(RETRY_TRAINING, 1.0)]
    assert [e.attempt for e in of(Train, again)] == [1]
    assert of(SetTimer, second) == [SetTimer(RETRY_TRAINING, 3.0)]


def test_the_third_like_failure_ends_this_peers_part(machine: Federation) -> None:
    effects = fail(machine, "nan", "nan", "nan")

    text = f"{machine.me} left because its learner failed 3 times: nan"
    assert effects == [Note("failed", text, machine.me), GiveUp("nan")]
    assert machine.handle(TimerFired(RETRY_TRAINING), 3.0) == []


def test_another_reason_begins_anew(machine: Federation) -> None:
    effects = fail(machine, "nan", "nan", "died", "nan", "nan")

    assert of(GiveUp, effects) == []


def test_a_success_begins_anew(session: Any, machine: Federation, head0: GlobalModel) -> None:
    fail(machine, "nan", "nan")
    machine.handle(TimerFired(RETRY_TRAINING), 3.0)
    machine.handle(finished(head0, head0.blob), 3.0)
    head1 = session.child(head0)
    machine.handle(head1, 4.0)
    machine.handle(BlobArrived(head1.blob), 4.0)

    assert of(GiveUp, fail(machine, "nan", "nan")) == []


def test_failures_on_several_heads_are_failures_in_a_row(
    session: Any, machine: Federation, head0: GlobalModel
) -> None:
    fail(machine, "nan", "nan")
    head1 = session.child(head0)
    machine.handle(head1, 4.0)
    machine.handle(BlobArrived(head1.blob), 4.0)

    assert of(GiveUp, fail(machine, "nan")) == [GiveUp("nan")]


def test_work_of_the_session_that_fails_for_good_ends_this_peers_part_once(
    machine: Federation,
) -> None:
    assert of(GiveUp, machine.handle(LearnerFailed("no"), 1.0)) == [GiveUp("no")]
    assert machine.handle(LearnerFailed("no"), 2.0) == []


def test_others_hear_the_reason_in_the_ledger_and_with_the_goodbye(
    machine: Federation,
) -> None:
    fail(machine, "nan", "nan", "nan")
    effects = machine.handle(LeaveRequested("training"), 5.0)

    (page,) = (e.message for e in published(LedgerPage, effects))
    assert [(e.kind, e.subject) for e in page.entries] == [("failed", machine.me)]
    assert {e.message.reason for e in published(Goodbye, effects)} == {"training"}


def test_a_peer_that_leaves_because_it_cannot_train_is_noted(
    session: Any, machine: Federation
) -> None:
    other: PeerId = session.peers[2]
    effects = machine.handle(Goodbye(session.spec.id, other, "training"), 1.0)

    text = f"{other} left because its learner failed again and again"
    assert Note("failed", text, other) in effects


def test_a_finding_is_noted_once_while_it_holds(session: Any, machine: Federation) -> None:
    head = session.head0
    noted = []
    for finding in (GROWS, GROWS, None, GROWS):
        done = TrainingFinished(head.digest, head.blob, 100, 4.0, None, finding)
        noted.append(of(Note, machine.handle(done, 3.0)))
        head = session.child(head)
        machine.handle(head, 4.0)
        machine.handle(BlobArrived(head.blob), 4.0)

    note = Note("learning", f"{machine.me} may not learn: the loss grows", machine.me)
    assert noted == [[note], [], [], [note]]


def test_a_finding_about_the_data_is_noted_before_training(session: Any) -> None:
    machine, _ = session.machine(session.peers[1], session.head0, ready=False)

    effects = machine.handle(LearnerReady(Finding("inputs", "inputs reach 255")), 1.0)

    assert [n.text for n in of(Note, effects)] == [f"{machine.me} may not learn: inputs reach 255"]
    assert len(of(Train, effects)) == 1
