"""MemberSettings: what one member decides for itself; other members need not agree."""

import math
from dataclasses import dataclass, field

from swarm.core.ids import PeerId


@dataclass(frozen=True, slots=True)
class ServingLimits:
    """Which questions a member takes; it refuses all others at once."""

    ask_from: tuple[PeerId, ...] = ()
    """Only these peers may ask; empty for all. Its own host always may."""
    budget_rows: int = 0
    """Rows that one asker may ask for in `budget_s`; 0 for any number.

    A token bucket: it holds this many rows, and fills evenly within `budget_s`.
    """
    budget_s: float = 3600.0
    questions_max: int = 256
    """Most questions that wait or are being answered."""
    rows_max: int = 100_000
    """Most rows of these questions. One question may have more if no other waits."""
    at_once: int = 4
    """Most questions that the serving process has at a time; the others wait here."""

    def __post_init__(self) -> None:
        _check_whole("budget_rows", self.budget_rows, 0)
        for name in ("questions_max", "rows_max", "at_once"):
            _check_whole(name, getattr(self, name), 1)
        _check_amount("budget_s", self.budget_s, positive=True)


@dataclass(frozen=True, slots=True)
class MemberSettings:
    """Settings of one member."""

    serving: ServingLimits = field(default_factory=ServingLimits)
    shares_rows: bool = False
    """Send validation rows to members whose models stay at home, to score them by questions."""
    fit_every_s: float = 10.0
    """Least seconds between the beginnings of two fits that others ordered."""
    refit_every_s: float = 60.0
    """Least seconds between two fits because rows changed; infinity for none."""
    refit_share: float = 0.1
    """Refit when the number of rows has changed by this share since the last fit."""
    shadow_rows: int = 256
    """A challenger may take over after it answered this many rows in the shadow, or ..."""
    shadow_s: float = 30.0
    """... after this many seconds, whichever comes first."""
    tolerance: float = 0.0
    """A challenger is not worse if its loss exceeds the champion's by at most this share."""

    def __post_init__(self) -> None:
        for name in ("fit_every_s", "shadow_s", "tolerance"):
            _check_amount(name, getattr(self, name))
        if not self.refit_every_s >= 0:
            raise ValueError(f"refit_every_s must be at least 0, got {self.refit_every_s}")
        _check_amount("refit_share", self.refit_share, positive=True)
        _check_whole("shadow_rows", self.shadow_rows, 0)


def _check_amount(name: str, amount: float, *, positive: bool = False) -> None:
    if not 0 <= amount < math.inf or (positive and amount == 0):
        rule = "a positive number" if positive else "finite and at least 0"
        raise ValueError(f"{name} must be {rule}, got {amount}")


def _check_whole(name: str, number: int, least: int) -> None:
    if number < least:
        raise ValueError(f"{name} must be at least {least}, got {number}")


DEFAULT_SETTINGS = MemberSettings()
