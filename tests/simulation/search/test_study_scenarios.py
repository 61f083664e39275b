"""Many histories of every study; a failing seed prints the command that replays it."""

from typing import Any

import pytest

from swarm.core.machine import Effect, Event
from swarm.search import coordinator_role, outgoing_batches, search
from swarm.search.effects import SaveEntries
from swarm.search.held_trials import HeldTrials
from swarm.search.lease_book import LeaseBook
from swarm.search.study_ledger import StudyLedger
from swarm.simulation.checks import CheckError
from swarm.simulation.search.scenarios import STUDY_SCENARIOS
from tests.harness.history_digest import HistoryDigest


@pytest.mark.parametrize("name", ["study-restarts", "study-everything"])
def test_the_same_seed_gives_the_same_history(name: str) -> None:
    words = []
    for seed in (7, 7, 8):
        simulator = STUDY_SCENARIOS[name].prepare(seed)
        simulator.record = digest = HistoryDigest()
        STUDY_SCENARIOS[name].rehearse(simulator)
        words.append(digest.word)

    assert words[0] == words[1] != words[2]


def test_a_checkpoint_saves_the_epochs_before_it() -> None:
    saved = 0
    for seed in range(5):
        simulator = STUDY_SCENARIOS["study-checkpoints"].prepare(seed)
        STUDY_SCENARIOS["study-checkpoints"].rehearse(simulator)
        saved += sum(simulator.execution.resumed)

    assert saved > 0


# -- machines broken on purpose: the checkers must notice


def caught(name: str, num_seeds: int = 8) -> str:
    """The promise that the first failing seed breaks; empty if none does."""
    for seed in range(num_seeds):
        try:
            STUDY_SCENARIOS[name].rehearse(STUDY_SCENARIOS[name].prepare(seed))
        except CheckError as error:
            return str(error)
    return ""


def test_a_coordinator_that_gives_up_lost_trials_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(LeaseBook, "put_back", lambda self, trial: 1)

    assert "not over everywhere" in caught("study-worker-dies")


def test_a_worker_that_sends_a_result_only_once_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing_batches, "NEWS_AGAIN_HEARTBEATS", 1e9)

    assert "not over everywhere" in caught("study-lossy")


def test_a_ledger_that_keeps_the_last_result_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StudyLedger, "add", StudyLedger.adopt)

    assert caught("study-restarts", 20)


def test_a_coordinator_that_believes_any_peer_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LeaseBook, "may_report", lambda *_: True)

    assert "of a peer that never had it" in caught("study-hostile")


def test_a_new_coordinator_that_does_not_listen_first_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = coordinator_role.CoordinatorRole.begin

    def begin(self: Any, now_s: float, elapsed_s: float, expected: Any, patient: bool) -> Any:
        return original(self, now_s, elapsed_s, (), patient=False)

    monkeypatch.setattr(coordinator_role.CoordinatorRole, "begin", begin)

    assert "leases were lost" in caught("study-coordinator-dies", 20)


def test_a_worker_that_runs_what_it_already_has_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    original = HeldTrials.take_leases

    def take_leases(self: Any, leases: Any, ledger: StudyLedger) -> list[Effect]:
        self._held.clear()
        return original(self, leases, ledger)

    monkeypatch.setattr(HeldTrials, "take_leases", take_leases)

    assert caught("study-calm")


def test_a_machine_that_raises_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    original = search.Search.handle

    def handle(self: Any, event: Event, now_s: float) -> list[Effect]:
        effects = original(self, event, now_s)
        if any(isinstance(effect, SaveEntries) for effect in effects) and now_s > 3:
            raise KeyError("trial")
        return effects

    monkeypatch.setattr(search.Search, "handle", handle)

    assert caught("study-calm", 1).startswith("a machine raised KeyError('trial')")
