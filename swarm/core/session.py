"""SessionSpec: what a swarm trains and by which rules; immutable, named by its digest."""

from dataclasses import dataclass
from functools import lru_cache

from swarm.core.blobs import BlobRef
from swarm.core.canonical import digest_of
from swarm.core.columns import Column, check_columns
from swarm.core.ids import PeerId, SessionId
from swarm.core.inputs import InputSpec, check_inputs

COHORT_MAX = 256
"""A head lists its cohort and contributors in one message of at most 128 KiB; more do not fit."""
CLASSES_BYTES_MAX = 32 * 1024
"""Bytes of all class names together; the session travels in one message."""
MODELS = ("lenet", "cnn", "mlp", "text")
"""Built-in models."""
_OTHER_MODELS = ("file", "keras-loop", "torch-loop")
TASKS = ("classification", "multi-label", "regression")
_NOBODY = PeerId("")


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """One run of federated training. Two peers train together only if their specs are equal."""

    model: str = "cnn"
    """A built-in name (`lenet`, `cnn`, `mlp`, `text`), `file` (see `model_file`) or
    `module:function`; `keras-loop` or `torch-loop` if peers train in loops of their users' own."""
    model_file: BlobRef | None = None
    """The `.keras` file that describes the model, when `model` is `file`."""
    dataset: str = "cifar10"
    """A built-in name (`cifar10`, `digits`, `synthetic10`), `own` (peers bring their data) or
    `loop` (their users' loops do)."""
    input_shape: tuple[int, ...] = (32, 32, 3)
    """Shape of one example, without the batch axis; () if `inputs` holds the shapes."""
    inputs: tuple[InputSpec, ...] = ()
    """Inputs of a model that takes several, or text; empty for the usual one array of numbers.
    One input is fed as an array, several as a dict by name."""
    task: str = "classification"
    """`classification`; `multi-label`: each example has any number of classes; `regression`."""
    num_classes: int = 10
    """Length of one output: classes, labels, or numbers to predict."""
    classes: tuple[str, ...] = ()
    """Labels as text, in the order of the outputs; empty if the data has labels 0, 1, 2, ..."""
    columns: tuple[Column, ...] = ()
    """How each site encodes its table, and its target; empty if the data is no table."""
    partitioner: str = "iid"
    """How a built-in data set is split among peers, for a demo: `iid` or `dirichlet`."""
    dirichlet_alpha: float = 0.5
    """Concentration of the Dirichlet partitioner; the other one ignores it."""
    examples_per_peer_max: int = 0
    """Most training examples that a peer takes from its part; 0 means all of them."""
    test_examples_per_peer_max: int = 0
    """Most test examples on which a peer evaluates the global model; 0 means all of its part."""
    rounds: int = 10
    early_stop: int = 0
    """Patience: the session ends after this number of rounds without a new best accuracy.
    0 means never."""
    local_epochs: int = 1
    """Passes of a peer over its training examples in each round."""
    local_steps: int = 0
    """Batches of a peer in each round, instead of `local_epochs`; 0 means by `local_epochs`."""
    round_seconds: float = 0.0
    """Most seconds that a peer trains in a round, at least one batch; 0 means no limit. Measuring
    the global model is not counted."""
    batch_size: int = 50
    optimizer: str = "auto"
    """`sgd`, `adam`, or `auto`: the one that the model was compiled with, or else sgd."""
    learning_rate: float = 0.0
    """0 means the rate or schedule that the model was compiled with, or else 0.05 for sgd and
    0.001 for adam."""
    warmup_steps: int = 0
    """First batches of a peer in which its learning rate rises in proportion; 0 means none. A
    model's own optimizer has no warm-up."""
    clip_norm: float = 1.0
    """Longer gradients, over all weights, are shortened to this length; 0 means never. A model's
    own optimizer keeps its own."""
    momentum: float = 0.9
    """Of sgd; a model's own optimizer keeps its own."""
    learning_rate_decay: float = 1.0
    """Factor on the learning rate for each round after the first."""
    cluster_size: int = 3
    """Most members of a cluster in the aggregation tree."""
    min_peers: int = 2
    """Round 1 waits for this number of peers."""
    cohort_max: int = COHORT_MAX
    quorum: float = 0.5
    """Share of a cluster's members that must have contributed when the deadline closes a round."""
    deadline_first_s: float = 180.0
    """Deadline of round 1, in which the duration of training is not known yet."""
    deadline_min_s: float = 5.0
    num_examples_max: int = 1_000_000
    """Most examples that one contribution may claim; they are its weight in the mean."""
    partition_policy: str = "merge"
    """What the sides of a partition do. `merge`: both go on; their work is merged when they meet.
    `majority`: the side without a majority of the last cohort waits."""
    norm_bound: float = 10.0
    """A contribution is rejected if its update is longer than this multiple of the median."""
    seed: int = 0
    starter: PeerId = _NOBODY
    """The peer that may author head 0. The starter fills it in; users never compare it."""

    def __post_init__(self) -> None:
        _check_ranges(self)
        _check_choices(self)
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must be in [0, 1), got {self.momentum}")
        if not 0 < self.quorum <= 1:
            raise ValueError(f"quorum must be in (0, 1], got {self.quorum}")
        if self.cohort_max > COHORT_MAX:
            raise ValueError(f"cohort_max must be at most {COHORT_MAX}, got {self.cohort_max}")
        _check_data(self)
        if (self.model == "file") != (self.model_file is not None):
            raise ValueError("model_file must be given exactly when model is 'file'")

    @property
    def id(self) -> SessionId:
        """Digest of the canonical encoding: equal specs have equal ids."""
        return _session_id(self)


@lru_cache(maxsize=64)
def _session_id(spec: SessionSpec) -> SessionId:
    return SessionId(digest_of(spec))


def _check_ranges(spec: SessionSpec) -> None:
    for name, minimum in _MINIMA.items():
        if not minimum <= getattr(spec, name) < float("inf"):
            raise ValueError(f"{name} must be at least {minimum}, got {getattr(spec, name)}")
    for name in ("dirichlet_alpha", "norm_bound", "learning_rate_decay"):
        if not 0 < getattr(spec, name) < float("inf"):
            raise ValueError(f"{name} must be a positive number, got {getattr(spec, name)}")


def _check_data(spec: SessionSpec) -> None:
    check_inputs(spec.inputs)
    check_columns(spec.columns, spec.input_shape)
    if bool(spec.inputs) == bool(spec.input_shape):
        raise ValueError("a session must have either input_shape or inputs")
    if not all(isinstance(size, int) and size > 0 for size in spec.input_shape):
        raise ValueError(
            f"input_shape must have positive whole numbers as sizes, got {spec.input_shape}"
        )
    if spec.num_classes < 2 and spec.task == "classification":
        raise ValueError(
            f"num_classes must be at least 2 for a classification, got {spec.num_classes}"
        )
    if spec.task != "classification" and spec.partitioner != "iid":
        raise ValueError(f"partitioner {spec.partitioner!r} needs classes, not {spec.task}")
    if not spec.classes:
        return
    if len(spec.classes) != spec.num_classes or len(set(spec.classes)) < spec.num_classes:
        raise ValueError(
            f"classes must be {spec.num_classes} different labels, got {len(spec.classes)}"
        )
    if not all(isinstance(label, str) for label in spec.classes):
        raise ValueError(f"classes must be texts, got {spec.classes!r:.80}")
    size_bytes = sum(len(label.encode()) for label in spec.classes)
    if size_bytes > CLASSES_BYTES_MAX:
        raise ValueError(
            f"classes must have at most {CLASSES_BYTES_MAX} bytes together, got {size_bytes}; "
            "labels 0, 1, 2, ... need no names"
        )


def _check_choices(spec: SessionSpec) -> None:
    for name, choices in _CHOICES.items():
        if getattr(spec, name) not in choices:
            raise ValueError(
                f"{name} must be one of {', '.join(choices)}, got {getattr(spec, name)!r}"
            )
    is_code_or_file = ":" in spec.model or spec.model.endswith(".keras")
    if spec.model not in MODELS + _OTHER_MODELS and not is_code_or_file:
        raise ValueError(
            f"model must be {', '.join(MODELS)}, a .keras file or module:function, "
            f"got {spec.model!r:.80}"
        )


_MINIMA = {
    "learning_rate": 0,
    "num_classes": 1,
    "examples_per_peer_max": 0,
    "test_examples_per_peer_max": 0,
    "rounds": 1,
    "early_stop": 0,
    "local_epochs": 1,
    "local_steps": 0,
    "round_seconds": 0,
    "warmup_steps": 0,
    "clip_norm": 0,
    "batch_size": 1,
    "cluster_size": 2,
    "min_peers": 1,
    "cohort_max": 1,
    "deadline_first_s": 1,
    "deadline_min_s": 1,
    "num_examples_max": 1,
}
_CHOICES = {
    "task": TASKS,
    "partitioner": ("iid", "dirichlet"),
    "optimizer": ("auto", "sgd", "adam"),
    "partition_policy": ("merge", "majority"),
}


def dataset_label(dataset: str) -> str:
    """Name of a data set for display next to its results; a stand-in is always named as one."""
    return _DATASET_LABELS.get(dataset, dataset)


def score_name(task: str) -> str:
    """The word for a session's score in 0..1, which messages call accuracy.

    Classification: the share of examples whose class is predicted. Multi-label: the share of
    labels predicted correctly. Regression: R², and 0 where it is negative.

    Example:
        >>> score_name("regression")
        'R²'
    """
    return _SCORE_NAMES[task]


def is_stand_in(dataset: str) -> bool:
    """Whether the data set is generated and stands in for CIFAR-10."""
    return dataset == "synthetic10"


_SCORE_NAMES = {
    "classification": "accuracy",
    "multi-label": "label accuracy",
    "regression": "R²",
}
_DATASET_LABELS = {
    "cifar10": "CIFAR-10",
    "digits": "digits (8x8)",
    "synthetic10": "synthetic10 (generated stand-in for CIFAR-10)",
    "own": "own data",
    "loop": "own data",
}
