"""best_model(): the best measured model of a session, as one peer can tell.

Heads name the best model of their past (`swarm.federation.best_head`). No later head has the
measurements of the last one: each peer measures it on its own test data only. So a peer compares
the last head with the best one there, on the same examples.
"""

from dataclasses import dataclass
from pathlib import Path

from swarm.core.blobs import BlobRef
from swarm.federation.federation import Federation
from swarm.federation.records import Best, GlobalModel


@dataclass(frozen=True, slots=True)
class BestModel:
    """A measured model."""

    round: int
    accuracy: float
    """On the test data of all peers; if it is the last model, on this peer's."""
    blob: BlobRef


def best_model(machine: Federation) -> BestModel | None:
    """The best measured model so far; None before one is measured. Never the untrained one."""
    held, last = machine.held, machine.final_metrics
    if held is None or held.round == 0:
        return None
    best = held.best
    if last is not None and (best is None or last.accuracy >= _here(machine, held, best)):
        return BestModel(held.round, last.accuracy, held.blob)
    return BestModel(best.round, best.accuracy, best.blob) if best is not None else None


def best_path(path: Path) -> Path:
    """Where the best model goes if it is not the last: `model.keras` to `model-best.keras`."""
    return path.with_name(f"{path.stem}-best{path.suffix}")


def _here(machine: Federation, held: GlobalModel, best: Best) -> float:
    """Accuracy of the best model on this peer's test data; on all, if it did not measure it."""
    for head in machine.lineage.ancestors(held):
        if head.round == best.round + 1:
            mine = (m.accuracy for m in head.metrics if m.peer == machine.me)
            return next(mine, best.accuracy)
    return best.accuracy
