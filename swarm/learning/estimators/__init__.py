"""Families of models to try, by name; one short file each behind `family.Family`.

knn, dtree, logreg, forest, svm, mlp   from scikit-learn
keras-lenet, keras-cnn, keras-mlp      our Keras models; they hand over checkpoints
module:function                        a function of the user's own that builds a Keras model
"""

from collections.abc import Mapping

from swarm.core.errors import ConfigurationError
from swarm.learning.estimators.dtree import DecisionTree
from swarm.learning.estimators.family import Family
from swarm.learning.estimators.forest import Forest
from swarm.learning.estimators.hyperparameters import check_params
from swarm.learning.estimators.keras_family import KerasFamily
from swarm.learning.estimators.knn import Knn
from swarm.learning.estimators.logreg import LogisticRegression
from swarm.learning.estimators.mlp import MultilayerPerceptron
from swarm.learning.estimators.svm import SupportVectorMachine

__all__ = ["FAMILIES", "check_params_of", "find_family", "is_code"]

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Knn(),
        DecisionTree(),
        LogisticRegression(),
        Forest(),
        SupportVectorMachine(),
        MultilayerPerceptron(),
        KerasFamily("keras-lenet", "lenet"),
        KerasFamily("keras-cnn", "cnn"),
        KerasFamily("keras-mlp", "mlp"),
    )
}


def find_family(name: str) -> Family:
    """The family of this name; whether code may run is not asked here.

    Raises:
        ConfigurationError: There is none.
    """
    if is_code(name):
        return KerasFamily(name, name)
    if name not in FAMILIES:
        raise ConfigurationError(
            f"model must be one of {', '.join(FAMILIES)}, or module:function, got {name!r}"
        )
    return FAMILIES[name]


def is_code(name: str) -> bool:
    """Whether a model is a function of the user's own, as in "mine.models:build"."""
    return ":" in name


def check_params_of(name: str, params: Mapping[str, object]) -> None:
    """Require that a model has these hyperparameters, and that they can have these values.

    What a function of the user's own takes beside those of training is its own affair.

    Raises:
        ConfigurationError: One breaks a rule; it is named.
    """
    declared = find_family(name).hyperparameters
    if is_code(name):
        known = {hyperparameter.name for hyperparameter in declared}
        params = {key: value for key, value in params.items() if key in known}
    check_params(name, declared, params)
