"""Members with known errors: their cards as the real ones are, without any fit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from swarm.core.blobs import BlobRef
from swarm.core.columns import TARGET, Column
from swarm.core.ids import Digest, PeerId
from swarm.ensemble.messages import MemberCard
from swarm.ensemble.records import ModelRecord, Moments, Score
from swarm.ensemble.spec import EnsembleId, EnsembleSpec
from swarm.learning.ensemble.answers import Floats, MemberAnswer
from swarm.learning.ensemble.combining import residuals
from swarm.learning.ensemble.stacking import moments

COLUMNS = (Column("x"), Column("y", TARGET))
PRICES = EnsembleSpec(
    name="prices", task="regression", columns=COLUMNS, transform="log1p", metric="rmsle"
)
NUMBERS = EnsembleSpec(name="numbers", task="regression", columns=COLUMNS)
ANIMALS = EnsembleSpec(
    name="animals",
    task="classification",
    columns=COLUMNS,
    classes=("cat", "dog", "owl"),
    metric="log-loss",
)
ENSEMBLE = EnsembleId("0" * 64)


def owner_of(k: int) -> PeerId:
    return PeerId(f"member-{k}")


def version_of(k: int) -> Digest:
    return Digest(f"{k:064x}")


def model_of(k: int, *, stays_home: bool = False) -> ModelRecord:
    blob = None if stays_home else BlobRef(version_of(k), 1000)
    return ModelRecord(version_of(k), "gbr", "skops", blob, 100, 0.0, 1.0)


def score_of(
    k: int, loss: float, *, base: float = 1.0, num_rows: int = 100, is_own: bool = False
) -> Score:
    return Score(owner_of(k), version_of(k), loss, base, num_rows, is_own=is_own)


def card_of(k: int, *scores: Score, stays_home: bool = False, **fields: object) -> MemberCard:
    return MemberCard(
        ENSEMBLE,
        owner_of(k),
        number=1,
        state="serving",
        progress=0.0,
        num_rows=100,
        champion=model_of(k, stays_home=stays_home),
        scores=scores,
        **fields,  # type: ignore[arg-type]
    )


def answer_of(k: int, values: Sequence[float] | Sequence[Sequence[float]]) -> MemberAnswer:
    array = np.asarray(values, np.float64)
    return MemberAnswer(owner_of(k), version_of(k), array.reshape(len(array), -1))


@dataclass
class World:
    """Members that answer numbers with normal errors of these sizes; all cards are complete."""

    spec: EnsembleSpec
    errors: Sequence[float]
    seed: int = 0
    num_rows: int = 300
    """Validation rows of each member."""
    centre: float = 12.0
    scale: float = 0.4

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        size = len(self.errors)
        self.models = [(owner_of(k), version_of(k)) for k in range(size)]
        truths = [self.truth(self.num_rows) for _ in range(size)]
        stacks = [self.answers(truth) for truth in truths]
        self.scores = [
            [
                Score(
                    owner_of(k),
                    version_of(k),
                    loss=float(((stack[k, :, 0] - truth) ** 2).mean()),
                    base_loss=float(truth.var()),
                    num_rows=self.num_rows,
                    is_own=k == scorer,
                )
                for k in range(size)
            ]
            for scorer, (truth, stack) in enumerate(zip(truths, stacks, strict=True))
        ]
        versions = [version for _, version in self.models]
        all_moments: list[Moments] = [
            found
            for truth, stack in zip(truths, stacks, strict=True)
            if (found := moments(self.spec, versions, stack, truth)) is not None
        ]
        all_scores = [score for scores in self.scores for score in scores]
        self.cards = [
            card_of(
                k,
                *self.scores[k],
                moments=all_moments[k],
                residuals=residuals(
                    self.spec, self.models, all_scores, stacks[k], truths[k], moments=all_moments
                ),
            )
            for k in range(size)
        ]

    def truth(self, num_rows: int) -> Floats:
        return self.rng.normal(self.centre, self.scale, num_rows)

    def answers(self, truth: Floats) -> Floats:
        noise = self.rng.normal(size=(len(self.errors), len(truth)))
        return (truth + noise * np.asarray(self.errors)[:, None])[:, :, None]

    def ask(self, truth: Floats) -> list[MemberAnswer]:
        return [
            MemberAnswer(owner, version, values)
            for (owner, version), values in zip(self.models, self.answers(truth), strict=True)
        ]
