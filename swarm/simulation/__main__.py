"""`python -m swarm.simulation`: rehearse a scenario; a failing seed prints how to replay it."""

from typing import Annotated

import typer

from swarm.simulation.checkers import CheckError
from swarm.simulation.scenarios import SCENARIOS
from swarm.simulation.simulator import Simulator, history_digest


def main(
    scenario: Annotated[str, typer.Option(help=f"One of: {', '.join(SCENARIOS)}.")] = "churn-mix",
    seed: Annotated[int, typer.Option(help="The history to rehearse, or the first one.")] = 0,
    peers: Annotated[int | None, typer.Option(min=1, help="Peers at the start.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of the session.")] = 5,
    seeds: Annotated[int, typer.Option(min=1, help="So many histories one after another.")] = 1,
    trace: Annotated[bool, typer.Option("--trace", help="Print every event.")] = False,
) -> None:
    """Rehearse a swarm on virtual time, checking its promises after every event."""
    if scenario not in SCENARIOS:
        raise typer.BadParameter(f"scenario must be one of {', '.join(SCENARIOS)}")
    chosen = SCENARIOS[scenario]
    for number in range(seed, seed + seeds):
        simulator = chosen.prepare(number, peers, rounds)
        try:
            chosen.rehearse(simulator)
        except CheckError as error:
            _print_trace(simulator, trace)
            size = f" --peers {peers}" if peers is not None else ""
            command = f"--scenario {scenario} --seed {number}{size} --rounds {rounds} --trace"
            print(f"FAILED: {error}\nreplay: python -m swarm.simulation {command}")
            raise typer.Exit(1) from error
        _print_trace(simulator, trace)
    print(
        f"ok: {scenario}, {seeds} of {seeds} seeds; the last ended at {simulator.now_s:.1f} s "
        f"after {len(simulator.history)} events, history {history_digest(simulator)[:12]}"
    )


def _print_trace(simulator: Simulator, trace: bool) -> None:
    for entry in simulator.history if trace else ():
        print(f"{entry.now_s:9.3f} {entry.peer} {entry.event!r:.200}")


if __name__ == "__main__":
    typer.run(main)
