"""That every rule a mutant takes out still stands where it says; `mutants.py` does the rest."""

import pytest

from tests.simulation.mutant import Mutant
from tests.simulation.mutants import FEDERATION_MUTANTS, MUTANTS, ROOT


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_rule_a_mutant_takes_out_is_there_exactly_once(mutant: Mutant) -> None:
    for file, old, _ in ((mutant.file, mutant.old, mutant.new), *mutant.also):
        text = (ROOT / "swarm" / mutant.package / file).read_text()

        assert text.count(old) == 1, file


def test_every_guarantee_has_a_mutant() -> None:
    protocol = (ROOT / "docs" / "protocol.md").read_text()
    promised = {line.split()[1] for line in protocol.splitlines() if line.startswith("| G")}

    assert promised == {mutant.guarantee for mutant in FEDERATION_MUTANTS}
