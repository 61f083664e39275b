"""Best head: the best measured model of a lineage, and when a session is over.

A head carries the measurements of its parent, and `best`: the best of its ancestors that was
measured so far. So each peer, also one that joined late, sees from the head it holds alone which
model was best, and whether the session is over. Adopters check `best` against the parent's.

Head 0 is not trained, so it is never the best.
"""

import math
from collections.abc import Collection

from swarm.core.session import SessionSpec
from swarm.federation.records import Best, GlobalModel, Metrics


def accuracy_of(metrics: Collection[Metrics]) -> float:
    """Mean accuracy over test shards, weighted by their numbers of examples.

    `fsum` rounds once, so all peers get the same number; `sum` depends on Python's version.
    """
    total = sum(m.num_examples for m in metrics)
    return min(1.0, math.fsum(m.accuracy * m.num_examples for m in metrics) / total)


def best_of(parent: GlobalModel, metrics: Collection[Metrics]) -> Best | None:
    """What a child of `parent` says is the best model, if these are the parent's measurements.

    A round without measurements counts neither for nor against the parent.
    """
    best = parent.best
    if not metrics or parent.round == 0:
        return best
    accuracy = accuracy_of(metrics)
    if best is None or accuracy > best.accuracy:
        return Best(parent.round, accuracy, parent.blob)
    return Best(best.round, best.accuracy, best.blob, best.num_since + 1)


def stopped_early(head: GlobalModel, spec: SessionSpec) -> bool:
    """Whether the session ends with this head because no newer model was better."""
    best, patience = head.best, spec.early_stop
    return best is not None and 0 < patience <= best.num_since


def is_last(head: GlobalModel, spec: SessionSpec) -> bool:
    """Whether the session ends with this head: of the last round, or because it stops early."""
    return head.round >= spec.rounds or stopped_early(head, spec)


def ending(head: GlobalModel, spec: SessionSpec) -> str:
    """Why the session ends with this head, in words; empty if it does not.

    Example: stopped early at round 8: no better than round 5 (61.2 %) for 3 rounds.
    """
    best = head.best
    if best is not None and stopped_early(head, spec) and head.round < spec.rounds:
        return (
            f"stopped early at round {head.round}: no better than round {best.round} "
            f"({100 * best.accuracy:.1f} %) for {best.num_since} rounds"
        )
    return f"all {spec.rounds} rounds are done" if head.round >= spec.rounds else ""
