import copy

import pytest
from fake_run import FakeRun

from dashboard.page.snapshot_diff import update_between
from dashboard.watching.json_answers import json_safe


@pytest.fixture
def run():
    return FakeRun(6)


def test_only_parts_that_differ_are_sent(run):
    old = run.at(3.0)
    new = copy.deepcopy(old)
    new["version"] += 1
    new["phase"] = "aggregating"

    update = update_between(old, new)

    assert update == {
        "base": old["version"],
        "version": new["version"],
        "parts": {"phase": "aggregating"},
        "lists": {},
        "curves": {},
        "events": [],
    }


def test_only_new_points_and_events_are_sent(run):
    old, new = run.at(29.0), run.at(31.0)

    update = update_between(old, new)

    assert [point["round"] for point in update["curves"]["global"]] == [3]
    assert run.lost not in update["curves"]["peers"]
    assert {len(points) for points in update["curves"]["peers"].values()} == {1}
    assert [event["text"][:7] for event in update["events"]] == ["Round 3"]
    assert "curves" not in update["parts"]
    assert "events" not in update["parts"]


def test_only_the_fields_of_a_peer_that_differ_are_sent(run):
    old = run.at(3.0)
    new = copy.deepcopy(old)
    new["peers"][2]["state"] = "suspect"

    update = update_between(old, new)

    assert update["lists"] == {
        "peers": {"gone": [], "new": [], "changed": [(2, {"state": "suspect"})]}
    }
    assert update["parts"] == {}


def test_peers_in_another_order_are_sent_whole(run):
    old = run.at(3.0)
    new = copy.deepcopy(old)
    new["peers"].reverse()

    update = update_between(old, new)

    assert update["lists"] == {}
    assert update["parts"] == {"peers": new["peers"]}


def test_a_changed_point_is_sent_again(run):
    old = run.at(29.0)
    new = copy.deepcopy(old)
    new["curves"]["global"][0]["accuracy"] = 0.5

    update = update_between(old, new)

    assert update["curves"] == {"global": [new["curves"]["global"][0]]}


def test_another_session_needs_a_whole_snapshot(run):
    old = run.at(29.0)
    new = copy.deepcopy(old)
    new["session"]["id"] = "another"

    assert update_between(old, new) is None


@pytest.mark.parametrize("moment_s", [9.0, 0.0])
def test_a_shorter_history_needs_a_whole_snapshot(run, moment_s):
    assert update_between(run.at(29.0), run.at(moment_s)) is None


def test_the_first_session_needs_no_whole_snapshot(run):
    old = run.at(0.0)
    old["session"] = None

    assert update_between(old, run.at(0.5))["parts"]["session"]["model"] == "cnn"


def test_a_diverged_loss_becomes_null(run):
    snapshot = run.at(29.0)
    snapshot["peers"][0]["loss"] = float("nan")

    assert json_safe(snapshot)["peers"][0]["loss"] is None
