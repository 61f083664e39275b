"""One peer process, one port and one identity: it trains, works for a study, and trains again."""

from pathlib import Path
from typing import Any

import psutil
import pytest

import swarm
from swarm.network.identity import load_or_create_identity
from swarm.peer.federation.session_folder import SessionFolder
from swarm.peer.observer.observer import Observer
from swarm.peer.search.ledger_file import read_ledger
from tests.harness.swarm_processes import SwarmProcesses

pytestmark = [pytest.mark.slow, pytest.mark.network]

START_S = 240.0  # TensorFlow imports on two busy cores
DONE_S = 240.0
SESSION = ["--dataset", "digits", "--model", "mlp", "--rounds", "25", "--min-peers", "3"]
SECOND = ["--new-session", "--dataset", "digits", "--model", "mlp", "--rounds", "3"]
STUDY: dict[str, Any] = {
    "name": "beside",
    "dataset": "wine",
    "num_trials": 240,
    "seed": 3,
    "models": {"logreg": {"C": {"float": [0.01, 100.0], "log": True}}},
}
VICTIM = 1


def niceness(peers: SwarmProcesses, index: int) -> dict[str, int]:
    """Priorities of a peer's child processes; the learner is forked by the fork server."""
    peer = peers.peers[index]
    learner = next(line.fields["worker_pid"] for line in peer.lines if line.event == "ready")
    children = psutil.Process(peer.process.pid).children()
    (trials,) = {child.nice() for child in children if any("trial" in a for a in child.cmdline())}
    return {"learner": psutil.Process(learner).nice(), "trials": trials}


def ledger_of(state_dir: Path) -> Any:
    (folder,) = (state_dir / "studies").glob("*")
    return read_ledger(folder)


def test_a_peer_trains_searches_is_killed_resumes_both_and_takes_up_the_next_session() -> None:
    with SwarmProcesses(4, SESSION, ["--slots", "2"], start=3) as peers:
        peers.wait_event("adopted", START_S, 3, round=1)
        address = f"127.0.0.1:{peers.ports[0]}"
        with swarm.start_search(bootstrap=address, slots=0) as search:
            study = search.submit(STUDY)
            study.wait_results(40, START_S)
            assert niceness(peers, 0) == {"learner": 5, "trials": 10}
            peers.kill(VICTIM)
            peers.restart(VICTIM)
            peers.wait_event("resumed", START_S, 1)
            study.wait(DONE_S)
            peers.wait_event("joins", START_S, 3)  # the restarted peer among them

        assert len(study.results) == STUDY["num_trials"]
        peers.wait_event("evaluated", DONE_S, 3, evaluated_round=25)

        peers.start_next([*SECOND, "--min-peers", "4"])
        peers.wait_event("evaluated", START_S, 4, evaluated_round=3)

        for index in range(3):
            state, port = peers.state_dir(index), peers.ports[index]
            me = load_or_create_identity(state).peer_id
            heard = [line for line in peers.peers[index].lines if line.event == "listening"]
            assert {line.fields["peer_id"] for line in heard} == {me}
            assert all(f"/tcp/{port}/" in line.fields["address"] for line in heard)
            folders = SessionFolder.all_in(state, me)
            assert [folder.load_heads()[-1].round for folder in folders] == [25, 3]
            assert all((folder.root / "summary.json").exists() for folder in folders)
            assert len(ledger_of(state).results) > 0
        assert len(ledger_of(peers.state_dir(VICTIM)).results) > 40


def test_an_idle_peer_joins_and_leaves_the_session_that_an_operator_names(tmp_path: Path) -> None:
    operator = load_or_create_identity(tmp_path / "operator").peer_id
    session = ["--dataset", "digits", "--model", "mlp", "--rounds", "400", "--min-peers", "2"]
    with SwarmProcesses(3, session, ["--operator", operator], start=2) as peers:
        peers.wait_event("adopted", START_S, 2, round=1)
        peers.start_next(["--idle"])
        peers.wait_event("connected", START_S, 3)
        observer = Observer([f"127.0.0.1:{peers.ports[0]}"], operator_key=tmp_path / "operator")
        observer.start()
        try:
            started = next(line for line in peers.peers[0].lines if line.event == "session")
            assert not peers.peers[2].logged("session", {})
            observer.command("join", session=started.fields["id"])
            peers.wait_event("joins", START_S, 3)
            peers.wait_until(
                lambda: peers.peers[2].logged("session", {"id": started.fields["id"]}),
                START_S,
                "idle peer takes part",
            )
            peers.wait_event("contributed", START_S, 3)

            me = load_or_create_identity(peers.state_dir(2)).peer_id
            observer.command("leave", peer=me, session=started.fields["id"])
            peers.wait_until(lambda: peers.peers[2].logged("left", {}), START_S, "it leaves")
            assert peers.peers[2].report.exists()
            peers.kill(2)
            peers.restart(2)
            peers.wait_until(
                lambda: peers.peers[2].logged("joining", {}), START_S, "it resumes no session"
            )
            assert not peers.peers[2].logged("session", {})
        finally:
            observer.stop()


def test_two_sessions_run_side_by_side_on_one_peer(tmp_path: Path) -> None:
    operator = load_or_create_identity(tmp_path / "operator").peer_id
    endless = ["--dataset", "digits", "--model", "mlp", "--rounds", "4000", "--min-peers", "2"]
    with SwarmProcesses(3, endless, ["--operator", operator], start=2) as peers:
        peers.wait_event("adopted", START_S, 2, round=1)
        peers.start_next(["--new-session", *endless, "--seed", "7"])
        peers.wait_event("session", START_S, 3)
        (second,) = [line.fields["id"] for line in peers.peers[2].lines if line.event == "session"]
        both = load_or_create_identity(peers.state_dir(1)).peer_id
        observer = Observer([f"127.0.0.1:{peers.ports[0]}"], operator_key=tmp_path / "operator")
        observer.start()
        try:
            observer.command("join", peer=both, session=second)
            peers.wait_until(
                lambda: peers.peers[1].logged("session", {"id": second}), START_S, "it joins"
            )
            rounds: dict[str, int] = {}

            def rounds_of(folder: SessionFolder) -> int:
                heads = folder.load_heads()
                return heads[-1].round if heads else 0

            def advance() -> bool:
                folders = SessionFolder.all_in(peers.state_dir(1), both)
                now = {str(folder.root): rounds_of(folder) for folder in folders}
                for name, number in now.items():
                    rounds.setdefault(name, number)
                return len(now) == 2 and all(now[name] >= rounds[name] + 3 for name in now)

            peers.wait_until(advance, START_S, "both sessions make three rounds")
        finally:
            observer.stop()
