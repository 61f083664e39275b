"""Checks that the heads of both sides of a partition are merged, or that a log says why not."""

from collections.abc import Collection

from swarm.core.ids import Digest
from swarm.federation.branches import KEPT_FOR_ADOPTIONS
from tests.harness.faulty_swarm import FaultySwarm
from tests.harness.lineages import read_run

SIX = tuple(range(6))


def go_on(swarm: FaultySwarm, indices: Collection[int], num_rounds: int) -> None:
    """Wait until `num_rounds` further rounds have closed at these peers."""
    newest = swarm.newest(next(iter(indices)))
    assert newest is not None
    swarm.wait_adopted(indices, newest.fields["round"] + num_rounds)


def lost_without_reason(swarm: FaultySwarm, after_round: int) -> set[str]:
    """Later heads that were not merged although no peer logged a reason."""
    run = read_run(swarm.state_dir(index) for index in SIX)
    lost = {head.digest: head for head in run.lost if head.round > after_round}
    said = [x for peer in swarm.peers for x in peer.lines if x.event == "skipped"]
    given_up = {line.fields["detail"].split("(head ")[1][:12] for line in said}
    for tip in [head for digest, head in lost.items() if digest[:12] in given_up]:
        behind = tip.digest
        while behind in lost:
            behind = lost.pop(behind).parent or Digest("")
    return set(lost)


def wait_merged_or_explained(swarm: FaultySwarm, after_round: int) -> None:
    """Check what docs/protocol.md promises about the sides of a partition (G6)."""
    for _ in range(KEPT_FOR_ADOPTIONS + 2):
        if not lost_without_reason(swarm, after_round):
            return
        go_on(swarm, SIX, 1)
    assert lost_without_reason(swarm, after_round) == set()
