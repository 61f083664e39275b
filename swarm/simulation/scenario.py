"""Scenario: a world and what goes wrong in it, ready to be rehearsed."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from swarm.simulation.checks import noticing_errors
from swarm.simulation.history import HistoryEntry
from swarm.simulation.world import SimulatedWorld

UNTIL_S = 900.0
"""Virtual seconds after which a history is given up."""


class Checkers(Protocol):
    """Watches one world while it runs."""

    @property
    def used(self) -> Mapping[str, int]:
        """Greatest share of each bound that was used, in percent."""
        ...

    def check_end(self) -> None:
        """Check what must hold at the end.

        Raises:
            CheckError: A promise was broken.
        """
        ...


W = TypeVar("W", bound=SimulatedWorld[Any])


@dataclass(frozen=True, slots=True)
class Scenario(ABC, Generic[W]):
    """A kind of world and what goes wrong in it; the seed chooses when exactly."""

    @abstractmethod
    def prepare(self, seed: int, num_peers: int | None = None, length: int | None = None) -> W:
        """A world of this scenario in which nothing has happened yet.

        Args:
            seed: Chooses the history.
            num_peers: Peers at the start; None for the scenario's own number.
            length: Rounds or trials; None for the scenario's own number.
        """

    @abstractmethod
    def watch(self, world: W) -> Checkers:
        """Check a world's promises while it runs."""

    @abstractmethod
    def transcribe(self, write: Callable[[str], None]) -> Callable[[HistoryEntry], None]:
        """Make a recorder that writes a history in words."""

    def rehearse(self, world: W) -> Mapping[str, int]:
        """Run a history to its end, and check the promises all along.

        Returns:
            The greatest share of each bound that was used, in percent.

        Raises:
            CheckError: A promise was broken.
        """
        checkers = self.watch(world)
        with noticing_errors():
            world.run(UNTIL_S)
        checkers.check_end()
        return checkers.used
