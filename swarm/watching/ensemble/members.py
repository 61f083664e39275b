"""list_members(): the members of an ensemble, as their cards and the scores of others say."""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from swarm.core.ids import PeerId
from swarm.ensemble.messages import MemberCard
from swarm.ensemble.records import Comparison, Drift, ModelRecord, Score
from swarm.ensemble.spec import EnsembleSpec


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One member of an ensemble."""

    peer: PeerId
    is_present: bool
    """Whether it was heard lately."""
    is_distrusted: bool
    """Whether it lost its weight here, because it answered nonsense."""
    state: str
    """`waiting`, `fitting` or `serving`."""
    progress: float
    """Share of the fit under way, in [0, 1]."""
    num_rows: int
    """Labelled rows that it has."""
    champion: ModelRecord | None
    challenger: ModelRecord | None
    previous: ModelRecord | None
    skill: float | None
    """1 - loss / loss of the best constant, over all rows its champion was scored on; None
    before it was scored."""
    metric: float | None
    """The spec's metric of its champion over the same rows."""
    num_scorers: int
    """Members that scored its champion, itself included."""
    drift: Drift
    comparison: Comparison | None
    """Of champion and challenger, while there are both; losses are mean losses."""
    detail: str
    """What it waits for or could not do, in words."""

    @property
    def is_drifting(self) -> bool:
        """Whether its recent rows are too far from those that it was fitted on."""
        return 0 < self.drift.threshold < self.drift.value


def list_members(
    spec: EnsembleSpec,
    cards: Iterable[MemberCard],
    present: Collection[PeerId],
    distrusted: Collection[PeerId] = (),
) -> list[MemberRow]:
    """Describe all members that are known, in the order of their ids.

    Args:
        spec: The ensemble.
        cards: The newest card of each member, also of lost ones.
        present: Members that were heard lately.
        distrusted: Members that lost their weight here.
    """
    every = sorted(cards, key=lambda card: card.sender)
    scores = honest_scores(every)
    return [
        _row(
            spec,
            card,
            [score for score in scores if card.champion and _is_about(score, card)],
            card.sender in present,
            card.sender in distrusted,
        )
        for card in every
    ]


def honest_scores(cards: Iterable[MemberCard]) -> list[Score]:
    """All scores of the cards, except own ones of others and foreign ones that claim to be own."""
    return [
        score
        for card in cards
        for score in card.scores
        if score.is_own == (score.owner == card.sender)
    ]


def pooled_loss(scores: Sequence[Score]) -> float | None:
    """Mean loss over all rows of several scores; None for none."""
    num_rows = sum(score.num_rows for score in scores)
    if not num_rows:
        return None
    return sum(score.loss * score.num_rows for score in scores) / num_rows


def pooled_skill(scores: Sequence[Score]) -> float | None:
    """1 - loss / loss of the best constant over all rows of several scores; None if unknown."""
    base_loss = sum(score.base_loss * score.num_rows for score in scores)
    if not base_loss:
        return None
    return 1 - sum(score.loss * score.num_rows for score in scores) / base_loss


def metric_of(spec: EnsembleSpec, loss: float) -> float:
    """The spec's metric for a mean loss: the root of a squared error, or log-loss.

    >>> metric_of(EnsembleSpec("prices", "regression", input_shape=(2,)), 9.0)
    3.0
    """
    return loss if spec.classes else math.sqrt(loss)


def _is_about(score: Score, card: MemberCard) -> bool:
    version = card.champion.version if card.champion is not None else ""
    return (score.owner, score.version) == (card.sender, version)


def _row(
    spec: EnsembleSpec,
    card: MemberCard,
    scores: Sequence[Score],
    is_present: bool,
    is_distrusted: bool,
) -> MemberRow:
    loss = pooled_loss(scores)
    return MemberRow(
        peer=card.sender,
        is_present=is_present,
        is_distrusted=is_distrusted,
        state=card.state,
        progress=card.progress,
        num_rows=card.num_rows,
        champion=card.champion,
        challenger=card.challenger,
        previous=card.previous,
        skill=pooled_skill(scores),
        metric=metric_of(spec, loss) if loss is not None else None,
        num_scorers=len(scores),
        drift=card.drift,
        comparison=card.comparison,
        detail=card.detail,
    )
