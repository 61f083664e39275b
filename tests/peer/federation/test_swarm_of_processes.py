"""Real peers in processes of their own, over real sockets, with real training on digits."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.swarm_processes import SwarmProcesses, now_s

pytestmark = [pytest.mark.slow, pytest.mark.network]

DIGITS = ("--dataset", "digits", "--model", "mlp")
SMALL_BLOB_BYTES = 19_576  # of that model
READY_WITHIN_S = 180.0  # six TensorFlow imports at once on two busy cores
ROUNDS_WITHIN_S = 90.0


def test_six_peers_train_to_one_head_and_small_weights_ride_in_the_announcements() -> None:
    session = [*DIGITS, "--rounds", "4", "--min-peers", "6"]

    with SwarmProcesses(6, session, ["--exit-when-done"]) as swarm:
        swarm.wait_ended(READY_WITHIN_S + ROUNDS_WITHIN_S)
        reports = swarm.reports()
        codes = [peer.process.returncode for peer in swarm.peers]

    assert codes == [0] * 6
    assert {report["round"] for report in reports} == {4}
    assert len({report["head_digest"] for report in reports}) == 1
    assert {report["evaluated_round"] for report in reports} == {4}
    # A peer that misses an announcement fetches its weights; that is the exception.
    everything = 4 * (6 + 6) * SMALL_BLOB_BYTES
    assert sum(report["blob_bytes_sent"] for report in reports) < everything / 10


def test_a_latecomer_adopts_the_running_session_and_joins_the_cohort() -> None:
    session = [*DIGITS, "--rounds", "12", "--min-peers", "2", "--local-epochs", "30"]

    with SwarmProcesses(3, session, ["--exit-when-done"], start=2) as swarm:
        swarm.wait_event("adopted", READY_WITHIN_S, num_peers=2, round=1)
        swarm.start_next()
        swarm.wait_ended(READY_WITHIN_S + ROUNDS_WITHIN_S)
        reports = swarm.reports()

    assert len({report["head_digest"] for report in reports}) == 1
    assert len({report["session"] for report in reports}) == 1


def test_a_model_from_a_keras_file_travels_to_peers_that_join(tmp_path: Path) -> None:
    path = tmp_path / "own.keras"
    build = (
        "import keras; layers = keras.layers; keras.Sequential([layers.Input((8, 8, 1)), "
        f"layers.Flatten(), layers.Dense(10)]).save({str(path)!r})"
    )
    subprocess.run([sys.executable, "-c", build], check=True, capture_output=True)
    session = ["--dataset", "digits", "--model", str(path), "--rounds", "2", "--min-peers", "2"]

    with SwarmProcesses(2, session, ["--exit-when-done"]) as swarm:
        swarm.wait_ended(READY_WITHIN_S + ROUNDS_WITHIN_S)
        reports = swarm.reports()
        sizes = {line.fields["num_parameters"] for line in swarm.lines if line.event == "ready"}

    assert sizes == {650}
    assert len({report["head_digest"] for report in reports}) == 1


def test_a_peer_with_another_spec_is_refused_by_the_name_of_the_field() -> None:
    with SwarmProcesses(2, [*DIGITS, "--min-peers", "2"], start=1) as swarm:
        swarm.wait_event("listening", 60, num_peers=1)
        swarm.start_next(["--rounds", "3"])
        code = swarm.peers[1].process.wait(60)
        said = swarm.said(1)

    assert code == 2
    assert "error: this peer cannot take part: rounds is 10 in that session, not 3" in said


def test_ctrl_c_ends_a_training_peer_within_five_seconds_with_its_model() -> None:
    session = [*DIGITS, "--rounds", "50", "--min-peers", "2", "--local-epochs", "50"]

    with SwarmProcesses(2, session, export=True) as swarm:
        swarm.wait_event("adopted", READY_WITHIN_S, num_peers=2, round=1)
        asked_s = now_s()
        for peer in swarm.peers:
            peer.process.send_signal(signal.SIGINT)
        codes = [peer.process.wait(30) for peer in swarm.peers]
        took_s = now_s() - asked_s
        exported = [swarm.export_path(index).exists() for index in range(2)]
        reports = swarm.reports()

    assert codes == [0, 0]
    assert took_s < 5
    assert exported == [True, True]
    assert min(report["round"] for report in reports) >= 1
