"""Real peers on machines too slow for their deadlines: nothing may be called wrong."""

import contextlib
import os
import signal
import threading
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from swarm.peer.federation.session_folder import SessionFolder
from tests.harness.faulty_swarm import READY_WITHIN_S, FaultySwarm
from tests.harness.lineages import read_run

pytestmark = [pytest.mark.slow, pytest.mark.network]

NUM_PEERS, ROUNDS = 4, 2
SESSION = f"""
dataset = "digits"
model = "cnn"
rounds = {ROUNDS}
local_epochs = 3
batch_size = 16
deadline_first_s = 1
deadline_min_s = 1
"""
"""The first deadline is over long before any peer has trained."""
RUNS_S, STOPS_S = 0.05, 0.35
"""Workers compute in an eighth of the time."""
SLOWED_WITHIN_S = 400.0
WRONG = {"takeover", "partition", "lost", "rejected", "skipped", "quarantined", "disk"}


@contextlib.contextmanager
def slowed_eight_fold(pids: Collection[int]) -> Iterator[None]:
    """Let processes run for an eighth of the time only."""
    over = threading.Event()

    def send(number: signal.Signals) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # it has ended with its peer
                os.kill(pid, number)

    def cycle() -> None:
        while not over.is_set():
            send(signal.SIGSTOP)
            over.wait(STOPS_S)
            send(signal.SIGCONT)
            over.wait(RUNS_S)

    thread = threading.Thread(target=cycle)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_workers_slowed_eight_fold_cause_no_takeover_and_no_partition(tmp_path: Path) -> None:
    session = tmp_path / "session.toml"
    session.write_text(SESSION)
    options = ("--session", str(session))
    with FaultySwarm(NUM_PEERS, options, ["--exit-when-done"]) as swarm:
        swarm.wait_event("ready", READY_WITHIN_S)
        workers = [swarm.worker_pid(index) for index in range(NUM_PEERS)]
        with slowed_eight_fold(workers):
            swarm.wait_ended(SLOWED_WITHIN_S)
        codes = [peer.process.returncode for peer in swarm.peers]
        run = read_run(swarm.state_dir(index) for index in range(NUM_PEERS))
        kinds = {
            entry.kind
            for index in range(NUM_PEERS)
            for folder in SessionFolder.all_in(swarm.state_dir(index), swarm.peer_id(index))
            for entry in folder.load_entries(run.lineage[0].session)
        }

    assert codes == [0] * NUM_PEERS
    assert run.rounds == list(range(ROUNDS + 1))
    assert {head.term for head in run.lineage} == {0}
    assert all(
        2 * len(head.contributors) > len(parent.cohort)
        for parent, head in zip(run.lineage, run.lineage[1:], strict=False)
    )
    assert not kinds & WRONG
