"""How studies are shown, and which study a command chooses."""

from io import StringIO

import pytest
import trio
import trio.testing
from rich.console import Console

from swarm.core.errors import ConfigurationError
from swarm.peer.search.overview import show_studies, studies_table, study_row
from swarm.peer.search.study_actions import choose_study, wait_studies
from swarm.search.effects import Started
from swarm.search.search import Search
from swarm.search.study import StudyId
from swarm.search.study_ledger import DONE, Asked, Closed, Recorded
from swarm.search.trial import COMPLETE, Trial, TrialResult
from swarm.search.values import make_params
from tests.peer.search.studies_run import ME, make_study


class StubDriver:
    def __init__(self, machine: Search) -> None:
        self.machine = machine
        self.changed = trio.Event()


class StubStudies:
    """Holds what was offered."""

    def __init__(self, *machines: Search) -> None:
        self.drivers = {machine.spec.id: StubDriver(machine) for machine in machines}
        self.changed = trio.Event()
        self.interest: object = None


class StubFound:
    def __init__(self, machine: Search) -> None:
        self.machine = machine


def make_machine(
    name: str, seed: int = 1, *, is_over: bool = False, reads: bool = False
) -> Search:
    models = {"svm": {"C": {"float": [0.1, 9.0]}, "kernel": ["rbf", "linear"]}}
    spec = make_study(models, name=name, seed=seed)
    machine = Search(ME, spec)
    trial = Trial(spec.id, 0, "svm", make_params({"C": 1.23456, "kernel": "rbf"}), 1, ME)
    entries = [Asked(trial), Recorded(TrialResult(trial.id, COMPLETE, 0.5, 1.0))]
    over = [Closed(DONE, ME)] if is_over else []
    machine.handle(Started(0, (*entries, *over), 0, submits=not reads), 0.0)
    return machine


def text_of(rows: list[dict[str, object]]) -> list[str]:
    console = Console(file=StringIO(), width=80)
    console.print(studies_table(rows))
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined, no-any-return]


def test_ids_in_80_columns_are_long_enough_for_other_commands() -> None:
    machines = [make_machine("kill"), make_machine("name" * 16, is_over=True)]

    lines = text_of([study_row(machine) for machine in machines])

    assert all(len(line) <= 80 for line in lines)
    assert len(lines) == 6  # nothing wraps
    for line, machine in zip(lines[3:5], machines, strict=True):
        assert machine.spec.id[:16] in line


def test_what_was_not_read_yet_is_not_shown_as_fact(capsys: pytest.CaptureFixture[str]) -> None:
    row = study_row(make_machine("kill"), is_read=False)

    assert "still reading" in text_of([row])[3]
    assert row["complete"] is False

    show_studies([row], json_lines=False)

    assert "best accuracy 0.5000 (svm C=1.235, kernel=rbf)" in capsys.readouterr().out


def test_of_several_studies_of_a_name_none_is_chosen() -> None:
    found = [StubFound(make_machine("kill", seed)) for seed in (1, 2)]
    first, second = (one.machine.spec.id[:16] for one in found)

    with pytest.raises(ConfigurationError, match=f"2 studies are named 'kill': {first}, {second}"):
        choose_study(found, "kill", running=True)  # type: ignore[arg-type]


def test_to_be_cancelled_is_the_one_that_is_not_over() -> None:
    over, runs = (StubFound(make_machine("kill", k, is_over=k == 1)) for k in (1, 2))

    assert choose_study([over, runs], "kill", running=True) is runs  # type: ignore[comparison-overlap, list-item]
    with pytest.raises(ConfigurationError, match="give the id"):
        choose_study([over, runs], "kill", running=False)  # type: ignore[list-item]


def test_studies_are_returned_once_read_and_marked_if_that_took_too_long() -> None:
    async def wait(studies: StubStudies) -> tuple[dict[StudyId, bool], float]:
        began_s = trio.current_time()
        found = await wait_studies(studies, 60.0)  # type: ignore[arg-type]
        return {one.machine.spec.id: one.is_read for one in found}, trio.current_time() - began_s

    async def check() -> None:
        here, away = make_machine("here"), make_machine("away", reads=True)
        read, took_s = await wait(StubStudies(here))
        assert (read, took_s) == ({here.spec.id: True}, 2.0)
        read, took_s = await wait(StubStudies(here, away))
        assert (read, took_s) == ({here.spec.id: True, away.spec.id: False}, 60.0)

    trio.run(check, clock=trio.testing.MockClock(autojump_threshold=0))
