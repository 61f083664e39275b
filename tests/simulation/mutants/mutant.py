"""Mutant: one rule taken out of the deciding ring."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """One rule taken out of one file."""

    name: str
    guarantee: str
    """Which of docs/protocol.md, section 8, or docs/search.md, section 3."""
    file: str
    """Path below `swarm/`."""
    old: str
    new: str
    scenarios: tuple[str, ...]
    """Where it should be noticed; tried in this order."""
    options: tuple[str, ...] = ()
    """Of one history that is enough."""
    also: tuple[tuple[str, str, str], ...] = ()
    """More places to change, as (file, old, new): rules that a second rule stands behind."""
    rarity: int = 1
    """So many times as many seeds: what it takes to notice does not happen often."""

    @property
    def changes(self) -> tuple[tuple[str, str, str], ...]:
        """Every place to change, as (file, old, new)."""
        return ((self.file, self.old, self.new), *self.also)
