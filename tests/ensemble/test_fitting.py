"""When a member fits."""

import math

from swarm.core.ids import PeerId
from swarm.ensemble.effects import Fit, FitProgressed, MemberStarted, RowsChanged
from swarm.ensemble.fitting import RETRIES_MAX, RETRY_S, SENDERS_MAX, Fitting
from swarm.ensemble.member_settings import MemberSettings
from swarm.ensemble.messages import FitOrder
from swarm.ensemble.records import Drift
from tests.ensemble.parts import ASKER, ME, OTHER, make_spec, model

SETTINGS = MemberSettings(fit_every_s=10.0, refit_every_s=60.0, refit_share=0.1)
SPEC = make_spec()


def with_model(settings: MemberSettings = SETTINGS) -> Fitting:
    """A member with a model of 100 rows that was fitted at 0 s."""
    fitting = Fitting(settings)
    fitting.resume(MemberStarted(100), 0.0)
    assert fitting.advance(0.0) == [Fit(1)]
    assert fitting.note_fitted(1)
    return fitting


def order(number: int, sender: PeerId = ASKER) -> FitOrder:
    return FitOrder(SPEC.id, sender, number)


def test_a_member_without_a_model_fits_at_once() -> None:
    fitting = Fitting(SETTINGS)
    fitting.resume(MemberStarted(100), 5.0)

    assert fitting.advance(5.0) == [Fit(1)]


def test_a_member_without_rows_fits_when_the_first_come() -> None:
    fitting = Fitting(SETTINGS)
    fitting.resume(MemberStarted(0), 0.0)
    assert fitting.advance(0.0) == []
    assert fitting.detail

    fitting.take_rows(RowsChanged(50), 1.0)

    assert fitting.advance(1.0) == [Fit(1)]


def test_a_restart_with_a_model_of_all_rows_fits_nothing() -> None:
    fitting = Fitting(SETTINGS)

    fitting.resume(MemberStarted(100, champion=model(1)), 0.0)

    assert fitting.advance(100.0) == []


def test_a_restart_with_many_more_rows_fits() -> None:
    fitting = Fitting(SETTINGS)

    fitting.resume(MemberStarted(150, champion=model(1)), 0.0)

    assert fitting.advance(0.0) == [Fit(1)]


def test_an_order_is_obeyed_once() -> None:
    fitting = with_model()
    fitting.take_order(order(3), 20.0)
    assert fitting.advance(20.0) == [Fit(2)]
    fitting.note_fitted(2)

    fitting.take_order(order(3), 40.0)
    fitting.take_order(order(2), 40.0)

    assert fitting.advance(100.0) == []
    assert fitting.orders == ((ASKER, 3),)


def test_an_order_is_obeyed_once_over_all_lives() -> None:
    fitting = Fitting(SETTINGS)
    fitting.resume(MemberStarted(100, champion=model(1), orders=((ASKER, 3),)), 0.0)

    fitting.take_order(order(3), 1.0)
    assert fitting.advance(1.0) == []

    fitting.take_order(order(4), 2.0)
    assert fitting.advance(2.0) == [Fit(1)]


def test_orders_begin_fits_only_every_few_seconds() -> None:
    fitting = with_model()

    fitting.take_order(order(1), 1.0)
    fitting.take_order(order(1, OTHER), 2.0)

    assert fitting.advance(9.0) == []
    assert fitting.advance(10.0) == [Fit(2)]
    fitting.note_fitted(2)
    assert fitting.advance(100.0) == []


def test_one_fit_runs_at_a_time_and_one_more_does_what_was_ordered_meanwhile() -> None:
    fitting = with_model()
    fitting.request(20.0)
    assert fitting.advance(20.0) == [Fit(2)]

    fitting.take_order(order(1), 21.0)
    fitting.take_order(order(2), 25.0)
    assert fitting.advance(50.0) == []
    fitting.note_fitted(2)

    assert fitting.advance(51.0) == [Fit(3)]


def test_the_users_own_fit_does_not_wait() -> None:
    fitting = with_model()

    fitting.request(1.0)

    assert fitting.advance(1.0) == [Fit(2)]


def test_own_orders_to_all_have_growing_numbers() -> None:
    fitting = Fitting(SETTINGS)
    fitting.resume(MemberStarted(100, champion=model(1), orders=((ME, 7),)), 0.0)

    assert fitting.order_everyone(ME, 0.0) == 8
    assert fitting.order_everyone(ME, 0.0) == 9
    assert fitting.orders == ((ME, 9),)


def test_the_orders_of_a_bounded_number_of_senders_are_remembered() -> None:
    fitting = with_model()

    for number in range(SENDERS_MAX + 5):
        fitting.take_order(order(1, PeerId(f"peer{number}")), 1.0)

    assert len(fitting.orders) == SENDERS_MAX


def test_rows_that_changed_enough_are_fitted_after_a_while() -> None:
    fitting = with_model()

    fitting.take_rows(RowsChanged(109), 5.0)
    assert fitting.advance(100.0) == []

    fitting.take_rows(RowsChanged(110), 100.0)
    assert fitting.advance(100.0) == [Fit(2)]


def test_changed_rows_wait_for_the_spacing_of_refits() -> None:
    fitting = with_model()

    fitting.take_rows(RowsChanged(200), 5.0)

    assert fitting.advance(59.0) == []
    assert fitting.advance(60.0) == [Fit(2)]


def test_drift_is_fitted_once_until_more_rows_come() -> None:
    fitting = with_model()
    fitting.take_rows(RowsChanged(101, Drift(2.0, 1.0)), 70.0)
    assert fitting.advance(70.0) == [Fit(2)]
    fitting.note_fitted(2)

    assert fitting.advance(200.0) == []


def test_refits_can_be_switched_off() -> None:
    fitting = with_model(MemberSettings(refit_every_s=math.inf))

    fitting.take_rows(RowsChanged(1000, Drift(2.0, 1.0)), 70.0)

    assert fitting.advance(1000.0) == []


def test_a_first_fit_that_failed_is_repeated_ever_more_seldom() -> None:
    fitting = Fitting(SETTINGS)
    fitting.resume(MemberStarted(100), 0.0)
    fitting.advance(0.0)

    assert fitting.note_failure(1, "out of memory", 1.0)
    assert "out of memory" in fitting.detail
    assert fitting.advance(RETRY_S) == []
    assert fitting.advance(1.0 + RETRY_S) == [Fit(2)]
    fitting.note_failure(2, "out of memory", 40.0)

    assert fitting.advance(39.0 + 2 * RETRY_S) == []
    assert fitting.advance(40.0 + 2 * RETRY_S) == [Fit(3)]


def test_a_first_fit_can_fail_for_days() -> None:
    fitting = Fitting(SETTINGS)
    fitting.resume(MemberStarted(100), 0.0)

    for job in range(1, 2000):
        assert fitting.advance(job * 1000.0) == [Fit(job)]
        fitting.note_failure(job, "out of memory", job * 1000.0)


def test_a_refit_that_failed_is_repeated_a_few_times() -> None:
    fitting = with_model()
    fitting.request(1.0)
    fitting.advance(1.0)

    for number in range(RETRIES_MAX):
        assert fitting.note_failure(2 + number, "disk full", 10_000.0 * number)
        assert fitting.advance(10_000.0 * (number + 1)) == [Fit(3 + number)]
    fitting.note_failure(2 + RETRIES_MAX, "disk full", 50_000.0)

    assert fitting.advance(100_000.0) == []


def test_events_of_other_jobs_change_nothing() -> None:
    fitting = with_model()
    fitting.request(1.0)
    fitting.advance(1.0)

    fitting.note_progress(FitProgressed(1, 0.9))
    assert fitting.progress == 0.0
    assert not fitting.note_fitted(1)
    assert not fitting.note_failure(1, "old", 2.0)
    assert fitting.is_running


def test_progress_does_not_go_back() -> None:
    fitting = with_model()
    fitting.request(1.0)
    fitting.advance(1.0)

    fitting.note_progress(FitProgressed(2, 0.5))
    fitting.note_progress(FitProgressed(2, 0.3))

    assert fitting.progress == 0.5
