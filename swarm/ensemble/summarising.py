"""Summarising: has the combination's moments and residuals computed on this member's rows.

They are computed once all champions of present members are scored or refused here, and again when
a champion or any member's scores change, because the combination's weights come from these.
"""

from swarm.core.ids import Digest, PeerId
from swarm.core.machine import Effect
from swarm.ensemble.effects import Summarise, Summarised
from swarm.ensemble.member_models import MemberModels
from swarm.ensemble.model_scores import ModelScores
from swarm.ensemble.records import MEMBERS_MAX, Moments, Residuals, Score
from swarm.ensemble.roster import Roster
from swarm.ensemble.score_matrix import card_scores

SPACING_S = 2.0
"""Least seconds between two summaries; scores of several members come soon after each other."""
_Input = tuple[tuple[tuple[PeerId, Digest], ...], tuple[Score, ...]]


class Summarising:
    """Decides when to summarise, and of which models.

    Invariant: one summary is computed at a time.
    """

    def __init__(
        self, me: PeerId, roster: Roster, models: MemberModels, scores: ModelScores
    ) -> None:
        self.moments: Moments | None = None
        self.residuals: Residuals | None = None
        self._me = me
        self._roster = roster
        self._models = models
        self._scores = scores
        self._asked: _Input | None = None
        self._asked_s = float("-inf")
        self._is_under_way = False

    def take(self, event: Summarised) -> None:
        """Take a summary."""
        self._is_under_way = False
        self.moments, self.residuals = event.moments, event.residuals

    def repeat(self) -> None:
        """Summarise again, though the models are the same: the validation rows are others."""
        self._asked = None

    def advance(self, now_s: float) -> list[Effect]:
        """Ask for a summary if one is due."""
        if self._is_under_way or now_s < self._asked_s + SPACING_S:
            return []
        wanted = self._input(now_s)
        if wanted is None or wanted == self._asked:
            return []
        self._asked, self._asked_s, self._is_under_way = wanted, now_s, True
        return [Summarise(*wanted)]

    def _input(self, now_s: float) -> _Input | None:
        """Models to combine, and all scores of them; None while some are not scored yet."""
        champion = self._models.champion
        if champion is None:
            return None
        models = {self._me: champion.version}
        for peer in self._roster.present(now_s):
            other = self._roster.cards[peer].champion
            if other is None:
                continue
            if not self._scores.is_settled(peer, other.version):
                return None
            is_new = other.version not in models.values()
            if is_new and self._scores.is_scored(peer, other.version):
                models[peer] = other.version
        chosen = tuple(sorted(models.items())[:MEMBERS_MAX])
        return chosen, self._scores_of(frozenset(chosen))

    def _scores_of(self, models: frozenset[tuple[PeerId, Digest]]) -> tuple[Score, ...]:
        mine = (*self._models.scores, *self._scores.scores)
        theirs = card_scores(self._roster.cards.values())
        return tuple(score for score in (*mine, *theirs) if (score.owner, score.version) in models)
