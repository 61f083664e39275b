"""check_pipeline(): whether objects from a model file fit together, before they answer.

scikit-learn's Python parts raise errors for wrong arrays, which are caught. Its C parts believe
what they get, so everything that they read is checked here.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from swarm.core.columns import CATEGORY
from swarm.core.errors import DataError
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble.keras_estimator import KerasEstimator
from swarm.learning.ensemble.row_encoder import RowEncoder
from swarm.learning.ensemble.row_tables import features_of
from swarm.learning.ensemble.tree_sum import TreeSum

FEATURES_MAX = 1 << 24
_KERNELS = ("linear", "poly", "rbf", "sigmoid")


def check_pipeline(pipeline: Any, spec: EnsembleSpec, *, own: str = "") -> None:
    """Check what a model file held.

    Args:
        pipeline: The object.
        spec: The ensemble that it is to answer for.
        own: Type of the user's own estimator that may be in it.

    Raises:
        DataError: It is no pipeline of ours, or its parts do not fit together or the spec.
    """
    if not isinstance(pipeline, Pipeline) or not isinstance(pipeline.steps, list):
        raise DataError("the model file must hold a pipeline")
    steps = [step[1] for step in pipeline.steps if isinstance(step, tuple) and len(step) == 2]
    if len(steps) != 2 or len(pipeline.steps) != 2 or not isinstance(steps[0], RowEncoder):
        raise DataError("the pipeline must have two steps: an encoder of rows, and a model")
    check_plain(steps[0])
    num_features = _check_encoder(steps[0], spec)
    estimator = steps[1]
    name = type(estimator).__name__
    if f"{type(estimator).__module__}.{name}" == own:
        return
    if isinstance(estimator, KerasEstimator):
        check_plain(estimator)
        estimator.check(num_features, len(spec.classes))
    else:
        _check_estimator(estimator, num_features)


def check_plain(estimator: Any) -> None:
    """Check that no attribute from the file stands in front of a method or a class's setting.

    Raises:
        DataError: One does, such as the kind of a machine, by which C code reads its arrays.
    """
    for name in vars(estimator):
        if hasattr(type(estimator), name):
            raise DataError(
                f"attribute {name!r:.60} of a {type(estimator).__name__} is not its own"
            )


def _check_estimator(estimator: Any, num_features: int) -> None:
    check_plain(estimator)
    check = _CHECKS.get(type(estimator).__name__)
    if check is None:
        raise DataError(f"a {type(estimator).__name__} is no model")
    check(estimator, num_features)


def _check_encoder(encoder: RowEncoder, spec: EnsembleSpec) -> int:
    """Check the encoder; return its number of features."""
    columns = features_of(spec)
    texts = [column.name for column in columns if column.kind == CATEGORY]
    numbers = [column.name for column in columns if column.kind != CATEGORY]
    width = int(np.prod(spec.input_shape, dtype=object)) if not columns else len(numbers)
    if getattr(encoder, "names_", None) != [*numbers, *texts]:
        raise DataError("the model is for other columns than the ensemble's")
    categories = encoder.categories_
    if not isinstance(categories, list) or len(categories) != len(texts):
        raise DataError("the model must know the categories of each column of texts")
    for known in categories:
        if not isinstance(known, list) or not all(isinstance(text, str) for text in known):
            raise DataError("categories must be texts")
    _floats(encoder.medians_, (width,), "medians")
    gaps = encoder.gaps_
    if (
        not isinstance(gaps, np.ndarray)
        or gaps.dtype.kind != "i"
        or gaps.ndim != 1
        or ((gaps < 0) | (gaps >= width)).any()
        or len(gaps) > width
    ):
        raise DataError("columns with gaps must be columns of numbers")
    total = encoder.num_features
    if not 1 <= total <= FEATURES_MAX:
        raise DataError(f"the model has {total:,} features")
    if not isinstance(encoder.reach_, float) or not isinstance(encoder.scale, bool):
        raise DataError("the model must say how far its rows reach")
    _floats(encoder.means_, (total,), "means")
    if not (_floats(encoder.scales_, (total,), "scales") > 0).all():
        raise DataError("scales must be positive")
    return total


def _floats(array: Any, shape: tuple[int, ...], called: str) -> NDArray[np.float64]:
    if not isinstance(array, np.ndarray) or array.dtype != np.float64 or array.shape != shape:
        raise DataError(f"{called} must be float64 of shape {shape}")
    if not np.isfinite(array).all():
        raise DataError(f"{called} must be finite")
    return array


def _integers(array: Any, size: int, below: int, called: str) -> None:
    if not isinstance(array, np.ndarray) or array.dtype.kind != "i" or array.shape != (size,):
        raise DataError(f"{called} must be {size} whole numbers")
    if ((array < 0) | (array >= below)).any():
        raise DataError(f"{called} must be in [0, {below})")


def _check_trees(trees: TreeSum, num_features: int) -> None:
    trees.check(num_features)


def _check_coefficients(model: Any, num_features: int) -> None:
    coefficients = model.coef_
    if not isinstance(coefficients, np.ndarray) or coefficients.shape[-1:] != (num_features,):
        raise DataError(f"coefficients must be for {num_features} features")
    if not np.isfinite(coefficients).all():
        raise DataError("coefficients must be finite")


def _check_neighbours(model: Any, num_features: int) -> None:
    rows = model._fit_X
    if not isinstance(rows, np.ndarray) or rows.ndim != 2 or not len(rows):
        raise DataError("neighbours must be rows")
    _floats(rows, (len(rows), num_features), "neighbours")
    if not rows.flags.c_contiguous:
        raise DataError("neighbours must be stored by rows")
    settings = (model._fit_method, model.effective_metric_, model.metric, model.weights)
    if settings[:3] != ("brute", "euclidean", "minkowski") or settings[3] not in (
        "uniform",
        "distance",
    ):
        raise DataError("neighbours must be searched by Euclidean distance, one by one")
    if model.effective_metric_params_ != {} or model.metric_params is not None:
        raise DataError("distances of neighbours must have no parameters")
    if type(model.n_neighbors) is not int or not 1 <= model.n_neighbors <= len(rows):
        raise DataError(f"n_neighbors must be in [1, {len(rows)}]")
    if hasattr(model, "classes_"):
        _integers(model._y, len(rows), len(model.classes_), "classes of neighbours")
    else:
        _floats(model._y, (len(rows),), "targets of neighbours")


def _check_machine(model: Any, num_features: int) -> None:
    """Check everything that libsvm reads."""
    vectors = model.support_vectors_
    if not isinstance(vectors, np.ndarray) or vectors.ndim != 2:
        raise DataError("support vectors must be rows")
    count = len(vectors)
    _floats(vectors, (count, num_features), "support vectors")
    is_classifier = hasattr(model, "classes_")
    num_classes = len(model.classes_) if is_classifier else 2
    pairs = num_classes * (num_classes - 1) // 2
    counts = model._n_support
    _integers(counts, num_classes, count + 1, "numbers of support vectors")
    if is_classifier and int(counts.sum()) != count:
        raise DataError(f"numbers of support vectors must sum to {count}")
    if not is_classifier and int(counts[0]) != count:
        raise DataError(f"the number of support vectors must be {count}")
    for name in ("dual_coef_", "_dual_coef_"):
        _floats(getattr(model, name), (num_classes - 1, count), "dual coefficients")
    for name in ("intercept_", "_intercept_"):
        _floats(getattr(model, name), (pairs,), "intercepts")
    for name in ("_probA", "_probB"):
        array = getattr(model, name)
        if not isinstance(array, np.ndarray) or array.shape not in ((0,), (pairs,)):
            raise DataError("probabilities of a machine must fit its classes")
    if model.kernel not in _KERNELS or model._sparse is not False or model.fit_status_ != 0:
        raise DataError("a machine must have a kernel of libsvm and dense vectors")
    _integers(model.support_, count, 1 << 31, "support vectors' numbers")


def _check_calibrated(model: Any, num_features: int) -> None:
    parts = model.calibrated_classifiers_
    if not isinstance(parts, list) or len(parts) != 1:
        raise DataError("a calibrated model must have one part")
    if type(parts[0].estimator).__name__ != "SVC":
        raise DataError("only a support vector machine is calibrated")
    check_plain(parts[0].estimator)
    _check_machine(parts[0].estimator, num_features)


def _check_network(model: Any, num_features: int) -> None:
    layers = model.coefs_
    if not isinstance(layers, list) or not layers or not isinstance(layers[0], np.ndarray):
        raise DataError("a network must have layers")
    if layers[0].shape[:1] != (num_features,):
        raise DataError(f"the network's first layer must take {num_features} features")


def _check_scaled_target(model: Any, num_features: int) -> None:
    scaler = model.transformer_
    if type(scaler).__name__ != "StandardScaler":
        raise DataError("the target of a model must be scaled by a StandardScaler")
    for name in ("mean_", "scale_"):
        _floats(getattr(scaler, name), (1,), f"the target's {name}")
    if isinstance(model.regressor_, type(model)):
        raise DataError("the target of a model must be scaled once")
    _check_estimator(model.regressor_, num_features)


def _check_constant(model: Any, num_features: int) -> None:
    if not hasattr(model, "n_outputs_") or model.n_outputs_ != 1:
        raise DataError("a constant model must have one output")


_CHECKS: dict[str, Callable[[Any, int], None]] = {
    "TreeSum": _check_trees,
    "LinearRegression": _check_coefficients,
    "Ridge": _check_coefficients,
    "LogisticRegression": _check_coefficients,
    "KNeighborsClassifier": _check_neighbours,
    "KNeighborsRegressor": _check_neighbours,
    "SVC": _check_machine,
    "SVR": _check_machine,
    "CalibratedClassifierCV": _check_calibrated,
    "MLPClassifier": _check_network,
    "MLPRegressor": _check_network,
    "TransformedTargetRegressor": _check_scaled_target,
    "DummyClassifier": _check_constant,
    "DummyRegressor": _check_constant,
}
