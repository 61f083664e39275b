"""Gates: which contributions are averaged. They bound an attack; they do not end it.

Theory of operation. A peer that combines weights cannot distinguish an attack from unusual data.
It can refuse what would break the average, in three cheap and deterministic steps:
schema_fault    keys, shapes and types must be those of the base, or nothing can be added up;
finite_fault    one infinity or NaN would spread to every peer's weights;
norm_faults     an update much longer than the cluster's median would outweigh all others.
An update within the norm bound may still be harmful: the bound limits how far a round can be moved
by one member. The reason for a rejection names the value and the rule, and is logged.
"""

import statistics
from collections.abc import Mapping

import numpy as np

from swarm.learning.errors import ForeignWeightsError
from swarm.learning.federation.weights_files import Weights

NORM_GATE_MEMBERS_MIN = 3
"""Of two lengths, neither can be called the unusual one."""


def schema_fault(base: Weights, weights: Weights) -> str | None:
    """How keys, shapes or types differ from those of the base; None if they do not."""
    if missing := base.keys() - weights.keys():
        return f"weights must have the keys of the base, {min(missing)} is missing"
    if surplus := weights.keys() - base.keys():
        return f"weights must have the keys of the base, {min(surplus)} is not among them"
    for key, array in weights.items():
        if array.shape != base[key].shape or array.dtype != base[key].dtype:
            return (
                f"{key} must be {base[key].dtype}{base[key].shape}, got {array.dtype}{array.shape}"
            )
    return None


def finite_fault(weights: Weights) -> str | None:
    """Which array, the first one, holds an infinity or a NaN; None if there is none."""
    for key, array in weights.items():
        if not np.isfinite(array).all():
            num_bad = array.size - int(np.isfinite(array).sum())
            return f"weights must be finite, {num_bad} of {array.size} values of {key} are not"
    return None


def require_fit(base: Weights, weights: Weights) -> None:
    """Check that weights fit the base and are finite.

    Raises:
        ForeignWeightsError: They do not; the message names the value and the rule.
    """
    if fault := schema_fault(base, weights) or finite_fault(weights):
        raise ForeignWeightsError(fault)


def update_norm(base: Weights, weights: Weights) -> float:
    """Euclidean norm of weights - base over all arrays, in float64."""
    return float(
        np.sqrt(sum(np.square(weights[k] - base[k], dtype=np.float64).sum() for k in base))
    )


def norm_faults(norms: Mapping[str, float], norm_bound: float) -> dict[str, str]:
    """Reasons, by name, for updates longer than `norm_bound` times the cluster's median.

    With fewer than three members, no update is rejected: there is no majority to say which of two
    lengths is unusual. If the median is zero, there is no scale, and no update is rejected either.

    Example:
        >>> norm_faults({"a": 1.0, "b": 1.2, "c": 90.0}, norm_bound=10.0)
        {'c': 'update norm must be at most 10 times the median 1.2, got 90'}
    """
    median = statistics.median(norms.values()) if norms else 0.0
    if len(norms) < NORM_GATE_MEMBERS_MIN or median == 0:
        return {}
    return {
        name: f"update norm must be at most {norm_bound:g} times the median {median:.4g}, "
        f"got {norm:.4g}"
        for name, norm in norms.items()
        if not norm <= norm_bound * median
    }
