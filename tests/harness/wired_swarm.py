"""Six peers in network namespaces of their own, with faults on the wires between them."""

from collections.abc import Sequence

from tests.harness.faulty_swarm import FaultySwarm
from tests.harness.wires import Wires

SIX = tuple(range(6))


class WiredSwarm(FaultySwarm):
    """Peers that reach each other only over `wires`."""

    def __init__(self, wires: Wires, session: Sequence[str], options: Sequence[str]) -> None:
        self.wires = wires
        super().__init__(len(SIX), session, options)

    def ip(self, index: int) -> str:
        """The peer's address on the wires."""
        return self.wires.ip(index)

    def launch_prefix(self, index: int) -> Sequence[str]:
        """The prefix that starts a command in the peer's namespace."""
        return self.wires.prefix(index)
