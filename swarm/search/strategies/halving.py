"""Halving: asynchronous successive halving (ASHA) of random draws, by the reported epochs.

Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning" (arXiv:1810.05934), in its
stopping form: at epochs r, r*eta, r*eta^2, ... a trial continues only if its value is among the
best 1/eta of those reported there so far. Models that report no epochs run to their end.
"""

from swarm.search.strategies.random import Drawer
from swarm.search.strategies.strategy import Strategy, Suggestion, check_options
from swarm.search.study import EPOCHS_MAX, StudySpec
from swarm.search.study_ledger import Entry, Reported, StudyLedger
from swarm.search.trial import TrialReport


class HalvingStrategy(Strategy):
    """Draws as `random` does and stops trials that fall behind.

    Options: `reduction` (eta, 3), `epochs_min` (r, 1).
    """

    def __init__(self, spec: StudySpec) -> None:
        check_options(spec, {"reduction": (2, 16), "epochs_min": (1, EPOCHS_MAX)})
        self._spec = spec
        self._drawer = Drawer(spec)
        self._reduction = int(spec.options.get("reduction", 3))
        self._rungs: dict[int, list[float]] = {}
        epochs = int(spec.options.get("epochs_min", 1))
        while epochs < EPOCHS_MAX:
            self._rungs[epochs] = []
            epochs *= self._reduction

    def ask(self, history: StudyLedger) -> Suggestion | None:
        """Suggest one more draw."""
        return self._drawer.draw(history)

    def tell(self, entry: Entry) -> None:
        """Remember the values reported at each rung."""
        match entry:
            case Reported(report) if report.point.fold == 0 and report.point.epoch in self._rungs:
                self._rungs[report.point.epoch].append(report.point.value)

    def stops(self, report: TrialReport, history: StudyLedger) -> bool:
        """Whether the report is at a rung and not among the best values there."""
        if report.point.fold or report.point.epoch not in self._rungs:
            return False
        values = self._rungs[report.point.epoch]
        better = sum(self._spec.is_better(value, report.point.value) for value in values)
        return better >= -(-len(values) // self._reduction)  # rounded up
