"""Families of estimators by name: models to try in a search or to combine in an ensemble.

family           Family and Estimator: the protocols
hyperparameters  declarations, so that a wrong value is refused by name before anything runs
objectives       what predictions are scored by
table            Table: examples in memory; load_table(), check_source()
table_source     TableSource: where the examples of a table come from

dtree, forest    decision trees: one, and many on resamples of the examples
knn, svm         nearest neighbours, and support vector machines
logreg, mlp      logistic regression, and scikit-learn's dense network
scikit           what the families from scikit-learn share
trees            what dtree and forest share
keras_family     keras-lenet, keras-cnn, keras-mlp, and a user's own module:function
keras_network    a compiled Keras model that estimators take turns with
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
    """The family of this name. Whether custom code may run is checked elsewhere.

    Raises:
        ConfigurationError: The name is unknown.
    """
    if is_code(name):
        return KerasFamily(name, name)
    if name not in FAMILIES:
        raise ConfigurationError(
            f"model must be one of {', '.join(FAMILIES)}, or module:function, got {name!r}"
        )
    return FAMILIES[name]


def is_code(name: str) -> bool:
    """Whether a model is a user's own function, as in "mine.models:build"."""
    return ":" in name


def check_params_of(name: str, params: Mapping[str, object]) -> None:
    """Check that a model has these hyperparameters and that the values are allowed.

    Of a user's own function, only the hyperparameters of training are checked.

    Raises:
        ConfigurationError: One breaks a rule; it is named.
    """
    declared = find_family(name).hyperparameters
    if is_code(name):
        known = {hyperparameter.name for hyperparameter in declared}
        params = {key: value for key, value in params.items() if key in known}
    check_params(name, declared, params)
