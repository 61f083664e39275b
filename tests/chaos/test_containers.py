"""Six peers and a dashboard in containers: properties of the image, and bad networks.

All tests share one composition, because its start takes half a minute. Each test begins with all
peers in the cohort and a healthy network. Where no engine answers the tests are skipped, unless
SWARM_CONTAINERS=required demands one; `.ci/run` does.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from swarm.launch.container_backend import Containers
from swarm.launch.docker_engine import Engine, find_engine
from swarm.launch.docker_image import build_image
from swarm.launch.programs import Program
from tests.chaos.merging import go_on, wait_merged_or_explained
from tests.harness.container_links import NoDelayError
from tests.harness.container_swarm import DIGITS, ContainerSwarm
from tests.harness.faulty_swarm import READY_WITHIN_S
from tests.harness.lineages import read_run

SIX = tuple(range(6))
HEALED_WITHIN_S = 90.0
IMAGE_BYTES_MAX = 2.2e9


def why_impossible() -> str | None:
    """The reason why containers with faults are impossible here, or None."""
    if os.environ.get("SWARM_CONTAINERS") == "required":
        return None
    if os.geteuid() != 0:
        return "faults between containers need root"
    engine = find_engine()
    return engine if isinstance(engine, str) else None


REASON = why_impossible()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.network,
    pytest.mark.containers,
    pytest.mark.skipif(REASON is not None, reason=str(REASON)),
]


@pytest.fixture(scope="module")
def engine() -> Engine:
    found = find_engine()
    assert isinstance(found, Engine), found
    trio.run(build_image, found, "swarm", print)
    return found


@pytest.fixture(scope="module")
def started(engine: Engine) -> Iterator[ContainerSwarm]:
    with ContainerSwarm(engine, DIGITS) as swarm:
        yield swarm


@pytest.fixture
def swarm(started: ContainerSwarm) -> Iterator[ContainerSwarm]:
    for index in SIX:
        started.thaw_if_frozen(index)
        if index not in started.running:
            started.restart(index)
    started.calm(SIX)
    started.wait_common_head(SIX, SIX, timeout_s=READY_WITHIN_S)
    yield started
    run = read_run(started.state_dir(index) for index in SIX)
    assert run.rounds == list(range(len(run.rounds)))
    assert run.counted_twice == ()


async def test_a_container_started_again_by_hand_is_followed_in_each_of_its_lives(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWARM_PROJECT", "swarm-lives")
    container = "swarm-lives-teller"
    program = Program("teller", "none", (), tmp_path)
    heard, lines = trio.open_memory_channel[str](10)
    label = "com.docker.compose.project=swarm-lives"
    speak = ("sh", "-c", "echo here >&2; exec sleep 600")
    await engine.run("create", "--name", container, "--label", label, "swarm", *speak)

    try:
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                running = await Containers(engine).start(
                    nursery, program, heard.send_nowait, heard.send_nowait
                )
                said = [await lines.receive()]
                await engine.run("kill", container)
                codes = [await running.wait()]
                await engine.run("start", container)
                said.append(await lines.receive())
                await engine.run("restart", "--time", "0", container)  # a short absence
                said.append(await lines.receive())
                running.kill()
                codes.append(await running.wait())
                nursery.cancel_scope.cancel()
    finally:
        await engine.run("rm", "--force", container)

    assert said == ["here", "here", "here"]
    assert codes == [-9, -9]
    assert program.log.read_text() == "here\n" * 3


def test_the_image_is_small_and_has_neither_compiler_nor_certificates_nor_root(
    engine: Engine, started: ContainerSwarm
) -> None:
    size_bytes = int(started.docker("image", "inspect", "--format", "{{.Size}}", "swarm"))
    look = "id -u; ls -d /extra /build /page; command -v gcc cc make npm; find / -name ca.crt"
    seen = started.docker("exec", started.container(0), "sh", "-c", f"({look}) 2>/dev/null; :")

    assert size_bytes <= IMAGE_BYTES_MAX
    assert seen.split() == ["10001"]


def test_the_composition_is_healthy_and_its_page_is_served(swarm: ContainerSwarm) -> None:
    form = "{{.State.Health.Status}}"
    names = [*(swarm.container(index) for index in SIX), f"{swarm.project}-dashboard"]

    healthy = [swarm.docker("inspect", "--format", form, name).strip() for name in names]

    assert set(healthy) <= {"healthy", "starting"}
    assert swarm.page_answers()


def test_a_container_that_is_killed_resumes_when_it_is_started_again(
    swarm: ContainerSwarm,
) -> None:
    before = swarm.wait_common_head(SIX, SIX)
    victim = swarm.roles(before)["root"]
    others = tuple(index for index in SIX if index != victim)

    swarm.kill(victim)
    go_on(swarm, others, 2)
    swarm.restart(victim)
    swarm.wait_said(victim, "resumed", READY_WITHIN_S)
    swarm.wait_in_cohort(victim, before.round)
    swarm.wait_said(victim, "contributed", READY_WITHIN_S)
    wait_merged_or_explained(swarm, before.round)


def test_a_container_that_is_paused_is_given_up_and_taken_back(swarm: ContainerSwarm) -> None:
    before = swarm.wait_common_head(SIX, SIX)
    victim = swarm.roles(before)["aggregator"]
    others = tuple(index for index in SIX if index != victim)

    swarm.freeze(victim)
    without = swarm.wait_common_head(others, others, after_round=before.round)
    swarm.thaw(victim)
    # The head that the victim made alone may win that round, or theirs. In both cases all go on.
    swarm.wait_common_head(SIX, SIX, after_round=without.round, timeout_s=HEALED_WITHIN_S)


def test_two_halves_go_on_apart_and_become_one_swarm_again(swarm: ContainerSwarm) -> None:
    before = swarm.wait_common_head(SIX, SIX)
    left, right = SIX[:3], SIX[3:]

    swarm.split(left, right)
    for half in (left, right):
        apart = swarm.wait_common_head(half, after_round=before.round)
        swarm.wait_adopted(half, apart.round + 1)
    swarm.calm(SIX)
    swarm.wait_common_head(SIX, SIX, timeout_s=HEALED_WITHIN_S)
    wait_merged_or_explained(swarm, before.round)

    run = read_run(swarm.state_dir(index) for index in SIX)
    assert run.lineage[before.round] == before


def test_a_peer_that_can_send_but_hears_nothing_does_not_hold_the_others_up(
    swarm: ContainerSwarm,
) -> None:
    before = swarm.wait_common_head(SIX, SIX)
    victim = swarm.roles(before)["trainer"]
    others = tuple(index for index in SIX if index != victim)

    swarm.link(victim).drop_all_incoming()
    without = swarm.wait_common_head(others, others, after_round=before.round)
    swarm.calm([victim])
    # The head that the victim made alone may win that round, or theirs. In both cases all go on.
    swarm.wait_common_head(SIX, SIX, after_round=without.round, timeout_s=HEALED_WITHIN_S)


def test_packets_that_get_lost_cost_time_and_no_round(swarm: ContainerSwarm) -> None:
    before = swarm.wait_common_head(SIX, SIX)

    swarm.link(0).lose(0.3)
    for index in SIX[1:]:
        swarm.link(index).lose(0.1)
    go_on(swarm, SIX, 2)
    swarm.calm(SIX)
    head = swarm.wait_common_head(SIX, SIX, timeout_s=HEALED_WITHIN_S)

    assert head.round >= before.round + 2


def test_a_delay_of_200_ms_with_jitter_costs_time_and_no_round(swarm: ContainerSwarm) -> None:
    before = swarm.wait_common_head(SIX, SIX)
    try:
        for index in SIX:
            swarm.link(index).delay(200, 50)
    except NoDelayError as error:
        if os.environ.get("SWARM_CONTAINERS") == "required":
            raise
        pytest.skip(str(error))

    go_on(swarm, SIX, 1)
    swarm.calm(SIX)
    head = swarm.wait_common_head(SIX, SIX, timeout_s=HEALED_WITHIN_S)

    assert head.round > before.round
    wait_merged_or_explained(swarm, before.round)


def test_behind_1_megabit_a_peer_keeps_up_or_is_left_behind_while_the_others_go_on(
    swarm: ContainerSwarm,
) -> None:
    before = swarm.wait_common_head(SIX, SIX)
    victim = swarm.roles(before)["trainer"]
    others = tuple(index for index in SIX if index != victim)

    swarm.link(victim).limit(1000)
    go_on(swarm, others, 3)
    swarm.calm([victim])
    head = swarm.wait_common_head(SIX, SIX, timeout_s=HEALED_WITHIN_S)

    assert head.round >= before.round + 3


def test_the_whole_composition_goes_on_from_the_head_it_had(swarm: ContainerSwarm) -> None:
    swarm.wait_common_head(SIX, SIX)
    swarm.stop_all()
    before = read_run(swarm.state_dir(index) for index in SIX)

    for index in SIX:
        swarm.restart(index)
    swarm.wait_common_head(SIX, SIX, after_round=before.rounds[-1], timeout_s=READY_WITHIN_S)

    after = read_run(swarm.state_dir(index) for index in SIX)
    assert after.lineage[: len(before.lineage)] == before.lineage
    assert len(after.lineage) > len(before.lineage)
