"""Real peers in processes of their own, over real sockets, with real training on digits."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.swarm_processes import SwarmProcesses, now_s
from swarm.core.ids import PeerId
from swarm.federation.messages import GlobalModel
from swarm.federation.tree import succession
from swarm.federation.validity import tree_of
from swarm.network.identity import load_or_create_identity
from swarm.peer.state import StateFolder

pytestmark = [pytest.mark.slow, pytest.mark.network]

DIGITS = ("--dataset", "digits", "--model", "mlp")
READY_WITHIN_S = 180.0  # six TensorFlow imports at once on two busy cores
ROUNDS_WITHIN_S = 90.0


def newest_head(swarm: SwarmProcesses, index: int) -> GlobalModel:
    state_dir = swarm.state_dir(index)
    me = load_or_create_identity(state_dir).peer_id
    return StateFolder(state_dir, me).load_heads()[-1]


def indices(swarm: SwarmProcesses) -> dict[PeerId, int]:
    return {
        load_or_create_identity(swarm.state_dir(i)).peer_id: i for i in range(len(swarm.peers))
    }


def find_role(swarm: SwarmProcesses, role: str) -> int:
    """Index of the peer with this role in the round on the newest head of the first peer."""
    if role == "bootstrap":
        return 0
    head = newest_head(swarm, 0)
    spec = StateFolder(swarm.state_dir(0), PeerId("")).load_spec()
    assert spec is not None
    tree = tree_of(head, spec)
    slow = frozenset(head.slow)
    root = succession(head.digest, tree.root, slow)[0]
    firsts = [succession(head.digest, cluster, slow)[0] for cluster in tree.tiers[0]]
    others = [peer for peer in head.cohort if peer not in firsts]
    chosen = {
        "root": root,
        "aggregator": next(peer for peer in firsts if peer != root),
        "trainer": others[0],
    }[role]
    return indices(swarm)[chosen]


def wait_until_it_contributes(swarm: SwarmProcesses, index: int) -> None:
    """Wait for the contribution of a restarted peer; its log lines begin with its new life."""
    peer = swarm.peers[index]
    swarm.wait_until(lambda: peer.logged("contributed", {}), READY_WITHIN_S, "a contribution")


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
    assert sum(report["blob_bytes_sent"] for report in reports) == 0


@pytest.mark.parametrize("role", ["trainer", "aggregator", "root", "bootstrap"])
def test_killing_one_peer_mid_round_does_not_stop_the_run_and_it_comes_back(role: str) -> None:
    """Rounds of a second or two, so that the kill comes in the middle of one."""
    session = [*DIGITS, "--model", "cnn", "--rounds", "500", "--min-peers", "6"]
    session += ["--local-epochs", "8", "--batch-size", "16"]

    with SwarmProcesses(6, session) as swarm:
        swarm.wait_event("adopted", READY_WITHIN_S, num_peers=6, round=2)
        victim = find_role(swarm, role)
        swarm.kill(victim)
        swarm.wait_event("adopted", ROUNDS_WITHIN_S, num_peers=5, round=5)
        without_it = newest_head(swarm, (victim + 1) % 6)
        swarm.restart(victim)
        swarm.wait_event("resumed", READY_WITHIN_S, num_peers=1)
        wait_until_it_contributes(swarm, victim)
        back = newest_head(swarm, victim)
        swarm.wait_event("adopted", ROUNDS_WITHIN_S, num_peers=6, round=back.round + 1)
        heads = {
            line.fields["head"]
            for line in swarm.lines
            if line.event == "adopted" and line.fields["round"] == back.round + 1
        }
        me = load_or_create_identity(swarm.state_dir(victim)).peer_id

    assert me not in without_it.cohort
    assert me in back.cohort
    assert len(heads) == 1


def test_a_latecomer_adopts_the_running_session_and_joins_the_cohort() -> None:
    session = [*DIGITS, "--rounds", "12", "--min-peers", "2", "--local-epochs", "30"]

    with SwarmProcesses(3, session, ["--exit-when-done"], start=2) as swarm:
        swarm.wait_event("adopted", READY_WITHIN_S, num_peers=2, round=1)
        swarm.start_next()
        swarm.wait_ended(READY_WITHIN_S + ROUNDS_WITHIN_S)
        reports = swarm.reports()

    assert len({report["head_digest"] for report in reports}) == 1
    assert len({report["session"] for report in reports}) == 1


def test_a_model_from_a_keras_file_travels_to_who_joins(tmp_path: Path) -> None:
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
    assert "error: this peer cannot take part: rounds is 10 in the running session, not 3" in said


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
