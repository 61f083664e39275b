"""Mutants: the deciding ring with one rule taken out; for each, the simulator must notice.

    python -m tests.simulation.mutants              all of them: a table, exit 1 if one survives
    python -m tests.simulation.mutants --only named-again --seeds 50

A promise whose absence nothing notices is not tested. Each mutant changes one place in a copy of
the package and rehearses scenarios until one fails.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.simulation.mutant import Mutant
from tests.simulation.study_mutants import STUDY_MUTANTS

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 600.0
"""A mutant that makes the simulator run for so long is noticed as well."""


FEDERATION_MUTANTS = (
    # G1: no contribution counts twice in a lineage
    Mutant(
        "named-again",
        "G1",
        "ancestry.py",
        "return bool(self.staleness(contributor.base)) and contributor.key not in self.named",
        "return bool(self.staleness(contributor.base))",
        ("restart", "replayed-messages", "everything"),
    ),
    Mutant(
        "overlap-merged",
        "G1",
        "ancestry.py",
        'conflict = f"both sides name the contribution of {min(twice)[0]}"',
        'conflict = ""',
        ("three-sided", "partition-heals", "everything"),
    ),
    Mutant(
        "third-merged-twice",
        "G1",
        "ancestry.py",
        'conflict = f"both sides merged head {head.digest[:12]}"',
        'conflict = ""',
        ("three-sided", "everything"),
        rarity=4,
    ),
    Mutant(
        "past-of-merges-forgotten",
        "G1",
        "ancestry.py",
        "    for merged in head.merged:\n        yield merged.head",
        "    return",
        ("partition-heals", "three-sided"),
    ),
    Mutant(
        "trained-anew-after-restart",
        "G1",
        "training.py",
        "            self._own.keep(mine, base)\n",
        "            pass\n",
        ("restart", "mass-restart"),
    ),
    Mutant(
        "folded-and-merged",
        "G1",
        "duty.py",
        "        return facts.mergeable if clear else None\n",
        "        return facts.mergeable\n",
        ("one-way-loss", "everything"),
        also=(
            ("validity.py", "relation.only_theirs.isdisjoint(head.keys)", "True"),
            ("duty.py", "contribution.contributor.key in facts.claimed", "False"),
            (
                "training.py",
                "if contribution.contributor.key not in current.facts.claimed:",
                "if True:",
            ),
        ),
        rarity=20,
    ),
    # G2: a head is the weighted mean of what it names, plus its folds and merges
    Mutant(
        "stale-not-discounted",
        "G2",
        "ancestry.py",
        "contributor.num_examples / math.sqrt(1 + staleness)",
        "contributor.num_examples",
        ("restart", "churn", "everything"),
    ),
    Mutant(
        "stale-not-rebased",
        "G2",
        "duty.py",
        "base.blob if base and stale else None",
        "None",
        ("restart", "churn", "everything"),
    ),
    Mutant(
        "merge-share-wrong",
        "G2",
        "ancestry.py",
        "return self.examples[1] / sum(self.examples)",
        "return 0.5",
        ("partition-unequal", "partition-heals"),
    ),
    Mutant(
        "merge-not-counted",
        "G2",
        "signed_records.py",
        "return max(1, merged + sum(c.num_examples for c in self.contributors))",
        "return max(1, sum(c.num_examples for c in self.contributors))",
        ("partition-heals", "partition-unequal"),
    ),
    Mutant(
        "rejected-named",
        "G2",
        "duty.py",
        "self.inputs = {k: source for k, source in self.inputs.items() if k not in rejected}",
        "pass",
        ("hostile-peer",),
    ),
    Mutant(
        "clusters-not-weighted",
        "G2",
        "duty.py",
        "    weight = window.weight(_contributors(source))\n",
        "    weight = 1.0\n",
        ("calm",),
    ),
    # G3: the head a peer holds only moves up the head order
    Mutant(
        "order-forgotten",
        "G3",
        "lineage.py",
        "if self.held is None or head.key > self.held.key:\n            insort",
        "if True:\n            insort",
        ("replayed-messages", "aggregator-dies", "partition-heals"),
    ),
    Mutant(
        "adopted-without-weights",
        "G3",
        "adopting.py",
        "            if blobs.has(head.blob):\n",
        "            if True:\n",
        ("calm",),
    ),
    # G4: after the last fault all that are connected hold one head
    Mutant(
        "greater-head-not-asked-for",
        "G4",
        "exchange.py",
        "        if not self._is_greater(key):\n            return []\n        missing = ",
        "        return []\n        missing = ",
        ("lossy", "partition-heals", "partition-majority"),
    ),
    Mutant(
        "no-beacon",
        "G4",
        "voice.py",
        "        if head is None or self._num_repeats % BEACON_EVERY_REPEATS:\n",
        "        if True:\n",
        ("partition-heals", "partition-unequal", "lossy"),
    ),
    Mutant(
        "nobody-asks-to-be-taken-back",
        "G4",
        "wishing.py",
        "        return [Send(peer, wish) for peer in (*first, *second) if peer != self._me]",
        "        return []",
        ("calm", "late-joiners"),
    ),
    Mutant(
        "merge-ancestors-not-fetched",
        "G4",
        "lineage.py",
        "            if branch is None:\n                return merged.head\n",
        "            if branch is None:\n                return head.digest\n",
        ("partition-heals", "partition-unequal", "three-sided"),
    ),
    # G5: rounds keep coming while a quorum lives
    Mutant(
        "no-takeover-from-the-lost",
        "G5",
        "duty.py",
        "            peer in facts.given_up\n            or (now_s >= patience_s",
        "            False\n            or (now_s >= patience_s + 1000",
        ("root-dies", "aggregator-dies"),
    ),
    Mutant(
        "the-lost-are-waited-for",
        "G5",
        "presence.py",
        "return peer in self._unreachable or self._silent_s(peer, now_s) >= LOST_AFTER_S",
        "return False",
        ("half-dies", "trainer-dies", "root-dies"),
    ),
    Mutant(
        "no-deadline",
        "G5",
        "duty.py",
        "return not waiting or (now_s >= self._deadline_s and len(settled) >= quorum)",
        "return not waiting",
        ("very-slow-peer", "one-way-loss", "everything"),
    ),
    Mutant(
        "nothing-is-repeated",
        "G5",
        "round.py",
        "return [Publish(effect.topic, effect.message) for effect in self._announced]",
        "return []",
        ("lossy", "churn"),
    ),
    Mutant(
        "absent-weights-count-as-output",
        "G5",
        "duty.py",
        "output.author == peer and not blobs.absent(output.blob, now_s) for output in outputs",
        "output.author == peer for output in outputs",
        ("hostile-peer", "everything", "root-dies"),
    ),
    # G6: a branch is merged, or it is said why not
    Mutant(
        "branches-not-told-of",
        "G6",
        "branches.py",
        "            self._leave(before.digest)\n",
        "            pass\n",
        ("partition-heals", "partition-unequal"),
    ),
    Mutant(
        "both-parts-go-on",
        "G6",
        "validity.py",
        "return double > len(cohort) or (double == len(cohort) and min(cohort) in peers)",
        "return True",
        ("partition-majority",),
    ),
    # G7: what breaks a rule or fails a gate never enters a head; nobody honest is quarantined
    Mutant(
        "term-not-checked",
        "G7",
        "validity.py",
        "        term < len(ranking) and ranking[term] == author,\n",
        "        True,\n",
        ("hostile-peer",),
    ),
    Mutant(
        "examples-not-checked",
        "G7",
        "validity.py",
        "        head.examples_before == parent.total,\n",
        "        True,\n",
        ("hostile-peer",),
    ),
    Mutant(
        "strangers-count",
        "G7",
        "validity.py",
        "        if contributor.peer not in base.members:\n",
        "        if False:\n",
        ("hostile-peer",),
    ),
    Mutant(
        "cap-not-checked",
        "G7",
        "validity.py",
        "        if contributor.num_examples > spec.num_examples_max:\n",
        "        if False:\n",
        ("hostile-peer",),
    ),
    Mutant(
        "authors-vouch-for-themselves",
        "G7",
        "branches.py",
        "return tuple(peer for peer in self.holders if alone or peer != head.author)",
        "return tuple(self.holders)",
        ("everything", "hostile-peer"),
    ),
    Mutant(
        "relayers-are-blamed",
        "G7",
        "catching_up.py",
        "effects += self._judging.reject(head, error, now_s)\n",
        "effects += self._judging.offences.count(event.sender, str(error), now_s)\n",
        ("hostile-peer", "everything"),
    ),
    Mutant(
        "nobody-is-quarantined",
        "G7",
        "offences.py",
        "        if count < OFFENCES_MAX or self.quarantined(peer, now_s):\n",
        "        if True:\n",
        ("hostile-peer",),
    ),
    # G8: nothing a peer sends, receives or keeps grows with the swarm
    Mutant(
        "everybody-may-ask",
        "G8",
        "records.py",
        "return min(1.0, max(ADMISSION_MIN, spec.cohort_max / max(1.0, crowd)))",
        "return 1.0",
        ("calm",),
        ("--peers", "3000", "--rounds", "4"),
    ),
    Mutant(
        "weights-never-deleted",
        "G8",
        "weights.py",
        "recent = itertools.islice(lineage.ancestors(head), 2)",
        "recent = itertools.islice(lineage.ancestors(head), 2000)",
        ("calm",),
        ("--rounds", "150"),
    ),
    # G9: operators that a peer trusts are followed, and nobody else
    Mutant(
        "strangers-obeyed",
        "G9",
        "command_book.py",
        "if command.author not in self._trusted:",
        "if False:",
        ("paused", "stopped", "removed"),
    ),
    Mutant(
        "older-orders-obeyed",
        "G9",
        "command_book.py",
        "if held is not None and command.key <= held.key:",
        "if held is not None and command.key == held.key:",
        ("paused",),
    ),
    Mutant(
        "orders-not-passed-on",
        "G9",
        "obedience.py",
        "return [Publish(topic, orders) for topic in topics if topic is not None]",
        "return []",
        ("paused", "stopped"),
    ),
    Mutant(
        "orders-forgotten-by-restarts",
        "G9",
        "obedience.py",
        "effects.append(SaveCommands(self.book.commands))",
        "pass",
        ("paused", "stopped"),
        also=(
            (
                "obedience.py",
                "return [Publish(topic, orders) for topic in topics if topic is not None]",
                "return []",
            ),
        ),
    ),
    Mutant(
        "paused-rounds-go-on",
        "G9",
        "federation.py",
        "if self.round is not None and not self.finished and not self.orders.waits:",
        "if self.round is not None and not self.finished:",
        ("paused",),
    ),
    Mutant(
        "removed-peers-stay",
        "G9",
        "obedience.py",
        'effects.append(Leave("an operator removed this peer"))',
        "pass",
        ("removed",),
    ),
)


MUTANTS = FEDERATION_MUTANTS + STUDY_MUTANTS


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a mutant."""

    mutant: Mutant
    killed_by: str
    """Scenario and seed with the broken promise; empty if it survived."""
    seconds: float


def check_healthy(folder: str, mutants: Sequence[Mutant], seeds: int) -> None:
    """Rehearse with all rules in place: what fails even then tells nothing about a mutant.

    Raises:
        ValueError: A scenario fails.
    """
    number: dict[tuple[str, tuple[str, ...]], int] = {}
    for mutant in mutants:
        for scenario in mutant.scenarios:
            key = scenario, mutant.options
            number[key] = max(seeds * mutant.rarity, number.get(key, 0))
    for (scenario, options), count in sorted(number.items()):
        if said := _rehearse(scenario, count, folder, options):
            raise ValueError(f"{scenario} fails without any mutant: {said}")


def try_mutant(mutant: Mutant, seeds: int, healthy: Path) -> Verdict:
    """Rehearse with the rule taken out of a copy of the package `healthy`.

    Raises:
        ValueError: The place to change is not there exactly once.
    """
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="swarm-mutant-") as folder:
        package = Path(folder) / "swarm"
        shutil.copytree(healthy, package)
        for file, old, new in ((mutant.file, mutant.old, mutant.new), *mutant.also):
            path = package / mutant.package / file
            text = path.read_text()
            if text.count(old) != 1:
                raise ValueError(
                    f"{mutant.name}: its text must be in {file} once, got {text.count(old)}"
                )
            path.write_text(text.replace(old, new))
        for scenario in mutant.scenarios:
            said = _rehearse(scenario, seeds * mutant.rarity, folder, mutant.options)
            if said:
                return Verdict(mutant, f"{scenario}: {said}", time.monotonic() - started_s)
    return Verdict(mutant, "", time.monotonic() - started_s)


def _rehearse(scenario: str, seeds: int, folder: str, options: tuple[str, ...]) -> str:
    """The promise that was broken, or nothing."""
    number = "1" if options else str(seeds)
    command = [sys.executable, "-m", "swarm.simulation", "--scenario", scenario]
    command += ["--seeds", number, *options]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": folder},
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


def main(
    only: Annotated[list[str] | None, typer.Option(help="Try these mutants alone.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds of each scenario.")] = 20,
    jobs: Annotated[int, typer.Option(min=1, help="Mutants tried at once.")] = 2,
) -> None:
    """Take the rules out one by one; exit 1 if the simulator does not notice."""
    chosen = [mutant for mutant in MUTANTS if not only or mutant.name in only]
    table = Table("guarantee", "mutant", "killed by", "s")
    verdicts: list[Verdict] = []
    with (
        tempfile.TemporaryDirectory(prefix="swarm-healthy-") as folder,
        Progress(transient=True) as progress,
        ThreadPoolExecutor(jobs) as pool,
    ):
        package = Path(folder) / "swarm"  # copied once, so that nothing changes under a long run
        shutil.copytree(ROOT / "swarm", package, ignore=shutil.ignore_patterns("__pycache__"))
        task = progress.add_task("without mutants", total=len(chosen))
        check_healthy(folder, chosen, seeds)
        progress.update(task, description="mutants")
        for verdict in pool.map(lambda mutant: try_mutant(mutant, seeds, package), chosen):
            verdicts.append(verdict)
            progress.advance(task)
    for verdict in verdicts:
        said = verdict.killed_by or "[bold red]SURVIVED[/]"
        mutant = verdict.mutant
        table.add_row(mutant.guarantee, mutant.name, said, f"{verdict.seconds:.0f}")
    Console(width=160).print(table)
    survivors = [verdict.mutant.name for verdict in verdicts if not verdict.killed_by]
    print(f"{len(verdicts) - len(survivors)} of {len(verdicts)} mutants were noticed")
    raise typer.Exit(bool(survivors))


if __name__ == "__main__":
    typer.run(main)
