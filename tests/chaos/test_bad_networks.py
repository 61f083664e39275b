"""Six real peers, one network namespace each, on wires that are cut, slow and lossy."""

import os
from collections.abc import Iterator

import pytest

from tests.chaos.merging import wait_merged_or_explained
from tests.harness.faulty_swarm import DIGITS_SESSION, READY_WITHIN_S
from tests.harness.lineages import read_run
from tests.harness.wired_swarm import WiredSwarm
from tests.harness.wires import Wires, why_impossible

REASON = why_impossible()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.network,
    pytest.mark.skipif(REASON is not None, reason=str(REASON)),
]

SIX = tuple(range(6))
HEALED_WITHIN_S = 90.0
between_containers = pytest.mark.skipif(
    os.environ.get("SWARM_CONTAINERS") == "required", reason="done between containers here"
)


@pytest.fixture(scope="module")
def started() -> Iterator[WiredSwarm]:
    with Wires(len(SIX), seed=1) as wires, WiredSwarm(wires, DIGITS_SESSION, ()) as swarm:
        yield swarm


@pytest.fixture
def swarm(started: WiredSwarm) -> Iterator[WiredSwarm]:
    started.wires.heal()
    started.wait_common_head(SIX, SIX, timeout_s=READY_WITHIN_S)
    yield started
    run = read_run(started.state_dir(index) for index in SIX)
    assert run.rounds == list(range(len(run.rounds)))
    assert run.counted_twice == ()


def test_delay_and_loss_slow_the_rounds_down_and_lose_none(swarm: WiredSwarm) -> None:
    before = swarm.wait_common_head(SIX, SIX)
    swarm.wires.delay_s, swarm.wires.loss = 0.05, 0.02
    lost_before = swarm.wires.num_lost

    swarm.wait_adopted(SIX, before.round + 3)
    head = swarm.wait_common_head(SIX, SIX, after_round=before.round + 3)
    run = read_run(swarm.state_dir(index) for index in SIX)

    assert swarm.wires.num_lost > lost_before
    assert len(head.contributors) == len(SIX)
    assert run.lost_rounds == []


def test_a_peer_whose_cable_is_pulled_is_given_up_and_taken_back(swarm: WiredSwarm) -> None:
    before = swarm.wait_common_head(SIX, SIX)
    victim = swarm.roles(before)["trainer"]
    others = tuple(index for index in SIX if index != victim)
    swarm.wires.split([victim], others)

    without = swarm.wait_common_head(others, others, after_round=before.round)
    swarm.wait_adopted(others, without.round + 2)
    swarm.wires.heal()
    # The head that the victim made alone may win that round, or theirs. In both cases all go on.
    swarm.wait_common_head(SIX, SIX, after_round=without.round + 1, timeout_s=HEALED_WITHIN_S)


def test_two_halves_go_on_apart_and_become_one_swarm_again(swarm: WiredSwarm) -> None:
    before = swarm.wait_common_head(SIX, SIX)
    left, right = SIX[:3], SIX[3:]
    swarm.wires.split(left, right)

    for half in (left, right):
        apart = swarm.wait_common_head(half, after_round=before.round)
        swarm.wait_adopted(half, apart.round + 2)
    swarm.wires.heal()
    swarm.wait_common_head(SIX, SIX, timeout_s=HEALED_WITHIN_S)
    wait_merged_or_explained(swarm, before.round)

    run = read_run(swarm.state_dir(index) for index in SIX)
    assert run.lineage[before.round] == before


@between_containers
def test_a_peer_that_can_send_but_hears_nothing_does_not_hold_the_others_up(
    swarm: WiredSwarm,
) -> None:
    before = swarm.wait_common_head(SIX, SIX)
    victim = swarm.roles(before)["trainer"]
    others = tuple(index for index in SIX if index != victim)

    swarm.wires.deaf = frozenset({victim})
    without = swarm.wait_common_head(others, others, after_round=before.round)
    swarm.wires.heal()
    # The head that the victim made alone may win that round, or theirs. In both cases all go on.
    swarm.wait_common_head(SIX, SIX, after_round=without.round, timeout_s=HEALED_WITHIN_S)


@between_containers
def test_heavy_loss_and_a_long_delay_cost_time_and_no_round(swarm: WiredSwarm) -> None:
    before = swarm.wait_common_head(SIX, SIX)

    swarm.wires.delay_s, swarm.wires.loss = 0.2, 0.1
    swarm.wait_adopted(SIX, before.round + 1)
    swarm.wires.heal()
    head = swarm.wait_common_head(SIX, SIX, timeout_s=HEALED_WITHIN_S)

    assert head.round > before.round


@between_containers
def test_behind_1_megabit_a_peer_keeps_up_or_is_left_behind_while_the_others_go_on(
    swarm: WiredSwarm,
) -> None:
    before = swarm.wait_common_head(SIX, SIX)
    victim = swarm.roles(before)["trainer"]
    others = tuple(index for index in SIX if index != victim)

    swarm.wires.bytes_per_s = {victim: 125_000.0}
    swarm.wait_adopted(others, before.round + 3)
    swarm.wires.heal()
    head = swarm.wait_common_head(SIX, SIX, timeout_s=HEALED_WITHIN_S)

    assert head.round >= before.round + 3
