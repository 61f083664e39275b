"""list_scores(): the cross-validation matrix of the models that answer now."""

from collections.abc import Iterable
from dataclasses import dataclass

from swarm.core.ids import Digest, PeerId
from swarm.ensemble.messages import MemberCard
from swarm.ensemble.spec import EnsembleSpec
from swarm.watching.ensemble.members import metric_of


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """How one member scored one model on its own rows."""

    scorer: PeerId
    owner: PeerId
    version: Digest
    metric: float | None
    """The spec's metric; None if the scorer refused the model."""
    num_rows: int
    is_own: bool
    """Whether it is the scorer's own model, scored out of fold."""
    refusal: str = ""
    """Why the scorer could not score the model; empty if it did."""


def list_scores(spec: EnsembleSpec, cards: Iterable[MemberCard]) -> list[MatrixCell]:
    """Collect the scores and refusals of the champions, in the order of scorers and owners.

    Each scorer and owner have at most one cell. A member's words about a version that does not
    answer any more are left out.
    """
    every = sorted(cards, key=lambda card: card.sender)
    champions = {card.sender: card.champion.version for card in every if card.champion}
    cells: dict[tuple[PeerId, PeerId], MatrixCell] = {}
    for card in every:
        for one in card.refused:
            if champions.get(one.owner) == one.version:
                is_own = one.owner == card.sender
                cells[card.sender, one.owner] = MatrixCell(
                    card.sender, one.owner, one.version, None, 0, is_own, one.reason
                )
        for score in card.scores:
            is_own = score.owner == card.sender
            if champions.get(score.owner) == score.version and score.is_own == is_own:
                metric = metric_of(spec, score.loss)
                cells[card.sender, score.owner] = MatrixCell(
                    card.sender, score.owner, score.version, metric, score.num_rows, is_own
                )
    return [cells[pair] for pair in sorted(cells)]
