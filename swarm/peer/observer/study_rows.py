"""StudyRows: the studies of a swarm as plain JSON, for pages and programs."""

from collections.abc import Callable
from typing import Any

from swarm.core.ids import PeerId
from swarm.search.study import StudyId
from swarm.search.trial import COMPLETE
from swarm.watching.search.study_counts import StudyView

NameOf = Callable[[PeerId], str]
_STATES = {COMPLETE: "done"}


class StudyRows:
    """Paints studies, and keeps what did not change since the time before.

    Invariant: what was painted is never changed.
    """

    def __init__(self) -> None:
        self._painted: dict[StudyId, tuple[StudyView, int, dict[str, Any]]] = {}
        self._all: list[dict[str, Any]] = []

    def snapshot(
        self, views: tuple[StudyView, ...], name_of: NameOf, num_names: int
    ) -> list[dict[str, Any]]:
        """All studies; those that did not change are the same objects as before.

        Args:
            views: What there is to see.
            name_of: What people call a peer.
            num_names: How many peers have a name; with another number everything is painted anew.
        """
        shown = {}
        for view in views:
            before = self._painted.get(view.spec.id)
            if before is None or before[0] is not view or before[1] != num_names:
                before = view, num_names, study_json(view, name_of)
            shown[view.spec.id] = before
        if shown != self._painted:
            self._painted = shown
            self._all = [study for _, _, study in shown.values()]
        return self._all


def study_json(view: StudyView, name_of: NameOf) -> dict[str, Any]:
    """One study."""
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
