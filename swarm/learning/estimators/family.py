"""Family and Estimator: the protocols of model families and of the estimators they create."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from swarm.learning.estimators.hyperparameters import Hyperparameter, Value
from swarm.learning.estimators.objectives import Predictions
from swarm.learning.estimators.table_source import Kind

Params = Mapping[str, Value]
State = dict[str, NDArray[Any]]
"""Everything that an estimator has learnt, as arrays by name."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What an estimator is to learn."""

    kind: Kind
    input_shape: tuple[int, ...]
    """Shape of one example."""
    num_classes: int
    """0 for a regression."""
    needs_probabilities: bool
    is_double: bool = False
    """Whether examples are float64: float32 might make some of them equal."""
    beyond_float32: str = ""
    """A value beyond the range of float32, in words; empty if there is none."""


class Estimator(Protocol):
    """A model that is trained on one set of examples, such as a fold."""

    def train_epoch(self, x: NDArray[Any], y: NDArray[Any], epoch: int) -> float | None:
        """Train for one pass over the examples.

        Args:
            x: Shape (n, *input_shape), float32 or float64.
            y: Shape (n,).
            epoch: Counted from 1; it and the seed alone decide the order of examples.

        Returns:
            Mean training loss; None if the model has none.
        """
        ...

    def predict(self, x: NDArray[Any]) -> Predictions:
        """Predict for examples of shape (n, *input_shape)."""
        ...

    def state(self) -> State | None:
        """Everything learnt, optimizer included; None if it cannot be exported."""
        ...

    def restore(self, state: State) -> None:
        """Continue from a state of the same model.

        Raises:
            LearningError: It is the state of another model.
        """
        ...


class Family(Protocol):
    """A family of estimators: the same kind of model with different hyperparameters.

    Creating a family imports no library; `create` imports the libraries that the model needs.
    """

    @property
    def name(self) -> str:
        """Its name in a study file."""
        ...

    @property
    def hyperparameters(self) -> tuple[Hyperparameter, ...]:
        """The hyperparameters; each has a default."""
        ...

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of problem that it can learn."""
        ...

    @property
    def has_epochs(self) -> bool:
        """Whether it trains in epochs; otherwise it is fitted at once."""
        ...

    def create(self, params: Params, problem: Problem, seed: int) -> Estimator:
        """Create an untrained estimator.

        Args:
            params: Hyperparameters that passed `check_params`.
            problem: What it is to learn.
            seed: In 0..2**32-1; the same seed gives the same estimator.

        Raises:
            ConfigurationError: The family does not fit the problem.
            DataError: The family cannot take a value of the examples.
        """
        ...
