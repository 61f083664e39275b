"""SessionModel: the session's Keras model, with its loss, its optimizer and its weights."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.columns import target_of
from swarm.core.session import SessionSpec, score_name
from swarm.learning.datasets.dataset import Inputs
from swarm.learning.datasets.description import DataDescription
from swarm.learning.federation.optimizers import SessionOptimizer
from swarm.learning.federation.weights_files import Weights, weight_key
from swarm.learning.models import create_model
from swarm.learning.models.compiled import own_metrics, own_optimizer, said_by_loss
from swarm.learning.models.fitting import fixed_rows
from swarm.learning.models.objective import Objective
from swarm.learning.models.outputs import find_outputs
from swarm.learning.models.weights import advice, averaged_weights, put, take

_ACCURACY = ("acc", "accuracy", "binary_accuracy", "categorical_accuracy")
_MEASURED = {*_ACCURACY, "sparse_categorical_accuracy", "mse", "mean_squared_error"}


class SessionModel:
    """A model that is built and compiled once; weights come and go."""

    def __init__(self, spec: SessionSpec, path: str | None, *, allow_code: bool) -> None:
        """Build or load the model and compile it as the session and its maker want.

        Args:
            spec: The session.
            path: The `.keras` file behind model `file`.
            allow_code: See `create_model`.

        Raises:
            ConfigurationError: There is no such model, or it is code and code is not allowed.
            LearningError: It cannot be trained on the session's data.
        """
        data, name = DataDescription.of_session(spec), path or spec.model
        self.keras = model = create_model(
            name, data, seed=spec.seed % 2**32, allow_code=allow_code
        )
        self._averaged = averaged_weights(model)
        outputs = find_outputs(model, data, Path(name).name)
        self.objective = Objective(model, outputs)
        clips = all(str(weight.dtype) == "float32" for weight in model.trainable_weights)
        self.optimizer = SessionOptimizer(spec, own_optimizer(model), clips=clips)
        self.rows = fixed_rows(model, data)
        """Examples in each batch that the model takes; None if any number will do."""
        self.notes = self._notes(spec, Path(path) if path else None)
        """How the session trains a model that was compiled, a line each."""
        self.advice = [*self._contradictions(), *self._standardised(spec), *advice(model)]
        """What the user should know or change, a line each."""
        model.compile(
            optimizer=self.optimizer.keras,
            loss=self.objective.loss,
            metrics=[self.objective.metric()],
            run_eagerly=bool(model.run_eagerly),
            jit_compile=False,  # XLA is slower here than oneDNN, and compiles for seconds
        )
        self.optimizer.build(model)

    def weights(self) -> Weights:
        """Copy the weights that peers average, by key."""
        return {
            weight_key(i, weight.path): take(weight) for i, weight in enumerate(self._averaged)
        }

    def put_weights(self, weights: Weights) -> None:
        """Set the weights that peers average; the caller has checked keys and shapes."""
        for i, weight in enumerate(self._averaged):
            put(weight, weights[weight_key(i, weight.path)])

    def train_batch(self, x: Inputs, y: NDArray[Any]) -> NDArray[np.float64]:
        """Take a gradient step; return the batch's mean score metric and mean loss."""
        self.keras.reset_metrics()  # Keras does it from 3.15 on
        # Faster than fit(), which builds a new data pipeline in every call.
        logs = self.keras.train_on_batch(x, self.objective.targets(y), return_dict=True)
        # An own train_step may measure nothing but the loss.
        return np.array([logs.get("score", 0.0), logs["loss"]], np.float64)

    def reseed_layers(self, rng: np.random.Generator) -> None:
        """Give layers that draw random numbers, such as dropout, new seeds."""
        for variable in self.keras.variables:
            if variable.path.endswith("seed_generator_state"):
                variable.assign(rng.integers(0, 2**31, variable.shape))

    def _notes(self, spec: SessionSpec, path: Path | None) -> list[str]:
        model, notes = self.keras, []
        own = own_optimizer(model)
        if own is not None:
            used = self.optimizer.text
            theirs = SessionOptimizer(SessionSpec(), own).text
            how = "the session uses it" if used == theirs else f"the session uses {used}, as set"
            notes.append(f"the model was compiled with {theirs}: {how}")
        if unmeasured := [m for m in own_metrics(model, path) if m not in _MEASURED]:
            notes.append(
                f"metrics {', '.join(unmeasured)} of the model are not measured: the session "
                f"measures {score_name(spec.task)} and loss"
            )
        if self.rows not in (None, spec.batch_size):
            notes.append(f"the model takes batches of {self.rows}, whatever batch_size says")
        return notes

    def _standardised(self, spec: SessionSpec) -> list[str]:
        """That the model's own loss does not see a table's target in its unit."""
        target = target_of(spec.columns)
        if not self.objective.is_own or target is None or (target.mean, target.scale) == (0, 1):
            return []
        return [
            f"the model's own loss sees {target.name!r} standardised, as (value - "
            f"{target.mean:.4g}) / {target.scale:.4g}: outputs must reach below 0, and losses for "
            "positive numbers only, such as Poisson and percentage errors, do not fit"
        ]

    def _contradictions(self) -> list[str]:
        said, outputs = said_by_loss(self.keras), self.objective.outputs
        if said in (None, outputs.logits) or outputs.task == "regression":
            return []
        return [
            f"the model was compiled with a loss with from_logits={said}, but it gives "
            f"{'logits' if outputs.logits else 'probabilities'}: the session uses "
            f"from_logits={outputs.logits}"
        ]
