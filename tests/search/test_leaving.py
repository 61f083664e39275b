"""A user cancels a study, or leaves it."""

from swarm.core.machine import TimerFired
from swarm.search import messages
from swarm.search.effects import (
    CancelRequested,
    DropTrial,
    LeaveRequested,
)
from swarm.search.study import StudySpec
from swarm.search.study_ledger import Closed
from tests.search.conftest import ME
from tests.search.parts import Coordinator, Worker, of, own_trial, published, tick


def test_a_cancel_request_is_repeated_until_the_study_is_closed(
    study: StudySpec,
) -> None:
    worker, coordinator = Worker(study), Coordinator(study)

    (request,) = published(messages.CancelStudy, worker.search.handle(CancelRequested(), 1.0))
    assert published(messages.CancelStudy, tick(worker.search, 2.0)) == [request]
    effects = coordinator.search.handle(request, 1.1)

    assert coordinator.search.ledger.closed == Closed("cancelled", ME)
    assert {e.trial for e in of(DropTrial, effects)} == {
        own_trial(coordinator.search, k).id for k in (0, 1)
    }


def test_a_peer_that_leaves_says_so_and_does_nothing_more(study: StudySpec) -> None:
    coordinator = Coordinator(study)

    effects = coordinator.search.handle(LeaveRequested(), 1.0)

    assert len(published(messages.LeaveStudy, effects)) == 1
    assert coordinator.search.handle(TimerFired("tick"), 2.0) == []
