"""All mutants: of federated training, of searches, of hosts and of ensembles."""

from tests.simulation.mutants.agreeing import AGREEING
from tests.simulation.mutants.askers import ASKERS
from tests.simulation.mutants.counting import COUNTING
from tests.simulation.mutants.defending import DEFENDING
from tests.simulation.mutants.going_on import GOING_ON
from tests.simulation.mutants.hosting import HOSTING
from tests.simulation.mutants.members import MEMBERS
from tests.simulation.mutants.studies import STUDIES

FEDERATION_MUTANTS = COUNTING + AGREEING + GOING_ON + DEFENDING
MUTANTS = FEDERATION_MUTANTS + STUDIES + HOSTING + MEMBERS + ASKERS
