"""What becomes of the heads of a swarm's sides: merged, or somebody says why not."""

from collections.abc import Collection

from swarm.core.ids import Digest
from swarm.federation.branches import KEPT_FOR_ADOPTIONS
from tests.harness.faulty_swarm import FaultySwarm
from tests.harness.lineages import read_run

SIX = tuple(range(6))


def go_on(swarm: FaultySwarm, indices: Collection[int], num_rounds: int) -> None:
    """See so many further rounds close at these peers."""
    newest = swarm.newest(next(iter(indices)))
    assert newest is not None
    swarm.wait_adopted(indices, newest.fields["round"] + num_rounds)


def lost_without_a_word(swarm: FaultySwarm, after_round: int) -> set[str]:
    """Heads of later rounds that came to nothing though nobody said why they are not merged."""
    run = read_run(swarm.state_dir(index) for index in SIX)
    lost = {head.digest: head for head in run.lost if head.round > after_round}
    said = [x for peer in swarm.peers for x in peer.lines if x.event == "skipped"]
    given_up = {line.fields["detail"].split()[1] for line in said}
    for tip in [head for digest, head in lost.items() if digest[:12] in given_up]:
        behind = tip.digest
        while behind in lost:
            behind = lost.pop(behind).parent or Digest("")
    return set(lost)


def wait_merged_or_told_why_not(swarm: FaultySwarm, after_round: int) -> None:
    """See what docs/protocol.md promises about the sides of a partition (G6)."""
    for _ in range(KEPT_FOR_ADOPTIONS + 2):
        if not lost_without_a_word(swarm, after_round):
            return
        go_on(swarm, SIX, 1)
    assert lost_without_a_word(swarm, after_round) == set()
