"""That every rule a mutant takes out still stands where it says; the mutants are run by hand."""

from pathlib import Path

import pytest

from tests.simulation.mutants.catalog import FEDERATION_MUTANTS, MUTANTS
from tests.simulation.mutants.mutant import Mutant

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_rule_a_mutant_takes_out_is_there_exactly_once(mutant: Mutant) -> None:
    for file, old, _ in mutant.changes:
        text = (ROOT / "swarm" / file).read_text()

        assert text.count(old) == 1, file


def test_every_guarantee_has_a_mutant() -> None:
    protocol = (ROOT / "docs" / "protocol.md").read_text()
    promised = {line.split()[1] for line in protocol.splitlines() if line.startswith("| G")}

    assert promised == {mutant.guarantee for mutant in FEDERATION_MUTANTS}


def test_the_list_of_mutants_in_the_documents_is_this_one() -> None:
    document = (ROOT / "docs" / "simulation.md").read_text()
    listed = [
        line.split("`")[1]
        for line in document.splitlines()
        if line.startswith("| ") and "`" in line
    ]

    assert listed == [mutant.name for mutant in MUTANTS]
