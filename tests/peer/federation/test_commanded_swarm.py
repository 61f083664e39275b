"""A real swarm obeys its operator, and a late observer still sees the whole past."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from swarm.network.identity import load_or_create_identity
from swarm.peer.observer.observer import Observer
from tests.harness.swarm_processes import SwarmProcesses

pytestmark = [pytest.mark.slow, pytest.mark.network]

START_S = 240.0  # TensorFlow imports on two busy cores
SOON_S = 60.0


def wait_until(
    observer: Observer, condition: Callable[[dict[str, Any]], object], timeout_s: float
) -> dict[str, Any]:
    deadline_s = time.monotonic() + timeout_s
    version = -1
    while time.monotonic() < deadline_s:
        version = observer.wait_change(version, 1.0)
        seen = observer.snapshot()
        if condition(seen):
            return seen
    raise TimeoutError(f"not within {timeout_s} s: {observer.snapshot()}")


def commands(seen: dict[str, Any]) -> dict[str, str]:
    return {c["action"]: c["state"] for c in seen["operator"]["commands"]}


def test_commands_are_followed_and_a_late_observer_sees_the_whole_run(  # noqa: PLR0915 (one swarm)
    tmp_path: Path,
) -> None:
    operator = load_or_create_identity(tmp_path / "operator").peer_id
    session = ["--dataset", "digits", "--model", "mlp", "--rounds", "60", "--min-peers", "4"]
    options = ["--operator", operator, "--hold", "--site", "Bern"]

    with SwarmProcesses(4, session, options) as swarm:
        early = Observer([f"127.0.0.1:{swarm.ports[0]}"], operator_key=tmp_path / "operator")
        stranger = Observer([f"127.0.0.1:{swarm.ports[1]}"], operator_key=tmp_path / "stranger")
        early.start()
        stranger.start()
        try:
            seen = wait_until(early, lambda s: len(s["peers"]) == 4, START_S)
            assert seen["operator"]["run_state"] == "held"
            assert {p["site"] for p in seen["peers"]} == {"Bern"}
            early.command("start")
            wait_until(early, lambda s: s["round"] >= 3, START_S)

            wait_until(stranger, lambda s: s["round"] >= 3, SOON_S)
            stranger.command("stop")
            seen = wait_until(
                early, lambda s: all(p["refused_commands"] for p in s["peers"]), SOON_S
            )
            assert seen["operator"]["run_state"] == "running"

            early.command("pause")
            seen = wait_until(early, lambda s: commands(s).get("pause") == "confirmed", SOON_S)
            assert (seen["operator"]["run_state"], seen["operator"]["agreed"]) == ("paused", True)
            assert {p["run_state"] for p in seen["peers"]} == {"paused"}

            # While the session is paused, the peer dies that the first observer had asked.
            swarm.peers[0].process.kill()
            killed_s = time.monotonic()
            seen = wait_until(early, lambda s: "lost" in {p["state"] for p in s["peers"]}, SOON_S)
            assert time.monotonic() - killed_s < SOON_S
            (lost,) = [p["id"] for p in seen["peers"] if p["state"] == "lost"]
            early.command("resume")
            reached = seen["round"]
            wait_until(early, lambda s: s["round"] >= reached + 2, SOON_S)
            early.command("stop")
            last = wait_until(early, lambda s: s["finished"], SOON_S)
            wait_until(early, lambda s: s["global"]["round"] == s["head"]["round"], SOON_S)
        finally:
            early.stop()
            stranger.stop()

        late = Observer([f"127.0.0.1:{swarm.ports[3]}"])
        late.start()
        try:
            seen = wait_until(
                late,
                lambda s: (
                    s["history"]["complete"]
                    and s["global"]["round"] == s["head"]["round"]
                    and {"lost", "paused", "stopped", "refused"}
                    <= {a["kind"] for a in s["alerts"]}
                ),
                SOON_S,
            )
            page = late.rounds(0, 100)
            alerts = late.alerts()
        finally:
            late.stop()

    assert seen["head"]["round"] >= last["head"]["round"] >= 3
    assert seen["operator"]["run_state"] == "stopped"
    assert seen["finished"]
    assert [r["round"] for r in page["rounds"]] == list(range(seen["head"]["round"] + 1))
    assert page["next"] is None
    assert all(r["accuracy"] is not None for r in page["rounds"])
    assert all(r["unix_s"] for r in page["rounds"])
    assert lost in page["rounds"][1]["cohort"]
    assert lost not in {c["peer"] for c in page["rounds"][-1]["contributors"]}
    (loss,) = [a for a in alerts if a["kind"] == "lost" and a["peer"] == lost]
    assert loss["severity"] == "error"
