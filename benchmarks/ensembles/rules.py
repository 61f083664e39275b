"""The same answers combined by each rule, and measured against the truth."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.ensembles.owners import Ensemble
from swarm.learning.ensemble.answers import Floats, to_scale, to_target_unit
from swarm.learning.ensemble.combining import Combined, combine
from swarm.learning.ensemble.judging import judge
from swarm.learning.ensemble.labelled import LabelledRows

COVERAGE = 0.9
TRAINED = "trained"


@dataclass(frozen=True, slots=True)
class Measured:
    """One run."""

    alone: tuple[float, ...]
    """Error of each member, or its accuracy."""
    rules: dict[str, float]
    """The same of each rule."""
    coverage: float
    """Share of the truths that are in the intervals or sets of the default."""
    accused: float
    """The greatest share of rows of an honest member that were judged off."""


def measure(
    ensemble: Ensemble, test: LabelledRows, rules: tuple[str, ...], folder: Path
) -> Measured:
    """Ask all members, and combine by each rule."""
    answers = ensemble.ask(test.x)
    found: dict[str, float] = {}
    coverage = accused = 0.0
    alone: tuple[float, ...] = ()
    for rule in rules:
        spec = replace(ensemble.spec, combination=rule)
        combiner = ensemble.train_combiner(folder) if rule == TRAINED else None
        combined = combine(
            spec, ensemble.cards(spec, combiner), answers, COVERAGE, combiner=combiner
        )
        found[rule] = _figure(ensemble, combined.values, test.y)
        if rule == "auto":
            alone = tuple(_figure(ensemble, part.values, test.y) for part in combined.members)
            coverage = _coverage(ensemble, combined, test.y)
            verdicts = (*judge(spec, combined), *judge(spec, combined, _truth(ensemble, test.y)))
            accused = max(off / max(judged, 1) for _, judged, off in verdicts)
    return Measured(alone, found, coverage, accused)


def _truth(ensemble: Ensemble, truth: Floats) -> Floats:
    return to_target_unit(ensemble.spec, truth)


def _figure(ensemble: Ensemble, values: Floats, truth: Floats) -> float:
    """Accuracy of classes, or the root mean squared error on the scale of the transform."""
    if ensemble.spec.classes:
        return float((values.argmax(axis=1) == truth).mean())
    return float(np.sqrt(np.square(to_scale(ensemble.spec, values) - truth).mean()))


def _coverage(ensemble: Ensemble, combined: Combined, truth: Floats) -> float:
    if combined.sets is not None:
        return float(combined.sets[np.arange(len(truth)), truth.astype(np.intp)].mean())
    assert combined.lower is not None
    assert combined.upper is not None
    shown = _truth(ensemble, truth)
    return float(((combined.lower <= shown) & (shown <= combined.upper)).mean())
