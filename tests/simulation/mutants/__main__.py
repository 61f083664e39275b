"""Mutants: the deciding ring without one rule; the simulator must notice each.

    python -m tests.simulation.mutants              all of them: a table, exit 1 if one survives
    python -m tests.simulation.mutants --only named-again --seeds 50

A rule is tested only if something fails without it. Each mutant changes one place in a copy of the
package, and rehearses scenarios until one fails.
"""

import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.simulation.mutants.catalog import MUTANTS
from tests.simulation.mutants.trial import Verdict, check_healthy, rehearsals_of, try_mutant

ROOT = Path(__file__).parents[3]


def main(
    only: Annotated[list[str] | None, typer.Option(help="Try only these mutants.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds of each scenario.")] = 20,
    jobs: Annotated[int, typer.Option(min=1, help="Number of mutants tried at once.")] = 2,
    healthy: Annotated[
        bool, typer.Option(help="First check that the scenarios pass with all rules in place.")
    ] = True,
) -> None:
    """Remove the rules one by one; exit 1 if the simulator does not notice."""
    names = {mutant.name for mutant in MUTANTS}
    if unknown := sorted(set(only or ()) - names):
        raise typer.BadParameter(f"unknown mutants: {', '.join(unknown)}")
    chosen = [mutant for mutant in MUTANTS if not only or mutant.name in only]
    verdicts: list[Verdict] = []
    with (
        tempfile.TemporaryDirectory(prefix="swarm-healthy-") as name,
        Progress(transient=True) as progress,
        ThreadPoolExecutor(jobs) as pool,
    ):
        folder = Path(name)  # copied once, so that edits do not affect a long run
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "swarm", folder / "swarm", ignore=ignored)
        rehearsals = rehearsals_of(chosen, seeds) if healthy else ()
        task = progress.add_task("without mutants", total=len(rehearsals))
        for _ in pool.map(lambda rehearsal: check_healthy(rehearsal, folder), rehearsals):
            progress.advance(task)
        task = progress.add_task("mutants", total=len(chosen))
        for verdict in pool.map(lambda mutant: try_mutant(mutant, seeds, folder), chosen):
            verdicts.append(verdict)
            progress.advance(task)
    _show(verdicts)
    survivors = [verdict.mutant.name for verdict in verdicts if not verdict.scenario]
    print(f"{len(verdicts) - len(survivors)} of {len(verdicts)} mutants were noticed")
    raise typer.Exit(bool(survivors))


def _show(verdicts: list[Verdict]) -> None:
    table = Table("guarantee", "mutant", "noticed in", "what was broken", "s")
    for verdict in verdicts:
        scenario = verdict.scenario or "[bold red]SURVIVED[/]"
        mutant = verdict.mutant
        table.add_row(
            mutant.guarantee, mutant.name, scenario, verdict.promise, f"{verdict.seconds:.0f}"
        )
    Console(width=160).print(table)


if __name__ == "__main__":
    typer.run(main)
