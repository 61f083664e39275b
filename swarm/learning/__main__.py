"""`python -m swarm.learning evaluate MODEL.keras --dataset NAME`: measures a model."""

import argparse
import importlib
import sys
from pathlib import Path

import numpy as np
import platformdirs

from swarm.core.errors import ConfigurationError, SwarmError
from swarm.core.session import SessionSpec, dataset_label, score_name
from swarm.learning.data_config import DataConfig
from swarm.learning.datasets import DATASETS, load_dataset
from swarm.learning.datasets.dataset import Dataset
from swarm.learning.federation.shards import Shard
from swarm.learning.progress import Evaluation, Progress


def main() -> int:
    """Run the command line; a user's mistake gives one line on stderr and exit code 2."""
    arguments = _parser().parse_args()
    try:
        dataset = load_dataset(_data_config(arguments), _show)
        evaluation = _evaluate(arguments.model, dataset, allow_code=arguments.allow_model)
    except SwarmError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigurationError) else 1
    label = dataset.label if arguments.data else dataset_label(arguments.dataset)
    score = score_name(dataset.description.task)
    print(f"{score} {evaluation.accuracy:.4f}")
    print(f"{'loss':{len(score)}} {evaluation.loss:.4f}")
    print(f"on {evaluation.num_examples:,} test examples of {label}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m swarm.learning")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    evaluate = commands.add_parser(
        "evaluate",
        help="measure a model on a whole test set",
        description="Print a model's accuracy and loss on the whole test set.",
    )
    evaluate.add_argument("model", type=Path, help="the model, a .keras file")
    evaluate.add_argument("--dataset", choices=DATASETS, default="own", help="a built-in data set")
    evaluate.add_argument("--data-dir", help="folder that may hold cifar-10-batches-bin/")
    evaluate.add_argument("--data", help="own data, an .npz file with x_test and y_test")
    evaluate.add_argument(
        "--allow-model", action="store_true", help="let code inside the model run here"
    )
    return parser


def _data_config(arguments: argparse.Namespace) -> DataConfig:
    cache = platformdirs.PlatformDirs("swarm", appauthor=False).user_cache_dir
    if arguments.dataset == "own" and not arguments.data:
        raise ConfigurationError("no data given: use --dataset NAME or --data FILE.npz")
    return DataConfig(
        dataset="own" if arguments.data else arguments.dataset,
        data_path=arguments.data,
        data_dir=arguments.data_dir,
        cache_dir=cache,
    )


def _evaluate(path: Path, dataset: Dataset, *, allow_code: bool) -> Evaluation:
    if path.suffix != ".keras" or not path.is_file():
        raise ConfigurationError(f"the model must be an existing .keras file, got {path}")
    # Imported here, so that wrong arguments are reported without loading Keras.
    session_model = importlib.import_module("swarm.learning.federation.session_model")
    evaluation = importlib.import_module("swarm.learning.federation.evaluation")
    model = session_model.SessionModel(
        SessionSpec(model=str(path), **dataset.description.spec_fields),
        str(path),
        allow_code=allow_code,
    )
    everything = np.arange(len(dataset.test.y))
    shard = Shard(dataset.test.x.take(everything), dataset.test.y)
    result: Evaluation = evaluation.evaluate(
        model.keras, shard, model.objective, tick=lambda fraction: None
    )
    return result


def _show(progress: Progress) -> None:
    if progress.text:
        print(f"{progress.text}: {progress.fraction:.0%}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
