"""Many histories of hosts; a failing seed prints the command that replays it."""

from swarm.simulation.hosting.scenarios import HOSTING_SCENARIOS
from tests.harness.history_digest import HistoryDigest


def test_the_same_seed_gives_the_same_history() -> None:
    words = []
    for seed in (7, 7, 8):
        simulator = HOSTING_SCENARIOS["hosting-idle"].prepare(seed)
        simulator.record = digest = HistoryDigest()
        HOSTING_SCENARIOS["hosting-idle"].rehearse(simulator)
        words.append(digest.word)

    assert words[0] == words[1] != words[2]
