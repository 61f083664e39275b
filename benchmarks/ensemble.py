"""`python -m benchmarks.ensemble`: how accurate an ensemble is, beside each member alone."""

import argparse
import json
from typing import Any

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.ensembles import house_prices, skewed_labels
from benchmarks.ensembles.rules import TRAINED


def main() -> None:
    """Print tables, and with --json one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="Kaggle's House Prices training table, for its parts")
    parser.add_argument(
        "--part",
        action="append",
        choices=(*house_prices.SPLITS, *skewed_labels.DATASETS),
        help="repeatable; default: all",
    )
    parser.add_argument("--untrained", action="store_true", help="leave out the trained combiner")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    parts = options.part or [
        *(house_prices.SPLITS if options.data else ()),
        *skewed_labels.DATASETS,
    ]
    if not options.data and set(parts) & set(house_prices.SPLITS):
        parser.error("the parts of House Prices need --data FILE")
    found: dict[str, list[dict[str, Any]]] = {"house_prices": [], "skewed_labels": []}
    with _progress() as progress:
        for part in parts:
            if part in house_prices.SPLITS:
                rules = _rules(house_prices.RULES, options)
                prices = pd.read_csv(options.data)
                found["house_prices"].append(
                    house_prices.measure_split(prices, part, rules, progress)
                )
            else:
                rules = _rules(skewed_labels.RULES, options)
                found["skewed_labels"].append(skewed_labels.measure_dataset(part, rules, progress))
    console = Console(width=140)
    for name, module in (("house_prices", house_prices), ("skewed_labels", skewed_labels)):
        if found[name]:
            console.print(module.table(found[name]))
    if options.json:
        print(json.dumps(found))


def _rules(rules: tuple[str, ...], options: argparse.Namespace) -> tuple[str, ...]:
    return tuple(rule for rule in rules if rule != TRAINED or not options.untrained)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )


if __name__ == "__main__":
    main()
