"""Swarm for PyTorch: one line after each step of the optimizer.

    with swarm.torch.Swarm(model, optimizer, "10.0.0.5:7001") as s:
        for x, y in loader:
            ...
            optimizer.step()
            s.step_end(examples=len(x))

All tensors of `state_dict` with a floating type are exchanged, buffers such as BatchNorm's
statistics included. Others, such as `num_batches_tracked`, stay as they are here.
"""

import math
from collections.abc import Sequence
from typing import Self

import numpy as np
import torch

from swarm.core.errors import ConfigurationError
from swarm.learning.progress import Evaluation, Progress
from swarm.peer.federation.own_loop.engine import Period
from swarm.peer.federation.own_loop.joining import PATIENCE_S, Joining
from swarm.peer.federation.own_loop.layers import Array, Layers
from swarm.peer.host.logs import configure_guest_logs

KIND = "torch-loop"
EVERY = 100


class Swarm:
    """Trains a model with the other peers of a swarm, in the user's own loop.

    The model has the swarm's weights from the start. The optimizer keeps its state.
    """

    def __init__(  # noqa: PLR0913 - one keyword for each setting
        self,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        address: str | Sequence[str] | None = None,
        *,
        every: int = EVERY,
        ip: str = "0.0.0.0",  # noqa: S104 - other machines shall join
        port: int = 0,
        name: str = "",
        min_peers: int = 1,
        patience_s: float = PATIENCE_S,
        log_level: str = "warning",
    ) -> None:
        """Join the swarm, or start one, and load its current weights into the model.

        Args:
            model: The model that the loop trains; it stays where it is, also on a GPU.
            optimizer: The optimizer that trains it.
            address: A peer to join, as `ip:port`, or several. Without one, this starts a swarm
                and prints how others join.
            every: Steps between two exchanges of weights.
            ip: Address to listen on.
            port: Port to listen on; 0 takes a free one.
            name: Name of this peer, shown to other peers.
            min_peers: A swarm that this starts waits for this number of peers.
            patience_s: Longest wait for the other peers in one exchange; then training goes on.
            log_level: `debug`, `info`, `warning` or `error`.

        Raises:
            ConfigurationError: A value breaks a rule, or the optimizer trains another model.
            NetworkError: No peer answers at the address.
            ShapeMismatchError: The swarm trains another model.
        """
        configure_guest_logs(log_level)
        if every < 1:
            raise ConfigurationError(f"every must be at least 1, got {every}")
        _check_optimizer(model, optimizer)
        self._model = model
        self._every = every
        self._steps = 0
        self._num_examples = 0
        tensors = self._tensors()
        layers = Layers(list(tensors), [tuple(t.shape) for t in tensors.values()])
        joining = Joining(
            KIND,
            'swarm.torch.Swarm(model, optimizer, "{}")',
            address=address,
            ip=ip,
            port=port,
            name=name,
            min_peers=min_peers,
            patience_s=patience_s,
        )
        self._engine, arrays = joining.join(layers, self._arrays())
        self._load(arrays)

    @property
    def address(self) -> str:
        """`ip:port` at which others join."""
        return self._engine.address

    @property
    def round(self) -> int:
        """Round of the swarm's model from which the loop trains."""
        return self._engine.round

    @property
    def peers(self) -> int:
        """Peers that train, this one included."""
        return self._engine.statistics().num_peers

    @property
    def accuracy(self) -> float | None:
        """Of the model one round before `round`, over all peers that reported it; see `report`."""
        return self._engine.statistics().accuracy

    def step_end(self, examples: int = 1, loss: float | None = None) -> bool:
        """Note a step of the optimizer; exchange weights if it is time.

        Args:
            examples: Examples in the step's batch. A peer's weights count in proportion.
            loss: Training loss, for those who watch the swarm.

        Returns:
            Whether the model has the swarm's new weights now. This is the moment to measure them.

        Raises:
            LearningError: A weight is not finite.
            SwarmError: The peer ended.
        """
        self._steps += 1
        self._num_examples += int(examples)
        loss = None if loss is None else float(loss)
        if self._steps >= self._every:
            return self._exchange(loss)
        self._engine.note_progress(Progress("training", self._steps / self._every, None, loss))
        return False

    def report(self, accuracy: float, examples: int, loss: float = 0.0) -> None:
        """Say how the swarm's new weights did on your test data, before training them further.

        Args:
            accuracy: Share of the test examples that were right, 0 to 1.
            examples: Test examples.
            loss: Mean loss on them.

        Raises:
            ConfigurationError: A value breaks a rule.
        """
        if not 0 <= accuracy <= 1 or examples < 1:
            raise ConfigurationError(
                f"accuracy must be in 0..1 and examples at least 1, got {accuracy} and {examples}"
            )
        finite = float(loss) if math.isfinite(loss) else math.inf
        self._engine.measure(Evaluation(float(accuracy), max(0.0, finite), int(examples)))

    def close(self) -> None:
        """Exchange what is left, and leave the swarm. Closing twice is harmless.

        Raises:
            SwarmError: The peer has ended.
        """
        try:
            if self._steps:
                self._exchange(None)
        finally:
            self._engine.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error_type: type[BaseException] | None, *_: object) -> None:
        if error_type is None:
            self.close()
        else:  # at once: an exchange could wait for others
            self._engine.stop()

    def _exchange(self, loss: float | None) -> bool:
        period = Period(self._num_examples, None, loss)
        self._steps = self._num_examples = 0
        arrays = self._engine.exchange(self._arrays(), period)
        if arrays is not None:
            self._load(arrays)
        return arrays is not None

    def _tensors(self) -> dict[str, torch.Tensor]:
        return {k: t for k, t in self._model.state_dict().items() if t.is_floating_point()}

    def _arrays(self) -> list[Array]:
        # A copy in any case: `numpy` shares memory with a tensor on the CPU.
        return [
            np.array(t.detach().to("cpu", torch.float32).numpy(), copy=True)
            for t in self._tensors().values()
        ]

    def _load(self, arrays: Sequence[Array]) -> None:
        with torch.no_grad():
            for tensor, array in zip(self._tensors().values(), arrays, strict=True):
                tensor.copy_(torch.from_numpy(array))


def _check_optimizer(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    mine = {id(parameter) for parameter in model.parameters()}
    trained = [p for group in optimizer.param_groups for p in group["params"]]
    if not any(id(parameter) in mine for parameter in trained):
        raise ConfigurationError("the optimizer trains no parameter of the model")
