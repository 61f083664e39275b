"""card_scores(): the scores of all members' cards that count; they are the matrix."""

from collections.abc import Iterable

from swarm.core.ids import Digest, PeerId
from swarm.ensemble.messages import MemberCard
from swarm.ensemble.records import Score


def card_scores(cards: Iterable[MemberCard]) -> list[Score]:
    """One score of each model by each member; repeating it gives it no more influence.

    A score is its owner's word exactly if its owner sent it; others that claim so do not count.
    """
    found: dict[tuple[PeerId, PeerId, Digest], Score] = {}
    for card in cards:
        for score in card.scores:
            if score.is_own == (score.owner == card.sender):
                found.setdefault((card.sender, score.owner, score.version), score)
    return list(found.values())
