"""ModelScores: what is known here of other members' models: scores, refusals, copies.

Which models there are is said by the cards of the others. Parts that score them ask this one what
is left to do, and note what came of it.
"""

from collections.abc import Collection, Iterable

from swarm.core.ids import Digest, PeerId
from swarm.ensemble.messages import SCORES_MAX, MemberCard
from swarm.ensemble.records import MEMBERS_MAX, ModelRecord, RefusedModel, Score
from swarm.ensemble.roster import Roster

RETRY_S = 5.0
RETRY_MAX_S = 120.0
TRIES_MAX = 5
"""After this many tries that did not come about a model is refused: no summary waits for it."""
REFUSED_RETRY_S = 1800.0
"""Such a refusal stands for this long; then the model is tried once more."""
REFUSED_MAX = 64
"""Refusals in a card: all scores and refusals must fit in one published message."""
REASON_LENGTH_MAX = 120
COPY = "it is a copy of this member's own model"
Model = tuple[PeerId, Digest]
"""Owner and version; two members may have equal models."""


class ModelScores:
    """Scores of other members' models on this member's rows.

    Invariants:
        A model is scored or refused here, or neither; never both.
        A model that could not be tried is refused after `TRIES_MAX` tries, for a while.
        What is said of a model is forgotten when no card names it any more.
    """

    def __init__(self, roster: Roster, *, keeps: bool) -> None:
        """Make it.

        Args:
            roster: The other members.
            keeps: Whether models are kept, to answer for lost members.
        """
        self.copies: dict[PeerId, ModelRecord] = {}
        """Models that this member can answer with."""
        self._roster = roster
        self._keeps = keeps
        self._scores: dict[Model, Score] = {}
        self._refused: dict[Model, RefusedModel] = {}
        self._outdated: set[Model] = set()
        """Models to score again; until then their scores stand."""
        self._retries: dict[Model, tuple[int, float]] = {}
        """How often scoring did not come about, and when it is tried again."""

    @property
    def scores(self) -> tuple[Score, ...]:
        """Scores of others' models: champions first, in the order of owners."""
        return tuple(self._scores[key] for key in self._named() if key in self._scores)[
            : SCORES_MAX - 3
        ]

    @property
    def refused(self) -> tuple[RefusedModel, ...]:
        """Models that were refused, in the same order; at most `REFUSED_MAX`."""
        return tuple(self._refused[key] for key in self._named() if key in self._refused)[
            :REFUSED_MAX
        ]

    def to_score(self, now_s: float, *, at_home: bool) -> list[tuple[PeerId, ModelRecord]]:
        """Models of present members that are to be scored now: champions first.

        Challengers that travel are scored too, so that their scores are known when they take over.

        Args:
            now_s: Now.
            at_home: Whether those that stay at home are meant, or those that travel.
        """
        cards = [self._roster.cards[peer] for peer in self._roster.present(now_s)]
        champions = [(card.sender, card.champion) for card in cards]
        challengers = [(card.sender, card.challenger) for card in cards if not at_home]
        return [
            (owner, model)
            for owner, model in (*champions, *challengers)
            if model is not None
            and (model.blob is None) == at_home
            and self._is_open((owner, model.version), now_s)
        ]

    def is_scored(self, owner: PeerId, version: Digest) -> bool:
        """Whether there is a score on the rows of today."""
        key = (owner, version)
        return key in self._scores and key not in self._outdated

    def is_settled(self, owner: PeerId, version: Digest) -> bool:
        """Whether a model was scored or refused."""
        return self.is_scored(owner, version) or (owner, version) in self._refused

    def take_score(self, model: ModelRecord, score: Score) -> None:
        """Note a score. A copy of a champion is kept, if members keep models."""
        key = (score.owner, score.version)
        self._settle(key)
        self._scores[key] = score
        card = self._roster.card(score.owner)
        is_champion = card is not None and card.champion == model
        if self._keeps and is_champion and model.blob is not None:
            self._keep(score.owner, model)

    def refuse(self, owner: PeerId, version: Digest, reason: str) -> None:
        """Note that a model was refused, and why: in ASCII, cut to `REASON_LENGTH_MAX`."""
        key = (owner, version)
        self._settle(key)
        self._scores.pop(key, None)
        words = reason.encode("ascii", "replace").decode("ascii")[:REASON_LENGTH_MAX]
        self._refused[key] = RefusedModel(owner, version, words)

    def retry_later(self, owner: PeerId, version: Digest, reason: str, now_s: float) -> None:
        """Try to score a model again later; after `TRIES_MAX` tries, refuse it until then.

        Args:
            owner: Its owner.
            version: Its version.
            reason: Why scoring did not come about.
            now_s: Now.
        """
        key = (owner, version)
        num = self._retries.get(key, (0, 0.0))[0] + 1
        delay_s = min(RETRY_S * 2 ** min(num - 1, 10), RETRY_MAX_S)
        if num >= TRIES_MAX and not self.is_scored(*key):
            self.refuse(owner, version, reason)
            delay_s = REFUSED_RETRY_S
        self._retries[key] = (num, now_s + delay_s)

    def refuse_copies(self, own: Collection[Digest]) -> None:
        """Refuse others' models that are this member's own: it was fitted on the rows here.

        Args:
            own: Versions that were fitted here.
        """
        for owner, version in self._named():
            if version in own and not self._is_refused_for_good((owner, version)):
                self.refuse(owner, version, COPY)

    def score_again(self) -> None:
        """Score all models again: this member's validation rows are others now."""
        self._outdated = set(self._scores)
        self._refused.clear()
        self._retries.clear()

    def forget_old(self) -> None:
        """Forget models that no card names any more, and copies that have a successor.

        The copy of a member that left is kept: it is what a copy is for.
        """
        named = set(self._named())
        for table in (self._scores, self._refused, self._retries):
            for key in [key for key in table if key not in named]:
                del table[key]
        self._outdated &= named
        for owner, model in tuple(self.copies.items()):
            card = self._roster.card(owner)
            champion = card.champion if card is not None else None
            is_replaced = champion is not None and champion.version != model.version
            if champion is not None and is_replaced and self.is_settled(owner, champion.version):
                del self.copies[owner]

    def _keep(self, owner: PeerId, model: ModelRecord) -> None:
        if owner not in self.copies and len(self.copies) >= MEMBERS_MAX:
            gone = (peer for peer in self.copies if self._roster.card(peer) is None)
            self.copies.pop(next(gone, next(iter(self.copies))))
        self.copies[owner] = model

    def _is_open(self, key: Model, now_s: float) -> bool:
        _, due_s = self._retries.get(key, (0, now_s))
        return now_s >= due_s and (
            self._lacks_copy(key) or not (self.is_scored(*key) or self._is_refused_for_good(key))
        )

    def _is_refused_for_good(self, key: Model) -> bool:
        """Whether a model was refused for what it is, not because it could not be tried."""
        return key in self._refused and key not in self._retries

    def _lacks_copy(self, key: Model) -> bool:
        """Whether a champion is to be kept and is not: it was scored as a challenger."""
        owner, version = key
        card, copy = self._roster.card(owner), self.copies.get(owner)
        champion = card.champion if card is not None else None
        if not self._keeps or key in self._refused or champion is None or champion.blob is None:
            return False
        is_copied = copy is not None and copy.version == version
        return champion.version == version and not is_copied

    def _settle(self, key: Model) -> None:
        self._outdated.discard(key)
        self._refused.pop(key, None)
        self._retries.pop(key, None)

    def _named(self) -> list[Model]:
        """All models that the cards name: champions, then challengers, then previous ones."""
        cards = self._roster.cards.values()
        return [
            *_versions((card, card.champion) for card in cards),
            *_versions((card, card.challenger) for card in cards),
            *_versions((card, card.previous) for card in cards),
        ]


def _versions(models: Iterable[tuple[MemberCard, ModelRecord | None]]) -> list[Model]:
    return [(card.sender, model.version) for card, model in models if model is not None]
