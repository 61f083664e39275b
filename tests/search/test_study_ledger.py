"""Ledgers: the entries they accept, in which order, and when two of them are equal."""

import random

import pytest

from swarm.core.blobs import BlobRef
from swarm.core.canonical import sha256_hex
from swarm.core.ids import PeerId
from swarm.search.study import StudySpec
from swarm.search.study_ledger import Asked, Closed, Entry, Lost, Recorded, Reported, StudyLedger
from swarm.search.trial import EpochPoint, Trial, TrialReport, TrialResult, failed
from tests.search.conftest import ME, OTHER, make_study

SPEC = make_study()
TRIALS = [Trial(SPEC.id, k, "knn", (("n_neighbors", k + 1),), 1, ME) for k in range(5)]


def complete(trial: Trial, value: float, peer: PeerId = ME) -> TrialResult:
    return TrialResult(trial.id, "complete", value, 0.1, peer=peer)


def entries() -> list[Entry]:
    reports = [TrialReport(TRIALS[0].id, EpochPoint(e, 0.1 * e), peer=ME) for e in (1, 2)]
    return [
        *(Asked(trial) for trial in TRIALS),
        *(Reported(report) for report in reports),
        *(Lost(TRIALS[0].id, number, OTHER) for number in (1, 2)),
        *(Recorded(complete(trial, 0.1 * trial.number)) for trial in TRIALS[:4]),
        Closed("done", ME),
    ]


def test_the_first_result_of_a_trial_stays() -> None:
    ledger = StudyLedger(SPEC, [Asked(TRIALS[0])])

    assert ledger.add(Recorded(complete(TRIALS[0], 0.5, ME)))
    assert not ledger.add(Recorded(complete(TRIALS[0], 0.9, OTHER)))
    assert ledger.results[TRIALS[0].id].value == 0.5
    assert len(ledger) == 2


@pytest.mark.parametrize("seed", range(20))
def test_equal_sets_are_equal_ledgers_in_any_order_that_has_trials_first(seed: int) -> None:
    asked, others = entries()[:5], entries()[5:]
    chance = random.Random(seed)  # noqa: S311 (reproducible)
    chance.shuffle(asked)
    chance.shuffle(others)

    shuffled = StudyLedger(SPEC, [*asked, *others])

    ordered = StudyLedger(SPEC, entries())
    assert len(shuffled) == len(ordered) == len(entries())
    assert shuffled.checksum == ordered.checksum
    assert shuffled.best == ordered.best
    assert shuffled.losses == ordered.losses == {TRIALS[0].id: {1: OTHER, 2: OTHER}}


@pytest.mark.parametrize("number", [0, 6])
def test_the_number_of_a_loss_is_between_one_and_five(number: int) -> None:
    with pytest.raises(ValueError, match=rf"number must be between 1 and 5, got {number}"):
        Lost(TRIALS[0].id, number, OTHER)


def test_the_number_of_a_trial_lost_with_its_coordinator_is_used_again() -> None:
    ledger = StudyLedger(SPEC, [Asked(TRIALS[k]) for k in (0, 1, 3)])
    assert ledger.next_number == 2

    ledger.add(Asked(Trial(SPEC.id, 2, "knn", (("n_neighbors", 9),), 2, OTHER)))

    assert ledger.next_number == 4


def test_a_result_of_a_greater_term_replaces_ours() -> None:
    ledger = StudyLedger(SPEC, [Asked(TRIALS[0]), Recorded(complete(TRIALS[0], 0.5, ME))])
    theirs = Recorded(complete(TRIALS[0], 0.9, OTHER))

    assert ledger.adopt(theirs)
    assert not ledger.adopt(theirs)
    assert ledger.results[TRIALS[0].id].value == 0.9
    assert ledger.checksum == StudyLedger(SPEC, [Asked(TRIALS[0]), theirs]).checksum


def test_results_of_unknown_trials_and_trials_of_other_studies_are_not_added() -> None:
    ledger = StudyLedger(SPEC)
    foreign = Trial(make_study(seed=7).id, 0, "knn", (), 1, ME)

    assert not ledger.add(Recorded(complete(TRIALS[0], 0.5)))
    assert not ledger.add(Asked(foreign))
    assert ledger.checksum == 0


@pytest.mark.parametrize(("direction", "best"), [("maximize", 3), ("minimize", 0)])
def test_the_best_result_is_the_first_of_equal_values_and_never_a_failure(
    direction: str, best: int
) -> None:
    spec = make_study(direction=direction)
    trials = [Trial(spec.id, k, "knn", (("k", k),), 1, ME) for k in range(6)]
    ledger = StudyLedger(spec, map(Asked, trials))
    for trial in reversed(trials[:5]):
        ledger.add(Recorded(complete(trial, min(0.3, 0.1 * trial.number))))
    ledger.add(Recorded(failed(trials[5].id, "no luck", 0.1, ME)))

    assert ledger.best is not None
    assert ledger.trials[ledger.best.trial].number == best


def test_the_newest_checkpoint_is_found_in_any_order_of_reports() -> None:
    ledger = StudyLedger(SPEC, [Asked(TRIALS[0])])
    for epoch in (2, 3, 1):
        blob = BlobRef(sha256_hex(bytes([epoch])), 10) if epoch < 3 else None
        ledger.add(Reported(TrialReport(TRIALS[0].id, EpochPoint(epoch, 0.5), blob, ME)))

    newest = ledger.checkpoint(TRIALS[0].id)

    assert newest is not None
    assert newest.point.epoch == 2


def test_the_id_of_a_study_depends_on_all_its_fields(study: StudySpec) -> None:
    assert study.id == make_study().id
    assert study.id != make_study(seed=1).id
