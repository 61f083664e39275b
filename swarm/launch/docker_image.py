"""build_image(): builds the image of the peers and the dashboard from this working copy.

`python -m swarm.launch.docker_image` only builds the image.
"""

import configparser
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from subprocess import PIPE, STDOUT

import trio

from swarm.core.errors import ConfigurationError
from swarm.launch.docker_engine import Engine, find_engine
from swarm.launch.process_output import read_lines

SOURCES = Path(__file__).parents[2]
"""The working copy, which contains docker/."""
DOCKERFILE = SOURCES / "docker" / "Dockerfile"
_STEP = re.compile(r"(?:Step \d+/\d+ : |#\d+ \[(?!internal))")
_STEP_CHARACTERS_MAX = 100
_LINES_KEPT = 15


def image_name() -> str:
    """Return the name of the image."""
    return os.environ.get("SWARM_IMAGE", "swarm")


async def build_image(engine: Engine, tag: str, on_step: Callable[[str], None]) -> None:
    """Build the image. Unchanged layers come from the cache.

    Args:
        engine: Engine that builds it.
        tag: Name of the image.
        on_step: Called with each build step.

    Raises:
        ConfigurationError: The build failed; the message has the last lines of the builder.
    """
    put_extra(SOURCES / "docker" / "extra", os.environ)
    command = [engine.docker, "build", "--file", str(DOCKERFILE), "--tag", tag]
    base = os.environ.get("SWARM_BASE_IMAGE")
    if base:
        command += ["--build-arg", f"BASE={base}"]
    if engine.has_buildkit:
        command += ["--progress", "plain"]
    env = os.environ | {"DOCKER_BUILDKIT": "1" if engine.has_buildkit else "0"}
    kept: deque[str] = deque(maxlen=_LINES_KEPT)

    def take(line: str) -> None:
        kept.append(line.strip())
        if _STEP.match(kept[-1]):
            on_step(kept[-1][:_STEP_CHARACTERS_MAX])

    async with trio.open_nursery() as nursery:
        start = partial(
            trio.run_process,
            [*command, str(SOURCES)],
            stdout=PIPE,
            stderr=STDOUT,
            env=env,
            check=False,
            start_new_session=True,
        )
        process: trio.Process = await nursery.start(start)
        assert process.stdout is not None  # noqa: S101 - opened with a pipe
        await read_lines(process.stdout, take)
    if process.returncode != 0:
        output = "\n  ".join(kept)
        raise ConfigurationError(
            "the image could not be built; --no-docker starts processes instead. The last lines of"
            f" the builder:\n  {output}"
        )


def put_extra(folder: Path, env: Mapping[str, str]) -> None:
    """Put the files that pip and npm need to reach their package indexes into docker/extra/.

    On the open internet no file is needed. Only the build stages see these files, not the image.
    """
    certificates = env.get("PIP_CERT") or _pip_setting("cert")
    wanted = {
        "ca.crt": _read(certificates),
        "pip.conf": _pip_conf(_pip_setting),
        "npmrc": _npm_conf(env),
    }
    for name, content in wanted.items():
        path = folder / name
        if content is None:
            path.unlink(missing_ok=True)
        elif _read(str(path)) != content:  # an unchanged file keeps its layer
            path.write_bytes(content)


def _pip_conf(setting: Callable[[str], str | None]) -> bytes | None:
    """Return the indexes that a container can reach as well; local folders are left out."""
    config = configparser.RawConfigParser()
    config.add_section("global")
    for name in ("index-url", "extra-index-url"):
        urls = [url for url in (setting(name) or "").split() if url.startswith("http")]
        if urls:
            config.set("global", name, " ".join(urls))
    if not config.options("global"):
        return None
    lines = [f"{name} = {value}" for name, value in config.items("global")]
    return ("[global]\n" + "\n".join(lines) + "\n").encode()


def _pip_setting(name: str) -> str | None:
    """Return a setting from pip's configuration files; None without pip or without the setting."""
    pip = shutil.which("pip3") or shutil.which("pip")
    if pip is None:
        return None
    command = [pip, "config", "get", f"global.{name}"]
    try:
        done = subprocess.run(  # noqa: S603 - pip found in PATH, with arguments of ours
            command, capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _npm_conf(env: Mapping[str, str]) -> bytes | None:
    registry = env.get("NPM_CONFIG_REGISTRY")
    return f"registry={registry}\n".encode() if registry else None


def _read(path: str | None) -> bytes | None:
    if path is None:
        return None
    try:
        return Path(path).read_bytes()
    except OSError:
        return None


def main() -> int:
    """Build the image; return the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # this also ends the builder
    found = find_engine()
    try:
        if isinstance(found, str):
            raise ConfigurationError(found)
        trio.run(build_image, found, image_name(), partial(print, flush=True))
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
