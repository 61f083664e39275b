"""Names of models, data sets and objectives of studies; `swarm.learning.search` runs them."""

SKLEARN_MODELS = ("knn", "dtree", "logreg", "forest", "svm", "mlp")
"""Scikit-learn's classifiers under short names, with scikit-learn's hyperparameters."""
KERAS_MODELS = ("keras-mlp", "keras-cnn", "keras-lenet")
"""Keras models of this project; `swarm.learning.search` lists their hyperparameters."""
MODELS = SKLEARN_MODELS + KERAS_MODELS

SMALL_DATASETS = ("iris", "wine", "digits", "breast_cancer")
FILE = "file"
"""The submitter's own data set: an `.npz` file or a table that is sent as a blob."""
DATASETS = (*SMALL_DATASETS, "diabetes", "cifar10", "synthetic10", FILE)
DATA_FORMATS = ("npz", "csv")
TABLE_ENDINGS = ("csv", "tsv", "tab", "txt", "parquet", "pq", "xlsx", "xlsm")
"""Endings of files that hold a table; its peers get it as CSV."""
MISSING_TARGET = ("refuse", "drop")
"""What happens to rows of a table whose target is missing."""

OBJECTIVES = {
    "accuracy": "maximize",
    "balanced_accuracy": "maximize",
    "f1_macro": "maximize",
    "log_loss": "minimize",
    "rmse": "minimize",
    "mae": "minimize",
    "r2": "maximize",
}
"""What a trial's value measures, and which direction is better; the last three: regression."""
DIRECTIONS = ("maximize", "minimize")


def family(model: str) -> str:
    """The library that runs a model: `sklearn`, `keras`, or `code` for `module:function`.

    Example:
        >>> family("knn"), family("keras-cnn"), family("mine:build")
        ('sklearn', 'keras', 'code')
    """
    if model in SKLEARN_MODELS:
        return "sklearn"
    return "code" if ":" in model else "keras"
