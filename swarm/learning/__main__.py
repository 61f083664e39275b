"""`python -m swarm.learning`: measures an exported model, or predicts with it.

python -m swarm.learning evaluate MODEL.keras --dataset NAME
python -m swarm.learning predict MODEL.keras ROWS.csv
"""

import argparse
import contextlib
import csv
import importlib
import sys
from pathlib import Path

import numpy as np
import platformdirs

from swarm.core.errors import ConfigurationError, DataError, SwarmError
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
        arguments.run(arguments)
    except SwarmError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigurationError | DataError) else 1
    return 0


def _run_evaluate(arguments: argparse.Namespace) -> None:
    # Imported here, so that wrong arguments are reported without loading Keras.
    config = _data_config(arguments)
    path = _checked_model(arguments.model)
    table_model = importlib.import_module("swarm.learning.federation.table_model")
    dataset = load_dataset(config, _show, table_model.read_columns(path))
    for note in dataset.notes:
        print(note, file=sys.stderr)
    evaluation = _evaluate(path, dataset, allow_code=arguments.allow_model)
    label = dataset.label if arguments.data else dataset_label(arguments.dataset)
    score = score_name(dataset.description.task)
    print(f"{score} {evaluation.accuracy:.4f}")
    print(f"{'loss':{len(score)}} {evaluation.loss:.4f}")
    print(f"on {evaluation.num_examples:,} test examples of {label}")


def _run_predict(arguments: argparse.Namespace) -> None:
    if arguments.output is not None and not arguments.output.parent.is_dir():
        raise ConfigurationError(f"the folder {arguments.output.parent} does not exist: --output")
    table_model = importlib.import_module("swarm.learning.federation.table_model")
    model = table_model.TableModel(arguments.model, allow_code=arguments.allow_model)
    found = model.predict(arguments.rows)
    for note in found.notes:
        print(f"note: {note}", file=sys.stderr)
    names = [found.target, *(f"p({name})" for name in found.classes)]
    columns = [found.values.tolist(), *([] if found.classes == () else found.probabilities.T)]
    with contextlib.ExitStack() as stack:
        out = sys.stdout
        if arguments.output is not None:
            out = stack.enter_context(arguments.output.open("w", newline="", encoding="utf-8"))
        writer = csv.writer(out)
        writer.writerow(names)
        writer.writerows(zip(*columns, strict=True))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m swarm.learning")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    evaluate = commands.add_parser(
        "evaluate",
        help="measure a model on test data",
        description="Print a model's score and loss on all test examples; of own data without "
        "any, on the fifth that is held out.",
    )
    evaluate.add_argument("model", type=Path, help="the model, a .keras file")
    evaluate.add_argument("--dataset", choices=DATASETS, default="own", help="a built-in data set")
    evaluate.add_argument("--data-dir", help="folder that may hold cifar-10-batches-bin/")
    evaluate.add_argument("--data", help="own data: a file or folder, as peers take it")
    evaluate.add_argument(
        "--allow-model", action="store_true", help="let code inside the model run here"
    )
    evaluate.set_defaults(run=_run_evaluate)
    predict = commands.add_parser(
        "predict",
        help="predict for the rows of a table",
        description="Print a prediction for each row of a table, as CSV.",
    )
    predict.add_argument("model", type=Path, help="the model, a .keras file, from a table")
    predict.add_argument("rows", type=Path, help="the table: CSV, Excel or Parquet")
    predict.add_argument("--output", type=Path, help="CSV file to write instead of printing")
    predict.add_argument(
        "--allow-model", action="store_true", help="let code inside the model run here"
    )
    predict.set_defaults(run=_run_predict)
    return parser


def _data_config(arguments: argparse.Namespace) -> DataConfig:
    cache = platformdirs.PlatformDirs("swarm", appauthor=False).user_cache_dir
    if arguments.dataset == "own" and not arguments.data:
        raise ConfigurationError("no data given: use --dataset NAME or --data PATH")
    return DataConfig(
        dataset="own" if arguments.data else arguments.dataset,
        data_path=arguments.data,
        data_dir=arguments.data_dir,
        cache_dir=cache,
    )


def _checked_model(path: Path) -> Path:
    if path.suffix != ".keras" or not path.is_file():
        raise ConfigurationError(f"the model must be an existing .keras file, got {path}")
    return path


def _evaluate(path: Path, dataset: Dataset, *, allow_code: bool) -> Evaluation:
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
        model.keras,
        shard,
        model.objective,
        tick=lambda fraction: None,
        rows=model.rows or evaluation.BATCH,
    )
    return result


def _show(progress: Progress) -> None:
    if progress.text:
        print(f"{progress.text}: {progress.fraction:.0%}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
