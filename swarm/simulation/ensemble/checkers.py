"""EnsembleCheckers: the promises of members and of askers, together."""

from swarm.simulation.ensemble.asker_checkers import AskerCheckers
from swarm.simulation.ensemble.member_checkers import MemberCheckers
from swarm.simulation.ensemble.simulator import EnsembleSimulator


class EnsembleCheckers:
    """Watches an ensemble while it runs."""

    def __init__(self, simulator: EnsembleSimulator) -> None:
        self.members = MemberCheckers(simulator)
        self.askers = AskerCheckers(simulator)

    @property
    def used(self) -> dict[str, int]:
        """Greatest share of each bound that was used, in percent."""
        return {**self.members.used, **self.askers.used}

    def check_end(self) -> None:
        """Check what must hold at the end.

        Raises:
            CheckError: A promise was broken.
        """
        self.members.check_end()
        self.askers.check_end()
