"""Families of models to try, by name; one short file each behind `family.Family`.

knn, dtree, logreg, forest, svm, mlp   from scikit-learn
keras-lenet, keras-cnn, keras-mlp      our Keras models; they hand over checkpoints
"""

from swarm.core.errors import ConfigurationError
from swarm.learning.trials.families.dtree import DecisionTree
from swarm.learning.trials.families.family import Family
from swarm.learning.trials.families.forest import Forest
from swarm.learning.trials.families.keras_family import KerasFamily
from swarm.learning.trials.families.knn import Knn
from swarm.learning.trials.families.logreg import LogisticRegression
from swarm.learning.trials.families.mlp import MultilayerPerceptron
from swarm.learning.trials.families.svm import SupportVectorMachine

__all__ = ["FAMILIES", "find_family"]

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
    """The family of this name.

    Raises:
        ConfigurationError: There is none.
    """
    if name not in FAMILIES:
        raise ConfigurationError(f"model must be one of {', '.join(FAMILIES)}, got {name!r}")
    return FAMILIES[name]
