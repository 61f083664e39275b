"""`python -m benchmarks.containers`: six containers from nothing to stopped, with figures.

Where no engine answers, and this is Debian and root, an engine is installed and started first. It
is stopped at the end, and all it stored is removed. --from-nothing insists on such an engine.
Then: build the image, start the composition, train three rounds, kill one container, replace it,
see the new one contribute, measure memory, stop all. At the end, build again after a change of the
source.
"""

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from swarm.launch.docker_engine import Engine, find_engine
from swarm.launch.docker_image import SOURCES, build_image
from tests.harness.container_swarm import ContainerSwarm
from tests.harness.faulty_swarm import READY_WITHIN_S
from tests.harness.swarm_processes import now_s

SIX = tuple(range(6))
IMAGE = "swarm"
ROUNDS = 3
LIMITS = {
    "image_gb": 2.2,
    "pss_of_all_containers_gb": 3.0,
    "rebuild_after_a_source_change_s": 15.0,
    "from_nothing_to_all_stopped_s": 600.0,
}
ENGINE_SCRIPT = SOURCES / "pre" / "engine.sh"


def main() -> None:
    """Print the figures, and with --json one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="cifar10", help="or synthetic10, digits")
    parser.add_argument("--data-dir", default=None, help="folder with cifar-10-batches-bin/")
    parser.add_argument("--examples", type=int, default=2000, help="training images of each peer")
    parser.add_argument(
        "--from-nothing", action="store_true", help="use a new engine that has no images"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = find_engine()
    if options.from_nothing and isinstance(found, Engine):
        parser.error(f"--from-nothing: Docker {found.version} answers here; stop it first")
    results: dict[str, float | int | str] = {}
    begun_s = now_s()
    with an_engine(found) as own:
        results["engine"] = "there" if isinstance(found, Engine) else found
        results["engine_s"] = own.up_s
        results |= measure(own.engine, options)
    stopped_s = own.stopped_at_s or now_s()
    results["from_nothing_to_all_stopped_s"] = round(stopped_s - begun_s, 1)
    results["files_removed_s"] = round(now_s() - stopped_s, 1)
    for name, value in results.items():
        limit = f"   (at most {LIMITS[name]})" if name in LIMITS else ""
        print(f"{name:36} {value}{limit}")
    if options.json:
        print(json.dumps(results))


@dataclass(slots=True)
class UsedEngine:
    """An engine that answers, when it began to, and when it had stopped."""

    engine: Engine
    up_s: float = 0.0
    """Seconds until the engine answered."""
    stopped_at_s: float | None = None
    """When our own engine had ended; its files are removed after that."""


@contextmanager
def an_engine(found: Engine | str) -> Iterator[UsedEngine]:
    """Provide an engine to work with.

    Args:
        found: An engine that answers already, or the reason why there is none.
    """
    begun_s = now_s()
    if isinstance(found, Engine):
        yield UsedEngine(found)
        return
    print(f"{found}: installing and starting an engine", flush=True)
    folder = tempfile.mkdtemp(prefix="swarm-engine-")
    own: UsedEngine | None = None
    try:
        subprocess.run([str(ENGINE_SCRIPT), "start", folder], check=True)
        for line in Path(folder, "environment").read_text().splitlines():
            name, _, value = line.removeprefix("export ").partition("=")
            os.environ[name] = value
        mine = find_engine()
        assert isinstance(mine, Engine), mine
        own = UsedEngine(mine, round(now_s() - begun_s, 1))
        yield own
    finally:
        stopped_at_s = stop_engine(folder)
        if own is not None:
            own.stopped_at_s = stopped_at_s


def stop_engine(folder: str) -> float:
    """Stop an engine and remove its files; return when it had stopped."""
    command = [str(ENGINE_SCRIPT), "stop", folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stopping:
        assert stopping.stdout is not None
        stopping.stdout.readline()  # this line says that the engine has ended
        stopped_at_s = now_s()
    if stopping.returncode != 0:
        raise subprocess.CalledProcessError(stopping.returncode, command)
    return stopped_at_s


def measure(engine: Engine, options: argparse.Namespace) -> dict[str, float | int | str]:
    """Measure everything except the engine."""
    session = {
        "dataset": options.dataset,
        "model": "cnn",
        "rounds": "1000",
        "examples_per_peer_max": str(options.examples),
        "test_examples_per_peer_max": "300",
    }
    build_s = timed_build(engine)
    print(f"image built in {build_s} s", flush=True)
    size = subprocess.check_output(
        [engine.docker, "image", "inspect", "--format", "{{.Size}}", IMAGE], text=True
    )
    with ContainerSwarm(engine, session, data_dir=options.data_dir) as swarm:
        up_s = swarm.started_s
        meshed_s = mesh(swarm) - up_s
        first_s = max(swarm.wait_adopted(SIX, 1, READY_WITHIN_S).values()) - up_s
        print(f"first round done {first_s:.1f} s after `up`", flush=True)
        third = swarm.wait_common_head(SIX, SIX, after_round=ROUNDS - 1)
        pss_bytes = swarm.pss_bytes()
        victim = swarm.roles(third)["trainer"]
        swarm.kill(victim)
        killed_s = now_s()
        swarm.replace(victim)
        swarm.wait_in_cohort(victim, third.round)
        back_s = swarm.wait_said(victim, "contributed", READY_WITHIN_S).at_s - killed_s
    with_change_s = rebuild(engine)
    return {
        "image_build_s": build_s,
        "image_gb": round(int(size) / 1e9, 2),
        "up_to_six_meshed_s": round(meshed_s, 1),
        "up_to_first_round_s": round(first_s, 1),
        "pss_of_all_containers_gb": round(pss_bytes / 1e9, 2),
        "killed_to_replacement_contributing_s": round(back_s, 1),
        "rebuild_after_a_source_change_s": with_change_s,
        "dataset": options.dataset,
    }


def mesh(swarm: ContainerSwarm) -> float:
    """Wait until each peer is connected with all others; return when that was."""
    for index in SIX:
        swarm.wait_until(
            lambda i=index: any(  # type: ignore[misc]
                line.event == "connected" and line.fields["num_connected"] >= 5
                for line in swarm.peers[i].lines
            ),
            READY_WITHIN_S,
            f"full mesh at peer {index}",
        )
    return now_s()


def timed_build(engine: Engine) -> float:
    """Seconds to build the image from what the engine has stored."""
    begun_s = now_s()
    trio.run(build_image, engine, IMAGE, lambda line: print(f"  {line}", flush=True))
    return round(now_s() - begun_s, 1)


def rebuild(engine: Engine) -> float:
    """Seconds to build again after one of our own files has changed."""
    path = SOURCES / "swarm" / "__init__.py"
    before = path.read_bytes()
    try:
        path.write_bytes(before + f"# changed at {now_s()}\n".encode())
        return timed_build(engine)
    finally:
        path.write_bytes(before)


if __name__ == "__main__":
    main()
