"""Family and Estimator: what every family of models to try is, and what it makes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from swarm.learning.estimators.hyperparameters import Hyperparameter, Value
from swarm.learning.estimators.objectives import Predictions
from swarm.learning.tables.table_source import Kind

Params = Mapping[str, Value]
State = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Problem:
    """What a model is to learn."""

    kind: Kind
    input_shape: tuple[int, ...]
    """Shape of one example."""
    num_classes: int
    """0 for a regression."""
    needs_probabilities: bool
    is_double: bool = False
    """Whether examples are float64: float32 might make some of them the same."""
    beyond_float32: str = ""
    """What float32 would make an infinity, in words."""


class Estimator(Protocol):
    """A model of one fold."""

    def train_epoch(self, x: NDArray[Any], y: NDArray[Any], epoch: int) -> float | None:
        """Train one pass over the fold's examples.

        Args:
            x: Shape (n, *input_shape), float32 or float64.
            y: Shape (n,).
            epoch: Counted from 1; alone decides the order of examples, with the trial's seed.

        Returns:
            Mean training loss, where the model knows one.
        """
        ...

    def predict(self, x: NDArray[Any]) -> Predictions:
        """Answer examples of shape (n, *input_shape)."""
        ...

    def state(self) -> State | None:
        """All that the model has learnt, optimizer included; None if it cannot be taken out."""
        ...

    def restore(self, state: State) -> None:
        """Become the model that `state` was taken from.

        Raises:
            LearningError: It is the state of another model.
        """
        ...


class Family(Protocol):
    """Models of one kind, told apart by hyperparameters.

    Making a family imports nothing; `create` imports what the model is made of.
    """

    @property
    def name(self) -> str:
        """As in a study file."""
        ...

    @property
    def hyperparameters(self) -> tuple[Hyperparameter, ...]:
        """What can be set; each has a default."""
        ...

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Problems it can learn."""
        ...

    @property
    def has_epochs(self) -> bool:
        """Whether it trains in epochs; otherwise all in one."""
        ...

    def create(self, params: Params, problem: Problem, seed: int) -> Estimator:
        """Make an untrained model.

        Args:
            params: Values that passed `check_params`.
            problem: What is to be learnt.
            seed: In 0..2**32-1; the same seed gives the same model.

        Raises:
            ConfigurationError: The family is not for this problem.
            DataError: Nor for a value of its examples.
        """
        ...
