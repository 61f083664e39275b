"""RunningCall: notices that a call is over, however it ended."""

import threading

import pytest

from swarm.peer.federation.own_loop.running_call import RunningCall, calling_frame


def test_a_call_runs_until_it_returns() -> None:
    def call() -> tuple[RunningCall, bool]:
        running = RunningCall(calling_frame(()))
        return running, running.running

    running, was_running = call()

    assert was_running
    assert not running.running


def test_a_call_that_an_error_ended_is_over_though_the_traceback_keeps_its_frame() -> None:
    calls: list[RunningCall] = []

    def call() -> None:
        calls.append(RunningCall(calling_frame(())))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as raised:
        call()

    assert raised.tb is not None
    assert not calls[0].running


def test_another_thread_sees_the_call() -> None:
    seen: list[bool] = []

    def call() -> None:
        running = RunningCall(calling_frame(()))
        thread = threading.Thread(target=lambda: seen.append(running.running))
        thread.start()
        thread.join()

    call()

    assert seen == [True]
