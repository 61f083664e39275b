"""The text that each mutant changes is where it says; the mutants themselves run by hand."""

from pathlib import Path

import pytest

from swarm.simulation.rehearsal import SCENARIOS
from tests.simulation.mutants.catalog import FEDERATION_MUTANTS, MUTANTS
from tests.simulation.mutants.mutant import Mutant

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_text_that_a_mutant_changes_occurs_exactly_once(mutant: Mutant) -> None:
    for file, old, _ in mutant.changes:
        text = (ROOT / "swarm" / file).read_text()

        assert text.count(old) == 1, file


def test_the_scenarios_that_should_notice_a_mutant_exist() -> None:
    assert SCENARIOS.keys() >= {name for mutant in MUTANTS for name in mutant.scenarios}


def test_every_guarantee_has_a_mutant() -> None:
    protocol = (ROOT / "docs" / "protocol.md").read_text()
    promised = {line.split()[1] for line in protocol.splitlines() if line.startswith("| G")}

    assert promised == {mutant.guarantee for mutant in FEDERATION_MUTANTS}


def test_the_documents_list_every_mutant_in_order() -> None:
    document = (ROOT / "docs" / "simulation.md").read_text()
    listed = [
        line.split("`")[1]
        for line in document.splitlines()
        if line.startswith("| ") and "`" in line
    ]

    assert listed == [mutant.name for mutant in MUTANTS]
