"""StudyRows: the studies in a snapshot, as plain JSON."""

from collections.abc import Callable
from typing import Any

from swarm.core.ids import PeerId
from swarm.search.study import StudyId
from swarm.search.trial import COMPLETE
from swarm.watching.search.study_counts import StudyView

NameOf = Callable[[PeerId], str]
_STATES = {COMPLETE: "done"}


class StudyRows:
    """Makes the rows of studies, and keeps those that did not change.

    Invariant: a returned row is never changed.
    """

    def __init__(self) -> None:
        self._rows: dict[StudyId, tuple[StudyView, int, dict[str, Any]]] = {}
        self._all: list[dict[str, Any]] = []

    def snapshot(
        self, views: tuple[StudyView, ...], name_of: NameOf, num_names: int
    ) -> list[dict[str, Any]]:
        """Return all studies. Unchanged studies are the same objects as before.

        Args:
            views: The studies as observed.
            name_of: Returns the name of a peer.
            num_names: Number of peers with a name. If it changes, all rows are made again.
        """
        shown = {}
        for view in views:
            before = self._rows.get(view.spec.id)
            if before is None or before[0] is not view or before[1] != num_names:
                before = view, num_names, study_json(view, name_of)
            shown[view.spec.id] = before
        if shown != self._rows:
            self._rows = shown
            self._all = [study for _, _, study in shown.values()]
        return self._all


def study_json(view: StudyView, name_of: NameOf) -> dict[str, Any]:
    """Return one study as JSON."""
    spec = view.spec
    best: dict[str, Any] | None = None
    if view.best is not None:
        trial, result = view.best
        best = {
            "number": trial.number,
            "value": result.value,
            "model": trial.model,
            "params": trial.values,
        }
    return {
        "id": spec.id,
        "name": spec.name,
        "strategy": spec.strategy,
        "direction": spec.direction,
        "metric": spec.objective,
        "finished": bool(view.closed),
        "complete": view.complete,
        "num_trials": view.num_trials,
        "num_running": view.num_running,
        "num_done": view.num_done,
        "num_failed": view.num_failed,
        "best": best,
        "history": [
            {
                "number": trial.number,
                "state": _STATES.get(trial.state, trial.state),
                "value": trial.value,
                "peer": trial.peer,
            }
            for trial in view.history
        ],
        "workers": [
            {
                "peer": worker.peer,
                "name": name_of(worker.peer),
                "trial": worker.trial,
                "num_done": worker.num_done,
            }
            for worker in view.workers
        ],
    }
