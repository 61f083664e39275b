"""All mutants, of federated training and of searches."""

from tests.simulation.mutants.agreeing import AGREEING
from tests.simulation.mutants.counting import COUNTING
from tests.simulation.mutants.defending import DEFENDING
from tests.simulation.mutants.going_on import GOING_ON
from tests.simulation.mutants.studies import STUDIES

FEDERATION_MUTANTS = COUNTING + AGREEING + GOING_ON + DEFENDING
MUTANTS = FEDERATION_MUTANTS + STUDIES
