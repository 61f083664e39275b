"""Trial of a mutant: rehearse the package without one rule until a promise breaks."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.mutants.mutant import Mutant

TIMEOUT_S = 600.0
"""A mutant that makes the simulator run for this many seconds is noticed as well."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Histories of one scenario, with all rules in place."""

    scenario: str
    options: tuple[str, ...]
    seeds: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result of trying a mutant."""

    mutant: Mutant
    scenario: str
    """The scenario that noticed it; empty if it survived."""
    promise: str
    """The broken promise."""
    seconds: float


def rehearsals_of(mutants: Sequence[Mutant], seeds: int) -> tuple[Rehearsal, ...]:
    """Rehearsals that must pass with all rules in place; else their failure proves nothing."""
    number: dict[tuple[str, tuple[str, ...]], int] = {}
    for mutant in mutants:
        for scenario in mutant.scenarios:
            key = scenario, mutant.options
            number[key] = max(seeds * mutant.rarity, number.get(key, 0))
    return tuple(Rehearsal(*key, count) for key, count in sorted(number.items()))


def check_healthy(rehearsal: Rehearsal, folder: Path) -> None:
    """Rehearse the package in `folder`.

    Raises:
        ValueError: It fails.
    """
    said = _rehearse(rehearsal.scenario, rehearsal.seeds, folder, rehearsal.options)
    if said:
        raise ValueError(f"{rehearsal.scenario} fails without any mutant: {said}")


def try_mutant(mutant: Mutant, seeds: int, healthy: Path) -> Verdict:
    """Rehearse a copy of the package in the folder `healthy`, without the rule.

    Raises:
        ValueError: The text to change does not occur exactly once.
    """
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="swarm-mutant-") as name:
        folder = Path(name)
        shutil.copytree(healthy, folder, dirs_exist_ok=True)
        for file, old, new in mutant.changes:
            path = folder / "swarm" / file
            text = path.read_text()
            if text.count(old) != 1:
                raise ValueError(
                    f"{mutant.name}: its text must be in {file} once, got {text.count(old)}"
                )
            path.write_text(text.replace(old, new))
        for scenario in mutant.scenarios:
            said = _rehearse(scenario, seeds * mutant.rarity, folder, mutant.options)
            if said:
                return Verdict(mutant, scenario, said, time.monotonic() - started_s)
    return Verdict(mutant, "", "", time.monotonic() - started_s)


def _rehearse(scenario: str, seeds: int, folder: Path, options: tuple[str, ...]) -> str:
    """The first broken promise, or nothing."""
    number = "1" if options else str(seeds)
    command = [sys.executable, "-m", "swarm.simulation", "--scenario", scenario]
    command += ["--seeds", number, "--until-failure", *options]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder)},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"not over within {TIMEOUT_S:.0f} s"
    if done.returncode == 0:
        return ""
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    return failed[0].split(": ", 1)[1] if failed else done.stderr.strip().splitlines()[-1]
