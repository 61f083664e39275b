"""`python -m swarm.simulation`: rehearse scenarios, and print how to replay a failing seed."""

from collections import Counter
from collections.abc import Generator
from contextlib import closing
from typing import Annotated

import typer

from swarm.simulation.rehearsal import (
    SCENARIOS,
    Outcome,
    Task,
    processes,
    rehearse,
    rehearse_all,
)

ALL = "all"
NAMES = tuple(SCENARIOS)
FAILURES_SHOWN_MAX = 5
"""Failures shown of each scenario; they often have one cause."""


def main(  # noqa: PLR0913, PLR0917 (one for each flag)
    scenario: Annotated[
        str, typer.Option(help=f"Scenario: {', '.join(NAMES)}; or {ALL}.")
    ] = "everything",
    seed: Annotated[int, typer.Option(help="Seed of the first history.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="Number of histories of each scenario.")] = 1,
    peers: Annotated[int | None, typer.Option(min=1, help="Number of peers at the start.")] = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="Rounds of a session, or trials of a study.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Number of processes.")] = 1,
    trace: Annotated[bool, typer.Option("--trace", help="Print what each peer did.")] = False,
    until_failure: Annotated[
        bool, typer.Option("--until-failure", help="Stop at the first seed that fails.")
    ] = False,
) -> None:
    """Rehearse a swarm on virtual time, and check its promises after every event."""
    if scenario not in (*NAMES, ALL):
        raise typer.BadParameter(f"scenario must be one of {', '.join(NAMES)} or {ALL}")
    names = list(NAMES) if scenario == ALL else [scenario]
    failures: list[Outcome] = []
    print(_HEADER)
    for name in names:
        tasks = [Task(name, number, peers, rounds) for number in range(seed, seed + seeds)]
        if len(tasks) == 1:
            outcomes = [rehearse(tasks[0], trace)]
        else:  # new processes for each scenario, because peak memory is per process
            with processes(jobs) as pool:
                outcomes = _gather(rehearse_all(pool, tasks), until_failure=until_failure)
        print(_row(name, outcomes), flush=True)
        failures += [outcome for outcome in outcomes if outcome.failure][:FAILURES_SHOWN_MAX]
        if failures and until_failure:
            break
    for outcome in failures:
        print(f"FAILED {outcome.task.scenario}: {outcome}")
    if failures:
        raise typer.Exit(1)


def _gather(outcomes: Generator[Outcome, None, None], *, until_failure: bool) -> list[Outcome]:
    gathered: list[Outcome] = []
    with closing(outcomes):  # tasks that have not begun are dropped
        for outcome in outcomes:
            gathered.append(outcome)
            if outcome.failure and until_failure:
                break
    return gathered


_HEADER = (
    f"{'scenario':<20}{'seeds':>6}{'failed':>7}{'rounds':>7}{'seconds':>8}"
    f"{'seeds/s':>8}{'actions/s':>10}{'MiB':>6}  most used of each bound"
)


def _row(name: str, outcomes: list[Outcome]) -> str:
    """Mean rounds and virtual seconds; seeds and actions per second of one core."""
    number, cpu_s = len(outcomes), max(1e-9, sum(outcome.cpu_s for outcome in outcomes))
    num_failed = sum(bool(outcome.failure) for outcome in outcomes)
    rounds = sum(outcome.rounds for outcome in outcomes) / number
    virtual_s = sum(outcome.virtual_s for outcome in outcomes) / number
    actions_per_s = sum(outcome.num_actions for outcome in outcomes) / cpu_s
    peak_mib = max(outcome.peak_mib for outcome in outcomes)
    used: Counter[str] = Counter()
    for outcome in outcomes:
        used |= Counter(outcome.used)
    shares = ", ".join(f"{what} {percent} %" for what, percent in sorted(used.items()))
    return (
        f"{name:<20}{number:>6}{num_failed:>7}{rounds:>7.1f}{virtual_s:>8.0f}"
        f"{number / cpu_s:>8.1f}{actions_per_s:>10,.0f}{peak_mib:>6.0f}  {shares}"
    )


if __name__ == "__main__":
    typer.run(main)
