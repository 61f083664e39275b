"""Mutant: the deciding ring without one rule."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """Removes one rule from one file."""

    name: str
    guarantee: str
    """A guarantee of docs/protocol.md, section 8, or docs/search.md, section 3, or a rule."""
    file: str
    """Path below `swarm/`."""
    old: str
    new: str
    scenarios: tuple[str, ...]
    """Scenarios that should notice it; tried in this order."""
    options: tuple[str, ...] = ()
    """Options of the one history that is enough."""
    also: tuple[tuple[str, str, str], ...] = ()
    """More places to change, as (file, old, new), if a second rule has the same effect."""
    rarity: int = 1
    """Factor on the number of seeds: the situation that shows the mutant is rare."""

    @property
    def changes(self) -> tuple[tuple[str, str, str], ...]:
        """Every place to change, as (file, old, new)."""
        return ((self.file, self.old, self.new), *self.also)
