"""Studies in words: best trials, failures, and what `run` and `resume` print at the end."""

import shlex
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from swarm.peer.search.search_settings import SearchSettings
from swarm.search.study import BUILT_IN_STRATEGIES
from swarm.search.study_ledger import DONE, StudyLedger
from swarm.search.trial import FAILED, TrialResult
from swarm.search.values import Value

EXIT_FAILED, EXIT_INTERRUPTED = 1, 130
ERROR_LENGTH = 300
"""Most characters of an error that are shown; in a ledger an error has up to 500."""
ERRORS_SHOWN = 3


def best_in_words(ledger: StudyLedger) -> str:
    """The best trial so far with its hyperparameters, on one line; empty if there is none."""
    best = ledger.best
    if best is None or best.value is None:
        return ""
    trial = ledger.trials[best.trial]
    params = params_in_words(trial.values)
    return f"best {ledger.spec.objective} {best.value:.4f} ({trial.model} {params})"


def params_in_words(params: Mapping[str, Value]) -> str:
    """Hyperparameters as in `C=1.2, kernel=rbf`."""
    return ", ".join(f"{name}={_short(value)}" for name, value in params.items()) or "defaults"


def failures(ledger: StudyLedger) -> list[str]:
    """Lines that say why trials failed: the first error, then the most frequent others."""
    errors = Counter(r.error for r in ledger.results.values() if r.state == FAILED)
    if not errors:
        return []
    first, *_ = errors  # a Counter keeps the ledger's order
    others = [error for error, _ in errors.most_common() if error != first]
    shown = [first, *others[: ERRORS_SHOWN - 1]]
    head = f"{errors.total()} failed: "
    lines = [f"{_cut(error)} ({errors[error]}x)" for error in shown]
    num_left = len(errors) - len(shown)
    rest = [f"and {num_left} other error{'s' * (num_left > 1)}"] if num_left else []
    return [head + lines[0], *(" " * len(head) + line for line in [*lines[1:], *rest])]


def first_error(results: Iterable[TrialResult]) -> str:
    """The first error, as the end of a message that says what is missing; empty if none failed."""
    first = next((result.error for result in results if result.state == FAILED), "")
    return f"; the first error: {_cut(first)}" if first else ""


def print_outcome(ledger: StudyLedger, folder: Path, notes: str) -> int:
    """Print the outcome of a study that is over.

    Args:
        ledger: The study's ledger.
        folder: The folder of the ledger.
        notes: A few more words for the line of the outcome.

    Returns:
        The exit code: 1 if no trial succeeded or the study failed, otherwise 0.
    """
    reason = ledger.closed.reason if ledger.closed is not None else "open"
    found = best_in_words(ledger) or "no trial succeeded"
    words = [reason, f"{len(ledger.results)} results", found, *([notes] if notes else [])]
    print(f"{ledger.spec.name}: {', '.join(words)}", flush=True)
    if ledger.closed is not None and ledger.closed.error:
        print(f"The study ended early: {ledger.closed.error}", file=sys.stderr)
    for line in failures(ledger):
        print(line, file=sys.stderr)
    if _space_is_exhausted(ledger):
        number = len(ledger.trials)
        print(f"Fewer than num_trials: the space has only {number} settings.", file=sys.stderr)
    print(
        f"See all results with: python -m swarm.search results {_quoted(folder)} --csv",
        file=sys.stderr,
        flush=True,
    )
    has_error = ledger.closed is not None and bool(ledger.closed.error)
    return EXIT_FAILED if ledger.best is None or has_error else 0


def print_was_over() -> None:
    """Print why the results come at once, and how to get new ones."""
    print(
        "The study was over already. To search anew, change the file (seed, name or num_trials).",
        file=sys.stderr,
        flush=True,
    )


def print_left(ledger: StudyLedger, how_to_resume: str) -> int:
    """Print how far a study was when the user left it, and how to resume; return the exit code."""
    number, total = len(ledger.results), ledger.spec.num_trials
    count = f"{number} of {total} results" if total else f"{number} results"
    best = best_in_words(ledger)
    print(
        f"Left with {count}{', ' if best else ''}{best}. Resume with: {how_to_resume}",
        file=sys.stderr,
        flush=True,
    )
    return EXIT_INTERRUPTED


def resume_command(folder: Path, settings: SearchSettings) -> str:
    """The command that resumes the study in a folder, with the flags of this run."""
    words: list[object] = ["python", "-m", "swarm.search", "resume", folder]
    for flag, value, usual in (
        ("--ip", settings.ip, "127.0.0.1"),
        ("--port", settings.port, 0),
        ("--slots", settings.slots, 1),
        ("--data-dir", settings.data_dir, None),
    ):
        words += [flag, value] if value != usual else []
    for address in settings.bootstraps:
        words += ["--bootstrap", address]
    words += ["--allow-code"] if settings.allow_code else []
    return shlex.join(map(str, words))


def _space_is_exhausted(ledger: StudyLedger) -> bool:
    """Whether a study ended early because the strategy has tried all settings."""
    spec = ledger.spec
    is_done = ledger.closed is not None and ledger.closed.reason == DONE
    is_built_in = spec.strategy in BUILT_IN_STRATEGIES  # others may end for other reasons
    has_fewer = not spec.time_budget_s and len(ledger.trials) < spec.num_trials
    return is_done and is_built_in and has_fewer


def _cut(error: str) -> str:
    return error if len(error) <= ERROR_LENGTH else f"{error[: ERROR_LENGTH - 1]}…"


def _quoted(value: object) -> str:
    return shlex.quote(str(value))


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
