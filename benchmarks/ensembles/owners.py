"""Owner: one member's part in an ensemble, by the jobs that its child processes do."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from swarm.core.ids import PeerId
from swarm.ensemble.messages import MemberCard
from swarm.ensemble.records import CombinerRecord, ModelRecord, Score
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble import jobs
from swarm.learning.ensemble.answers import Floats, MemberAnswer
from swarm.learning.ensemble.combiner import Combiner
from swarm.learning.ensemble.combining import residuals
from swarm.learning.ensemble.labelled import LabelledRows, write_labelled
from swarm.learning.ensemble.model_files import load_model
from swarm.learning.ensemble.models import Model
from swarm.learning.ensemble.standing import Model as Named
from swarm.learning.ensemble.standing import standings
from swarm.learning.ensemble.validation import load_answers, validation_rows
from swarm.learning.ensemble.weights import weigh
from tests.harness.combiner_rounds import train_combiner


@dataclass(frozen=True, slots=True)
class Owner:
    """One fitted member."""

    place: jobs.Place
    rows: LabelledRows
    record: ModelRecord
    path: Path
    score: Score

    @property
    def named(self) -> Named:
        """Owner and version."""
        return self.place.me, self.record.version


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Fitted members that have scored each other."""

    spec: EnsembleSpec
    owners: tuple[Owner, ...]
    scores: tuple[tuple[Score, ...], ...]
    """Of each member."""
    loaded: tuple[Model, ...]

    @property
    def models(self) -> list[Named]:
        """Owners and versions."""
        return [owner.named for owner in self.owners]

    @property
    def all_scores(self) -> list[Score]:
        """Of all members."""
        return [score for scores in self.scores for score in scores]

    def ask(self, rows: Any) -> list[MemberAnswer]:
        """All members' answers to rows."""
        return [
            MemberAnswer(owner, version, model.answers(rows))
            for (owner, version), model in zip(self.models, self.loaded, strict=True)
        ]

    def cards(self, spec: EnsembleSpec, combiner: Combiner | None = None) -> list[MemberCard]:
        """All members' cards, with summaries for the rule of this spec."""
        summaries = []
        for owner, (stack, truth) in zip(self.owners, self.validation(), strict=True):
            moments, plain = jobs.summarise(
                _placed(owner.place, spec), self.models, self.all_scores
            )
            trained = combiner and residuals(
                spec, self.models, self.all_scores, stack, truth, combiner=combiner
            )
            summaries.append((moments, trained or plain))
        return [
            MemberCard(
                ensemble=spec.id,
                sender=owner.place.me,
                number=1,
                state="serving",
                progress=0.0,
                num_rows=len(owner.rows),
                champion=owner.record,
                scores=scores,
                moments=moments,
                residuals=errors,
            )
            for owner, scores, (moments, errors) in zip(
                self.owners, self.scores, summaries, strict=True
            )
        ]

    def validation(self) -> list[tuple[Floats, Floats]]:
        """Of each member, all models' answers (k, n, outputs) to its rows, and truth (n,)."""
        found = []
        for owner in self.owners:
            chosen = validation_rows(self.spec, len(owner.rows))
            answers = [
                load_answers(owner.place.validation, version).at(chosen)
                for _, version in self.models
            ]
            found.append((np.stack(answers), owner.rows.y[chosen]))
        return found

    def train_combiner(self, folder: Path, rounds: int = 20) -> Combiner:
        """Train a combiner with federated rounds."""
        measured = standings(self.models, self.all_scores)
        weights = weigh(self.spec, self.models, measured).weights
        record = CombinerRecord(
            versions=tuple(version for _, version in self.models),
            weights=tuple(map(float, weights)),
            scale=float(np.sqrt(np.median([each.loss for each in measured]))) or 1.0,
        )
        return train_combiner(self.spec, record, self.validation(), folder, rounds=rounds)


def found_ensemble(
    spec: EnsembleSpec, parts: Sequence[LabelledRows], learners: Sequence[str], folder: Path
) -> Ensemble:
    """Fit each part with its learner, and let all members score each other's models."""
    owners = []
    for number, (rows, learner) in enumerate(zip(parts, learners, strict=True)):
        home = folder / f"member-{number}"
        home.mkdir(parents=True)
        path = home / "rows"
        write_labelled(path, rows, spec)
        place = jobs.Place(spec, PeerId(f"member-{number}"), path, home / "validation")
        done = jobs.fit(place, learner, home, now_s=0.0)
        owners.append(Owner(place, rows, done.model, done.path, done.score))
    scores = [
        tuple(
            other.score
            if other is owner
            else jobs.score(owner.place, other.place.me, other.record, other.path)
            for other in owners
        )
        for owner in owners
    ]
    loaded = [load_model(owner.path, spec, owner.record.learner) for owner in owners]
    return Ensemble(spec, tuple(owners), tuple(scores), tuple(loaded))


def _placed(place: jobs.Place, spec: EnsembleSpec) -> jobs.Place:
    return jobs.Place(spec, place.me, place.rows, place.validation)
