"""The results of a run: summary.json, model.keras, the final table, and how to use the model."""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from swarm.core.errors import StorageError
from swarm.core.session import dataset_label
from swarm.launch.programs import Program
from swarm.launch.run_progress import counted
from swarm.learning.datasets import ResolvedDataset
from swarm.peer.federation.best_model import best_path
from swarm.peer.host.whole_files import write_json

_PEER_KEYS = (
    "name",
    "peer_id",
    "head_digest",
    "round",
    "accuracy",
    "loss",
    "evaluated_round",
    "bytes_sent",
    "bytes_received",
    "num_examples",
    "best_round",
    "best_accuracy",
)
BEST_MODEL = "model-best.keras"
Report = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the launcher knows about a run in addition to the peers' reports."""

    session: str | None
    dataset: ResolvedDataset
    model: str
    wall_seconds: float
    died: frozenset[str] = frozenset()
    """Names of the peers that ended with an error."""


def read_reports(programs: Iterable[Program]) -> list[Report]:
    """Read the peers' reports. A peer without a report is listed with its name only."""
    return [_read_report(program) for program in programs]


def make_summary(outcome: Outcome, reports: list[Report]) -> dict[str, Any]:
    """Make the content of `summary.json`."""
    rounds = max((report["round"] for report in reports if report["round"] is not None), default=0)
    accuracy = global_accuracy(reports, rounds)
    best_round, best_accuracy = best_of_run(reports, rounds, accuracy)
    return {
        "session": outcome.session or next((r["session"] for r in reports if r["session"]), None),
        "dataset": outcome.dataset.name,
        "dataset_label": dataset_label(outcome.dataset.name),
        "stand_in": outcome.dataset.stand_in,
        "model": outcome.model,
        "rounds": rounds,
        "wall_seconds": round(outcome.wall_seconds, 2),
        "ending": next((r["ending"] for r in reports if r["ending"] and r["round"] == rounds), ""),
        "global_accuracy": accuracy,
        "best_round": best_round,
        "best_accuracy": best_accuracy,
        "peers": [
            {key: report[key] for key in _PEER_KEYS} | {"died": report["name"] in outcome.died}
            for report in reports
        ],
    }


def global_accuracy(reports: Iterable[Report], round_number: int) -> float | None:
    """Return the accuracy of a round's head on the test examples of the peers that evaluated it.

    Each example counts once. The result is None if no peer evaluated that head.
    """
    evaluated = [
        (report["accuracy"], report["num_test_examples"])
        for report in reports
        if report["evaluated_round"] == round_number and report["accuracy"] is not None
    ]
    num_examples = sum(number for _, number in evaluated)
    if not num_examples:
        return None
    return float(sum(accuracy * number for accuracy, number in evaluated) / num_examples)


def best_of_run(
    reports: Iterable[Report], last_round: int, last_accuracy: float | None
) -> tuple[int | None, float | None]:
    """Return round and accuracy of the best measured model: an earlier one, or the last."""
    earlier = [
        (report["best_accuracy"], report["best_round"])
        for report in reports
        if report["best_round"] is not None and 0 < report["best_round"] < last_round
    ]
    if earlier and max(earlier)[0] > (last_accuracy or 0.0):
        accuracy, number = max(earlier)
        return number, accuracy
    if last_round == 0 or last_accuracy is None:
        return None, None
    return last_round, last_accuracy


def write_results(run: Path, summary: Mapping[str, Any], programs: Iterable[Program]) -> bool:
    """Write `summary.json`, and `model.keras` from a peer that holds the newest head.

    If an earlier model was better, it goes to `model-best.keras`.

    Returns:
        Whether there is a model.

    Raises:
        StorageError: A file cannot be written.
    """
    write_json(run / "summary.json", summary)
    rounds = {peer["name"]: peer["round"] for peer in summary["peers"]}
    exported = [p for p in programs if p.model.is_file() and rounds.get(p.name)]  # 0: untrained
    if not exported:
        return False
    newest = max(exported, key=lambda program: (rounds[program.name], program.name))
    _copy(newest.model, run / "model.keras")
    best = {peer["name"]: peer["best_round"] for peer in summary["peers"]}
    for program in exported:
        source = best_path(program.model)
        if best[program.name] == summary["best_round"] and source.is_file():
            _copy(source, run / BEST_MODEL)
            break
    return True


def _copy(source: Path, target: Path) -> None:
    scratch = target.with_name(f".{target.stem}.tmp.keras")
    try:
        shutil.copyfile(source, scratch)
        scratch.replace(target)
    except OSError as error:
        raise StorageError(f"cannot write {target}: {error.strerror}") from error


def headline(summary: Mapping[str, Any]) -> str:
    """Describe a run in one line."""
    accuracy, best = summary["global_accuracy"], summary["best_accuracy"]
    earlier = summary["best_round"] != summary["rounds"] and best is not None
    return (
        f"{summary['model']} on {summary['dataset_label']}: "
        f"{counted(summary['rounds'], 'round')} in {summary['wall_seconds']:.0f} s, test accuracy "
        + ("unknown" if accuracy is None else f"{accuracy:.2%}")
        + (f"; best after round {summary['best_round']}: {best:.2%}" if earlier else "")
    )


def summary_table(summary: Mapping[str, Any]) -> Table:
    """Make the table at the end of a run, with one row for each peer."""
    table = Table()
    for column in ("peer", "head", "round", "accuracy", "loss", "sent", "received", "examples"):
        table.add_column(column, justify="left" if column in ("peer", "head") else "right")
    for peer in summary["peers"]:
        table.add_row(
            f"{peer['name']} (died)" if peer["died"] else peer["name"],
            (peer["head_digest"] or "none")[:12],
            _formatted(peer["round"], "d"),
            _measured(peer, "accuracy", ".1%"),
            _measured(peer, "loss", ".3f"),
            _size(peer["bytes_sent"]),
            _size(peer["bytes_received"]),
            _formatted(peer["num_examples"], ",d"),
        )
    return table


def usage(run: Path, dataset: str, data_dir: Path | None) -> list[str]:
    """Return two shell lines that load and evaluate the model, ready to paste."""
    python = shlex.quote(_short_path(Path(sys.executable).with_name("python")))
    model = _short_path(run / "model.keras")
    load = f"import keras; keras.models.load_model({model!r}).summary()"
    evaluate = f"{python} -m swarm.learning evaluate {shlex.quote(model)} --dataset {dataset}"
    if data_dir is not None:
        evaluate += f" --data-dir {shlex.quote(str(data_dir))}"
    return [f'{python} -c "{load}"', evaluate]


def _read_report(program: Program) -> Report:
    empty: dict[str, Any] = dict.fromkeys((*_PEER_KEYS, "session"))
    empty |= {"name": program.name, "num_test_examples": 0, "ending": ""}
    empty |= {"bytes_sent": 0, "bytes_received": 0, "num_examples": 0}
    try:
        report = json.loads(program.report.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return empty
    return {**empty, **report}


def _short_path(path: Path) -> str:
    """Return a path relative to the working directory if it is inside; links are not followed."""
    absolute = os.path.abspath(path)
    relative = os.path.relpath(absolute)
    return absolute if relative.startswith("..") else relative


def _formatted(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _measured(peer: Mapping[str, Any], key: str, form: str) -> str:
    """A measurement; one of another round than the peer's head names that round."""
    text, number = _formatted(peer[key], form), peer["evaluated_round"]
    if not text or number == peer["round"]:
        return text
    return f"{text} (round {number})" if number else ""


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:.1f} MB"
