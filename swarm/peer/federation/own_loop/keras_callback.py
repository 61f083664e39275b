"""Swarm for Keras: `model.fit(x, y, epochs=20, callbacks=[swarm.Swarm("10.0.0.5:7001")])`.

Weights are exchanged at the end of each epoch, before its validation. So `val_accuracy`, and the
callbacks that follow in the list, see the averaged weights. Or they are exchanged every n batches.

Keras tells callbacks what it does, but not all that is needed here:
- how many examples a batch has. The metric "loss" counts them; `fit` resets it for each epoch;
- that Ctrl-C or an error ended `fit`. `RunningCall` watches whether `fit` still runs.

`fit` runs `on_train_batch_end` in another thread, beside the next batch, if all callbacks have
`async_safe`. Once per epoch this one needs it for the progress only, so it costs `fit` no time.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from swarm.core.errors import ConfigurationError
from swarm.learning.progress import Evaluation, Progress
from swarm.peer.federation.own_loop.engine import Engine, Period
from swarm.peer.federation.own_loop.joining import PATIENCE_S, Joining
from swarm.peer.federation.own_loop.layers import Array, Layers
from swarm.peer.federation.own_loop.running_call import RunningCall, calling_frame
from swarm.peer.host.logs import configure_guest_logs

KIND = "keras-loop"
Logs = dict[str, Any]
_MACHINERY = ("keras.src.callbacks", __name__)
_FLOATS = ("float32", "float16", "bfloat16", "float64")
_SCORES = ("accuracy", "acc", "r2_score")
"""Metrics in 0..1 of which a name may consist, or in which it may end after `_`."""


class Swarm(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """Trains with the other peers of a swarm: `fit` goes on as before, on averaged weights.

    The optimizer keeps its state. Put callbacks that read weights or logs after this one. The
    logs of an epoch gain:

    swarm_round     round of the model that the epoch ended with
    swarm_peers     peers that train, this one included
    swarm_accuracy  of the model of the round before: the mean over all peers that measured it on
                    their validation data; NaN while none did. `val_accuracy` is of the new model
    """

    def __init__(  # noqa: PLR0913 - one keyword for each setting
        self,
        address: str | Sequence[str] | None = None,
        *,
        every: int | None = None,
        ip: str = "0.0.0.0",  # noqa: S104 - other machines shall join
        port: int = 0,
        name: str = "",
        min_peers: int = 1,
        batch_size: int | None = None,
        patience_s: float = PATIENCE_S,
        log_level: str = "warning",
    ) -> None:
        """Make a callback; `fit` joins the swarm with it, and leaves at its end.

        Args:
            address: A peer to join, as `ip:port`, or several. Without one, `fit` starts a swarm
                and prints how others join.
            every: Batches between two exchanges of weights; None exchanges once per epoch.
            ip: Address to listen on.
            port: Port to listen on; 0 takes a free one.
            name: Name of this peer, shown to other peers.
            min_peers: A swarm that `fit` starts waits for this number of peers.
            batch_size: Examples in a batch. Needed only for a model with a `train_step` of its
                own: Keras does not count its examples.
            patience_s: Longest wait for the other peers in one exchange; then training goes on.
            log_level: `debug`, `info`, `warning` or `error`.

        Raises:
            ConfigurationError: A value breaks a rule.
        """
        super().__init__()
        for setting, value in (("every", every), ("batch_size", batch_size)):
            if value is not None and value < 1:
                raise ConfigurationError(f"{setting} must be at least 1, got {value}")
        if every is not None and keras.backend.backend() == "jax":
            raise ConfigurationError(
                "every=n needs TensorFlow or PyTorch: on JAX, a callback can change weights only "
                "at the end of an epoch"
            )
        self._joining = Joining(
            KIND,
            'callbacks=[swarm.Swarm("{}")]',
            address=address,
            ip=ip,
            port=port,
            name=name,
            min_peers=min_peers,
            patience_s=patience_s,
        )
        self.async_safe = every is None and batch_size is None
        self._every = every
        self._log_level = log_level
        self._counter = _Counter(batch_size)
        self._engine: Engine | None = None
        self._call: RunningCall | None = None
        """The running `fit`, until the engine has it."""
        self._due = 0
        """Batches since the last exchange."""
        self._fresh = False
        """Whether the model's weights are those of the last exchange."""

    @property
    def address(self) -> str:
        """`ip:port` at which others join; empty while `fit` does not run."""
        return self._engine.address if self._engine is not None else ""

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Join the swarm, or start one, and load its current model.

        Raises:
            ConfigurationError: The swarm, or this model, cannot be trained in this way.
            NetworkError: No peer answers at the address.
            ShapeMismatchError: The swarm trains another model.
        """
        configure_guest_logs(self._log_level)
        self._leave()  # after a `fit` that was interrupted
        self._counter.watch(self.model)
        self._call = RunningCall(calling_frame(_MACHINERY))
        self._due = 0
        if self._variables():
            self._join()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Begin to count."""
        self._counter.begin_epoch()

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Join now, if the first batch had to build the model."""
        self._fresh = False
        if self._engine is None and self._variables():
            self._join()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Exchange weights, if it is time."""
        num_batches = self._counter.note_batch(batch)
        if self._every is None:
            steps = self.params.get("steps")
            self._note_progress((batch + 1) / steps if steps else 0.0, logs or {})
            return
        self._due += num_batches
        self._note_progress(self._due / self._every, logs or {})
        if self._engine is not None and self._due >= self._every:
            self._exchange(logs or {})

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Exchange weights at the end of an epoch, before they are validated."""
        self._end_epoch({})

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Count."""
        self._counter.note_test_batch(batch)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Note how the new weights did on this peer's validation data."""
        score = _score(logs or {})
        if self._engine is not None and self._fresh and score is not None:
            loss = float((logs or {}).get("loss", 0.0))
            loss = max(0.0, loss) if math.isfinite(loss) else math.inf
            self._engine.measure(Evaluation(score, loss, self._counter.num_tested()))

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Exchange weights, unless validation did; add the swarm to the logs."""
        self._end_epoch(logs or {})
        if self._engine is not None and logs is not None:
            known = self._engine.statistics()
            logs["swarm_round"] = self._engine.round
            logs["swarm_peers"] = known.num_peers
            if known.accuracy is not None:  # EarlyStopping never finds a number better than NaN
                logs["swarm_accuracy"] = known.accuracy

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Exchange what is left, and leave the swarm; the model keeps the newest weights."""
        if self._due and self._engine is not None:
            self._exchange(logs or {})
        self._leave()

    def _join(self) -> None:
        variables, call, self._call = self._variables(), self._call, None
        layers = Layers([v.path for v in variables], [tuple(v.shape) for v in variables])
        self._engine, arrays = self._joining.join(layers, self._arrays(), call)
        self._load(arrays)

    def _end_epoch(self, logs: Logs) -> None:
        """Once in each epoch: at its validation if there is one, otherwise at its end."""
        if self._engine is None and self._call is not None:
            self._join()  # the epoch had one batch only, which built the model
        if self._counter.end_epoch() and self._every is None:
            self._exchange(logs)

    def _exchange(self, logs: Logs) -> None:
        assert self._engine is not None  # noqa: S101 (`fit` runs, and the model is built)
        score = _score(logs)
        period = Period(self._counter.take(), score, logs.get("loss"))
        arrays = self._engine.exchange(self._arrays(), period)
        self._due = 0
        if arrays is not None:
            self._load(arrays)
            self._fresh = True

    def _leave(self) -> None:
        engine, self._engine, self._call = self._engine, None, None
        if engine is not None:
            engine.stop()
            self._joining.note_left(engine)

    def _note_progress(self, fraction: float, logs: Logs) -> None:
        if self._engine is not None:
            accuracy = _score(logs)
            self._engine.note_progress(
                Progress("training", min(1.0, fraction), accuracy, logs.get("loss"))
            )

    def _variables(self) -> list[Any]:
        return [v for v in self.model.weights if str(v.dtype) in _FLOATS]

    def _arrays(self) -> list[Array]:
        return [np.array(v.numpy(), np.float32, copy=True) for v in self._variables()]

    def _load(self, arrays: Sequence[Array]) -> None:
        for variable, array in zip(self._variables(), arrays, strict=True):
            variable.assign(array)


class _Counter:
    """Counts the examples of a `fit`."""

    def __init__(self, batch_size: int | None) -> None:
        self._batch_size = batch_size
        self._tracker: Any = None
        self._pending = 0
        """Examples since `take`, without those of `_tracker` since `_counted`."""
        self._counted = 0
        self._batches = 0
        self._test_batches = 0
        self._in_epoch = False

    def watch(self, model: Any) -> None:
        """Begin with a model.

        Raises:
            ConfigurationError: Keras does not count its examples.
        """
        self._pending, self._in_epoch = 0, False
        if self._batch_size is None:
            has_own_step = not type(model).train_step.__module__.startswith("keras.")
            self._tracker = next((m for m in model.metrics if m.name == "loss"), None)
            if has_own_step or self._tracker is None:
                raise ConfigurationError(
                    "Keras does not count the examples of a model with a train_step of its own: "
                    "say how many a batch has, as in swarm.Swarm(batch_size=32)"
                )

    def begin_epoch(self) -> None:
        """Begin an epoch."""
        self._counted, self._batches, self._in_epoch = 0, 0, True

    def note_batch(self, batch: int) -> int:
        """Note the last batch that is done; return how many are since the one before."""
        num_new = batch + 1 - self._batches
        self._batches = batch + 1
        return num_new

    def note_test_batch(self, batch: int) -> None:
        """Note the last batch of validation that is done."""
        self._test_batches = batch + 1

    def end_epoch(self) -> bool:
        """Count the rest of an epoch; return False if that is done already."""
        if not self._in_epoch:
            return False
        self._count()
        self._in_epoch = False
        return True

    def take(self) -> int:
        """Examples since this was called last."""
        if self._in_epoch:
            self._count()
        taken, self._pending = self._pending, 0
        return taken

    def num_tested(self) -> int:
        """Examples of the validation that has just ended."""
        return max(1, self._seen(self._test_batches))

    def _count(self) -> None:
        seen = self._seen(self._batches)
        self._pending += seen - self._counted
        self._counted = seen

    def _seen(self, num_batches: int) -> int:
        if self._batch_size is not None:
            return num_batches * self._batch_size
        return int(self._tracker.count.numpy())


def _score(logs: Logs) -> float | None:
    """The accuracy, or R² floored at 0, among Keras' logs."""
    for name, value in logs.items():
        if name in _SCORES or name.endswith(tuple(f"_{score}" for score in _SCORES)):
            return min(1.0, max(0.0, float(value)))
    return None
