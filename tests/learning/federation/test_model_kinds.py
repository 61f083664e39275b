"""Each kind of model really trains a round, or is refused; docs/models.md shows what was found."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from swarm.core.blobs import BlobRef
from swarm.core.errors import SwarmError
from swarm.core.ids import Digest
from swarm.core.inputs import InputSpec
from swarm.core.session import SessionSpec
from swarm.learning.backend import keras
from swarm.learning.data_config import DataConfig
from swarm.learning.datasets import DataDescription, Dataset
from swarm.learning.datasets.dataset import ArrayExamples, SeveralExamples, Split
from swarm.learning.federation import jobs, learner
from swarm.learning.federation.learner import Learner
from swarm.learning.models import load_file
from tests.harness.support_table import check
from tests.learning.federation.own_layers import (
    Doubling,
    Elsewhere,
    OwnLoss,
    Scripted,
    Subclass,
    own_loss,
)

pytestmark = [
    pytest.mark.slow,
    # Keras 3.15 converts TensorFlow's variables in a way that numpy 2 warns about.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built"),
    # Keras, of a metric under mixed precision
    pytest.mark.filterwarnings("ignore:.*casting.*:UserWarning"),
]

PAGE = Path(__file__).parents[3] / "docs" / "models.md"
OWN = "tests.learning.federation.own_layers"
ROWS = 96
L, S = keras.layers, keras.optimizers.schedules
_RNG = np.random.default_rng(0)
_X = _RNG.normal(size=(ROWS, 6)).astype(np.float32)
_SUMS = np.stack([_X[:, :2].sum(1), _X[:, 2:4].sum(1), _X[:, 4:].sum(1)], axis=1)
_STEPS = _RNG.normal(size=(ROWS, 5, 2)).astype(np.float32)
_TEXTS = np.array([f"w{k % 3} filler w{k % 3}" for k in range(ROWS)], object)


@dataclass(frozen=True, eq=False)
class Data:
    """Tiny data of one kind."""

    x: NDArray[Any] | dict[str, NDArray[Any]]
    y: NDArray[Any]
    description: DataDescription


CLASSES = Data(_X, _SUMS.argmax(1), DataDescription((6,), 3))
THREE = Data(_X[:, :3], CLASSES.y, DataDescription((3,), 3))
TWO = Data(_X, (_SUMS[:, 0] > 0).astype(np.int64), DataDescription((6,), 2))
LABELS = Data(_X, (_SUMS > 0).astype(np.float32), DataDescription((6,), 3, "multi-label"))
NUMBERS = Data(_X, _SUMS[:, :1], DataDescription((6,), 1, "regression"))
STEPS = Data(_STEPS, (_STEPS[:, :, 0].sum(1) > 0).astype(np.int64), DataDescription((5, 2), 2))
TEXTS = Data(
    _TEXTS, np.arange(ROWS) % 3, DataDescription((), 3, inputs=(InputSpec("text", (), "string"),))
)
PAIR = Data(
    {"left": _X[:, :3], "right": _X[:, 3:]},
    CLASSES.y,
    DataDescription((), 3, inputs=(InputSpec("left", (3,)), InputSpec("right", (3,)))),
)


@dataclass(frozen=True, eq=False)
class Case:
    """A model, and what becomes of it."""

    kind: str
    build: Callable[[], Any] | str
    """Makes a model that is saved; or the name of one."""
    data: Data = CLASSES
    allow: bool = False
    trains: bool = True


def dense(*layers: Any, top: Any = None, shape: tuple[int, ...] = (6,)) -> Callable[[], Any]:
    """A small model with given layers before its last one."""
    return lambda: keras.Sequential(
        [
            keras.Input(shape),
            *layers,
            L.Dense(8, "relu", name="small"),
            top or L.Dense(3, "softmax"),
        ]
    )


def compiled(optimizer: Any, loss: Any, top: Any = None, **options: Any) -> Callable[[], Any]:
    """A small model that its maker compiled."""

    def build() -> Any:
        model = dense(top=top)()
        model.compile(optimizer, loss, **options)
        return model

    return build


def functional(head: Callable[[Any], Any], shape: tuple[int, ...] = (6,)) -> Callable[[], Any]:
    """A model with a graph that ends as `head` says."""

    def build() -> Any:
        inputs = keras.Input(shape)
        return keras.Model(inputs, head(L.Dense(8, "relu")(inputs)))

    return build


def pair() -> Any:
    left, right = keras.Input((3,), name="left"), keras.Input((3,), name="right")
    return keras.Model([left, right], L.Dense(3)(L.Concatenate()([left, right])))


def tied() -> Any:
    inputs, shared = keras.Input((6,)), L.Dense(6, "relu")
    return keras.Model(inputs, L.Dense(3)(shared(shared(inputs))))


def frozen() -> Any:
    return dense(L.Dense(6, "relu", trainable=False))()


def normalised() -> Any:
    layer = L.Normalization()
    layer.adapt(_X)
    return dense(layer)()


def texts() -> Any:
    words = L.TextVectorization(vocabulary=["w0", "w1", "w2"], output_sequence_length=3)
    return keras.Sequential(
        [
            keras.Input((), dtype="string", name="text"),
            words,
            L.Embedding(8, 4),
            L.GlobalAveragePooling1D(),
            L.Dense(3),
        ]
    )


def fixed() -> Any:
    inputs = keras.Input(batch_shape=(8, 6))
    return keras.Model(inputs, L.Dense(3)(keras.ops.reshape(inputs, (8, 6))))


def in_type(dtype: str, top: Any) -> Callable[[], Any]:
    return lambda: keras.Sequential([keras.Input((6,)), L.Dense(8, "relu", dtype=dtype), top])


def subclass() -> Any:
    model = Subclass()
    model(_X[:2])
    return model


def dense_without_weights() -> Any:
    return keras.Sequential([keras.Input((3,)), L.Softmax()])


def empty() -> Any:
    return keras.Sequential([L.Dense(3)])


_SPARSE = "sparse_categorical_crossentropy"
CASES = (
    Case("`lenet`, `cnn`, `mlp`", "mlp"),
    Case("a `.keras` file or a `keras.Model` that ends in logits", dense(top=L.Dense(3))),
    Case("... in a softmax activation", dense()),
    Case("... in a `Softmax` layer", functional(lambda h: L.Softmax()(L.Dense(3)(h)))),
    Case("... in `keras.ops.softmax`", functional(lambda h: keras.ops.softmax(L.Dense(3)(h)))),
    Case(
        "... in a nested model with a softmax",
        functional(
            lambda h: keras.Sequential([keras.Input((8,)), L.Dense(3, "softmax")])(h)  # noqa: PLW0108
        ),
    ),
    Case("... in one sigmoid, for two classes", dense(top=L.Dense(1, "sigmoid")), TWO),
    Case("... in one logit, for two classes", dense(top=L.Dense(1)), TWO),
    Case(
        "... in something that may be either",
        functional(lambda h: L.Dense(3)(h) * 0 + 0.5),
        trains=False,
    ),
    Case("several labels for each example", dense(top=L.Dense(3, "sigmoid")), LABELS),
    Case("numbers to predict", dense(top=L.Dense(1)), NUMBERS),
    Case("several inputs, by name", pair, PAIR),
    Case("a sequence into an LSTM", dense(L.LSTM(4), top=L.Dense(2), shape=(5, 2)), STEPS),
    Case("text into a `TextVectorization` layer", texts, TEXTS),
    Case("a fixed number of rows in each batch", fixed),
    Case("compiled with Adam", compiled(keras.optimizers.Adam(0.01), _SPARSE)),
    Case(
        "compiled with a schedule",
        compiled(keras.optimizers.SGD(S.CosineDecay(0.3, 100)), _SPARSE),
    ),
    Case(
        "compiled with a loss for one-hot labels",
        compiled("adam", keras.losses.CategoricalCrossentropy(label_smoothing=0.1)),
    ),
    Case("compiled with the wrong `from_logits`", compiled("adam", _SPARSE, L.Dense(3))),
    Case(
        "compiled with own metrics",
        compiled("adam", _SPARSE, metrics=["accuracy", keras.metrics.AUC(name="auc")]),
    ),
    Case(
        "compiled with an own loss, a class of a module that peers have",
        compiled("adam", OwnLoss(), L.Dense(3)),
        allow=True,
    ),
    Case(
        "... and peers without `--allow-model`",
        compiled("adam", OwnLoss(), L.Dense(3)),
        trains=False,
    ),
    Case(
        "compiled with a function as an own loss",
        compiled("adam", own_loss, L.Dense(3)),
        allow=True,
        trains=False,
    ),
    Case("`BatchNormalization`", dense(L.BatchNormalization(name="norm"))),
    Case("`Dropout`", dense(L.Dropout(0.1))),
    Case("frozen layers", frozen),
    Case("one layer used twice", tied),
    Case("integer state (`Normalization`, lookup tables, seeds)", normalised),
    Case("mixed precision", in_type("mixed_bfloat16", L.Dense(3, "softmax", dtype="float32"))),
    Case("weights in float64", in_type("float64", L.Dense(3))),
    Case("weights in float16", in_type("float16", L.Dense(3))),
    Case("a `Lambda` layer", dense(L.Lambda(lambda v: v * 2.0)), allow=True),
    Case(
        "... and peers without `--allow-model`", dense(L.Lambda(lambda v: v * 2.0)), trains=False
    ),
    Case("own layers of a module that peers have", dense(Doubling()), allow=True),
    Case("... and peers without `--allow-model`", dense(Doubling()), trains=False),
    Case("... and peers without the module", dense(Elsewhere()), allow=True, trains=False),
    Case("own layers of the script itself", dense(Scripted()), allow=True, trains=False),
    Case("a subclass of `keras.Model`, called once", subclass, allow=True),
    Case("`module:function`", f"{OWN}:unbuilt", allow=True),
    Case("... and peers without `--allow-model`", f"{OWN}:unbuilt", trains=False),
    Case("a model without weights yet", empty, trains=False),
    Case("... without trainable weights", dense_without_weights, THREE, trains=False),
    Case("... of the wrong number of outputs", dense(top=L.Dense(5)), trains=False),
    Case("... of the wrong input shape", dense(shape=(7,)), trains=False),
    Case(
        "... with two outputs", functional(lambda h: [L.Dense(3)(h), L.Dense(3)(h)]), trains=False
    ),
)


_OUTCOMES: dict[Case, str] = {}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
def test_a_kind_of_model_trains_or_is_refused(
    case: Case, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert _outcome(case, tmp_path_factory).startswith("It trains" if case.trains else "Refused")


def test_the_page_says_what_happens(tmp_path_factory: pytest.TempPathFactory) -> None:
    rows = [[case.kind, _outcome(case, tmp_path_factory)] for case in CASES]

    check(PAGE, [["model", "what happens"], *rows])


def _outcome(case: Case, folders: pytest.TempPathFactory) -> str:
    """What happens to a case, in the words of the page; it is tried once."""
    if case not in _OUTCOMES:
        _OUTCOMES[case] = _tried(case, folders)
    return _OUTCOMES[case]


def _tried(case: Case, folders: pytest.TempPathFactory) -> str:
    folder = folders.mktemp("kind")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(learner, "load_dataset", lambda *_: _dataset(case.data))
        try:
            made = Learner(_job(case, folder))
        except SwarmError as error:
            return f"Refused: {error}".replace(f"{folder}/", "")
        _train(made, case, folder)
    said = [
        f"{line[0].upper()}{line[1:]}."
        for line in (*made.initialised.notes, *made.initialised.advice)
    ]
    return " ".join(["It trains.", *said])


def _job(case: Case, folder: Path) -> jobs.Initialise:
    path = None if isinstance(case.build, str) else folder / "model.keras"
    spec = SessionSpec(
        model=case.build if isinstance(case.build, str) else "file",
        model_file=None if path is None else BlobRef(Digest("0" * 64), 1),
        dataset="own",
        batch_size=10,
        local_epochs=4,
        seed=1,
        **case.data.description.spec_fields,
    )
    if path is not None and not isinstance(case.build, str):
        keras.utils.set_random_seed(1)
        case.build().save(path)
    data = DataConfig("own", data_path="unused.npz")
    return jobs.Initialise(spec, data, case.allow, str(path) if path is not None else None)


def _train(made: Learner, case: Case, folder: Path) -> None:
    """Train a round; the loss falls, and the exported model gives what was measured."""
    base = made.create_weights(jobs.CreateWeights(str(folder))).path
    trained = made.train(jobs.Train(base, 1, str(folder)), lambda: True)
    measured = made.evaluate_weights(jobs.EvaluateWeights(trained.path))
    made.export(jobs.Export(trained.path, str(folder / "trained.keras")))

    assert measured.loss < trained.evaluation.loss
    assert 0 <= trained.train_accuracy <= 1
    model = load_file(folder / "trained.keras", allow_code=case.allow)
    for ours, theirs in zip(made._model.keras.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def _dataset(data: Data) -> Dataset:
    examples = SeveralExamples(data.x) if isinstance(data.x, dict) else ArrayExamples(data.x)
    split = Split(examples, data.y)
    return Dataset("own", False, data.description, split, split)
