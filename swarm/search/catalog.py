"""Names a study may use: models, data sets, objectives. `swarm.learning.search` executes them."""

SKLEARN_MODELS = ("knn", "dtree", "logreg", "forest", "svm", "mlp")
"""Scikit-learn's classifiers under short names; their hyperparameters are scikit-learn's."""
KERAS_MODELS = ("keras-mlp", "keras-cnn", "keras-lenet")
"""Keras models of ours; `swarm.learning.search` lists their hyperparameters."""
MODELS = SKLEARN_MODELS + KERAS_MODELS

SMALL_DATASETS = ("iris", "wine", "digits", "breast_cancer")
FILE = "file"
"""A data set of the submitter's own: an `.npz` or CSV file that travels as a blob."""
DATASETS = (*SMALL_DATASETS, "diabetes", "cifar10", "synthetic10", FILE)
DATA_FORMATS = ("npz", "csv")

OBJECTIVES = {
    "accuracy": "maximize",
    "balanced_accuracy": "maximize",
    "f1_macro": "maximize",
    "log_loss": "minimize",
    "rmse": "minimize",
    "mae": "minimize",
    "r2": "maximize",
}
"""What a trial's value is, and which way is better; the last three are for regressions."""
DIRECTIONS = ("maximize", "minimize")


def family(model: str) -> str:
    """Which library executes a model: `sklearn`, `keras`, or `code` for `module:function`.

    Example:
        >>> family("knn"), family("keras-cnn"), family("mine:build")
        ('sklearn', 'keras', 'code')
    """
    if model in SKLEARN_MODELS:
        return "sklearn"
    return "code" if ":" in model else "keras"
