import threading
import time

import pytest
from fake_run import FakeRun
from fake_source import FakeSource

from dashboard.page.broadcaster import Broadcaster


class Sent:
    """Records what was broadcast, and lets a test wait for it."""

    def __init__(self):
        self.messages = []
        self._more = threading.Condition()

    def __call__(self, name, payload):
        with self._more:
            self.messages.append((name, payload))
            self._more.notify_all()

    def wait_count(self, count):
        with self._more:
            assert self._more.wait_for(lambda: len(self.messages) >= count, timeout=10)


@pytest.fixture
def run():
    return FakeRun(6)


def make_broadcaster(source, sent, updates_per_s_max=10.0):
    return Broadcaster(source, sent, updates_per_s_max=updates_per_s_max)


def test_the_first_message_is_a_whole_snapshot(run):
    sent = Sent()
    broadcaster = make_broadcaster(FakeSource(run.at(3.0)), sent)

    assert broadcaster.broadcast_once()

    assert sent.messages == [("snapshot", run.at(3.0))]


def test_nothing_is_sent_when_nothing_changed(run):
    sent = Sent()
    broadcaster = make_broadcaster(FakeSource(run.at(3.0)), sent)
    broadcaster.broadcast_once()

    assert not broadcaster.broadcast_once()

    assert len(sent.messages) == 1


def test_changes_between_two_turns_become_one_update(run):
    source, sent = FakeSource(run.at(3.0)), Sent()
    broadcaster = make_broadcaster(source, sent)
    broadcaster.broadcast_once()

    for moment_s in (3.1, 3.2, 3.3):
        source.show(run.at(moment_s))
    broadcaster.broadcast_once()

    name, update = sent.messages[1]
    assert (name, len(sent.messages)) == ("update", 2)
    assert (update["base"], update["version"]) == (3001, run.at(3.3)["version"])


def test_a_new_browser_receives_the_snapshot_that_the_next_update_builds_on(run):
    source, sent, newcomer = FakeSource(run.at(3.0)), Sent(), Sent()
    broadcaster = make_broadcaster(source, sent)
    broadcaster.broadcast_once()
    source.show(run.at(4.0))

    broadcaster.send_snapshot(newcomer)
    broadcaster.broadcast_once()

    (_, snapshot), (_, update) = newcomer.messages[0], sent.messages[-1]
    assert snapshot["version"] == update["base"] == run.at(3.0)["version"]


def test_the_first_browser_receives_a_snapshot_before_any_broadcast(run):
    newcomer = Sent()

    make_broadcaster(FakeSource(run.at(3.0)), Sent()).send_snapshot(newcomer)

    assert newcomer.messages == [("snapshot", run.at(3.0))]


def test_new_browsers_between_two_updates_receive_the_same_object(run):
    source, first, second, third = FakeSource(run.at(3.0)), Sent(), Sent(), Sent()
    broadcaster = make_broadcaster(source, Sent())

    broadcaster.send_snapshot(first)
    broadcaster.send_snapshot(second)
    source.show(run.at(4.0))
    broadcaster.broadcast_once()
    broadcaster.send_snapshot(third)

    assert first.messages[0][1] is second.messages[0][1]
    assert third.messages == [("snapshot", run.at(4.0))]


def test_another_session_is_broadcast_whole(run):
    source, sent = FakeSource(run.at(3.0)), Sent()
    broadcaster = make_broadcaster(source, sent)
    broadcaster.broadcast_once()
    other = run.at(4.0)
    other["session"]["id"] = "another"
    source.show(other)

    broadcaster.broadcast_once()

    assert sent.messages[-1] == ("snapshot", other)


class RestlessSource(FakeSource):
    """A source that has a new version at every call."""

    def snapshot(self):
        self._snapshot = {**self._snapshot, "version": self._snapshot["version"] + 1}
        return self._snapshot

    def wait_change(self, seen_version, timeout_s):
        return seen_version + 1


def test_a_source_that_always_changes_is_broadcast_at_the_limit_only(run):
    sent = Sent()
    broadcaster = make_broadcaster(RestlessSource(run.at(3.0)), sent, updates_per_s_max=50)
    started_s = time.monotonic()

    broadcaster.start()
    sent.wait_count(6)
    took_s = time.monotonic() - started_s
    broadcaster.stop()

    # The sixth message may not come before five whole pauses have passed.
    assert took_s >= 5 / 50


def test_stop_ends_the_thread_and_nothing_is_sent_afterwards(run):
    source, sent = FakeSource(run.at(3.0)), Sent()
    broadcaster = make_broadcaster(source, sent)
    broadcaster.start()
    sent.wait_count(1)

    broadcaster.stop()
    source.show(run.at(5.0))

    assert len(sent.messages) == 1
    assert "dashboard-broadcaster" not in {thread.name for thread in threading.enumerate()}
