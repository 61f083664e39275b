"""What goes wrong in a simulated ensemble, and what its users do."""

from dataclasses import dataclass

from swarm.core.ids import PeerId
from swarm.simulation.faults import FaultPlan

FIT_ALL, FIT, PROMOTE, ROLLBACK, ROWS, DRIFT, LEAVE = (
    "fit-all",
    "fit",
    "promote",
    "rollback",
    "rows",
    "drift",
    "leave",
)
"""What a user does at one member; `rows` and `drift` bring it labelled rows."""
ANY = "any"
"""The role of any live member that is not astray."""


@dataclass(frozen=True, slots=True)
class UserAction:
    """A user does something at a member."""

    at_s: float
    kind: str
    peer: PeerId | None = None
    """None for any live member."""


@dataclass(frozen=True, slots=True)
class EnsembleFaults(FaultPlan):
    """Faults of one simulated ensemble; progress counts fits that are over."""

    actions: tuple[UserAction, ...] = ()
    at_home: frozenset[PeerId] = frozenset()
    """Members whose models stay at home."""
    shares_rows: bool = True
    """Whether members share validation rows with those."""
    fit_failure_rate: float = 0.0
    refused_share: float = 0.0
    """Share of models that members refuse to load."""
    questions_per_s: float = 0.0
    """Questions of strangers to random members; askers of the ensemble have questions besides."""
    question_rows_max: int = 20
    slow_answers: PeerId | None = None
    """A member whose serving process takes a second for each question."""
    num_askers: int = 0
    asks_per_s: float = 5.0
    """Questions of each asker."""
    liar: PeerId | None = None
    """A member that answers nonsense, and is correct in all else."""
    none_fails: bool = False
    """Whether no question with a second or more of time may fail."""
    all_answer: bool = False
    """Whether every known owner's answer counts, its own or a copy's, once all is quiet."""
    copies_answer: bool = False
    """Whether some answers must come of copies."""
