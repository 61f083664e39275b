"""MemberModels: a member's champion, its challenger in the shadow, and the previous champion.

The first model answers at once. Each later one is a challenger, which answers in the shadow. It
takes over when the shadow period is over and it is not worse than the champion, in validation and
on recent labelled rows.
"""

from dataclasses import replace

from swarm.core.ids import Digest
from swarm.core.machine import Effect
from swarm.ensemble.effects import Compare, Compared, MemberStarted, Note
from swarm.ensemble.member_settings import MemberSettings
from swarm.ensemble.records import Comparison, ModelRecord, Score

COMPARE_EVERY_S = 5.0
"""Least seconds between two comparisons; rows may come many times a second."""
COMPARE_AGAIN_S = 120.0
"""A comparison that was not answered for this long is asked for again."""


class MemberModels:
    """Decides which model answers.

    Invariants:
        Once there is a champion there always is one.
        Champion, challenger and previous are different versions.
        A challenger takes over by itself only after its shadow period.
    """

    def __init__(self, settings: MemberSettings) -> None:
        self.champion: ModelRecord | None = None
        self.challenger: ModelRecord | None = None
        self.previous: ModelRecord | None = None
        self._settings = settings
        self._scores: dict[Digest, Score] = {}
        self._since_s = 0.0
        """When the challenger began to answer in the shadow."""
        self._num_shadow = 0
        self._difference = 0.0
        """Sum over rows in the shadow of the difference between the two models' answers."""
        self._compared: Comparison | None = None
        self._num_wanted = self._num_asked = self._num_done = 0
        """Comparisons that were wanted; the last of them that was asked for, and answered."""
        self._asked_s = float("-inf")
        self._shadow_was_over = False

    @property
    def kept(self) -> tuple[ModelRecord, ...]:
        """The models that this member keeps."""
        every = (self.champion, self.challenger, self.previous)
        return tuple(model for model in every if model is not None)

    @property
    def fitted(self) -> frozenset[Digest]:
        """Versions that were fitted here: those that are kept, and others of this life."""
        return frozenset((*self._scores, *(model.version for model in self.kept)))

    @property
    def scores(self) -> tuple[Score, ...]:
        """Out-of-fold scores of the models that this member keeps."""
        versions = [model.version for model in self.kept]
        return tuple(self._scores[version] for version in versions if version in self._scores)

    @property
    def comparison(self) -> Comparison | None:
        """Champion and challenger so far; None while there is no challenger."""
        if self.challenger is None:
            return None
        mean = self._difference / self._num_shadow if self._num_shadow else 0.0
        compared = self._compared or Comparison()
        return replace(compared, num_shadow=self._num_shadow, disagreement=mean)

    @property
    def shadow(self) -> Digest | None:
        """The version that is to answer in the shadow; None if none has to, or has done so."""
        if self.challenger is None or self._num_shadow >= self._settings.shadow_rows:
            return None
        return self.challenger.version

    def resume(self, event: MemberStarted, now_s: float) -> None:
        """Take up the models of an earlier life. A challenger's shadow period begins again."""
        self.champion, self.previous = event.champion, event.previous
        self._scores = {score.version: score for score in event.scores}
        if event.challenger is not None:
            self._challenge(event.challenger, now_s)

    def take_fitted(self, model: ModelRecord, score: Score, now_s: float) -> list[Effect]:
        """Take a model that was fitted here: as champion if it is the first."""
        if self.champion is None:
            self._scores[model.version] = score
            self.champion = model
            return [Note("serves", f"its first model, {_in_words(model)}")]
        if model.version in (self.champion.version, self._challenger_version()):
            return [Note("fitted", "the new model equals the one that is there; nothing changes")]
        if self.previous is not None and self.previous.version == model.version:
            self.previous = None
        self._scores[model.version] = score
        self._challenge(model, now_s)
        return [Note("challenges", f"{_in_words(model)} answers in the shadow")]

    def note_shadow(self, challenger: Digest | None, num_rows: int, difference: float) -> None:
        """Note rows that the challenger answered too.

        Args:
            challenger: Its version.
            num_rows: Number of rows.
            difference: Mean absolute difference to the champion's answers.
        """
        if challenger is not None and challenger == self._challenger_version():
            self._num_shadow += num_rows
            self._difference += num_rows * difference

    def want_comparison(self) -> None:
        """Compare champion and challenger anew: labelled rows came."""
        if self.challenger is not None:
            self._num_wanted += 1

    def take_comparison(self, event: Compared, now_s: float) -> list[Effect]:
        """Take a comparison. The challenger takes over if it may and is not worse."""
        champion, challenger = self.champion, self.challenger
        if champion is None or challenger is None:
            return []
        if (event.champion, event.challenger) != (champion.version, challenger.version):
            return []
        if event.comparison is None:
            return []
        self._num_done = self._num_asked
        self._compared = event.comparison
        if self._shadow_is_over(now_s) and self._is_not_worse(event.comparison):
            return self._take_over(challenger, "is not worse")
        return []

    def promote(self) -> list[Effect]:
        """Let the challenger answer from now on, as the user wants."""
        if self.challenger is None:
            return [Note("not promoted", "there is no challenger")]
        return self._take_over(self.challenger, "was promoted")

    def roll_back(self) -> list[Effect]:
        """Let the previous champion answer again, as the user wants."""
        if self.previous is None:
            return [Note("not rolled back", "there is no previous model")]
        self.champion, self.previous = self.previous, self.champion
        self._restart_shadow_comparison()
        return [Note("rolled back", f"{_in_words(self.champion)} answers again")]

    def advance(self, now_s: float) -> list[Effect]:
        """Ask for a comparison if one is due."""
        if self.champion is None or self.challenger is None:
            return []
        if self._shadow_is_over(now_s) and not self._shadow_was_over:
            self._shadow_was_over = True
            self._num_wanted += 1
        is_under_way = self._num_asked != self._num_done
        spacing_s = COMPARE_AGAIN_S if is_under_way else COMPARE_EVERY_S
        if self._num_wanted == self._num_done or now_s < self._asked_s + spacing_s:
            return []
        self._num_asked, self._asked_s = self._num_wanted, now_s
        return [Compare(self.champion.version, self.challenger.version)]

    def _challenge(self, model: ModelRecord, now_s: float) -> None:
        self.challenger = model
        self._since_s = now_s
        self._num_shadow, self._difference = 0, 0.0
        self._restart_shadow_comparison()

    def _restart_shadow_comparison(self) -> None:
        self._compared = None
        self._shadow_was_over = False
        self._num_wanted += 1
        self._num_asked = self._num_done
        self._asked_s = float("-inf")

    def _take_over(self, challenger: ModelRecord, why: str) -> list[Effect]:
        self.previous, self.champion, self.challenger = self.champion, challenger, None
        return [Note("takes over", f"{_in_words(challenger)} answers from now on: it {why}")]

    def _shadow_is_over(self, now_s: float) -> bool:
        is_long_enough = now_s >= self._since_s + self._settings.shadow_s
        return is_long_enough or self._num_shadow >= self._settings.shadow_rows

    def _is_not_worse(self, compared: Comparison) -> bool:
        factor = 1 + self._settings.tolerance
        if compared.challenger_validation > factor * compared.champion_validation:
            return False
        return compared.challenger_recent <= factor * compared.champion_recent

    def _challenger_version(self) -> Digest | None:
        return self.challenger.version if self.challenger is not None else None


def _in_words(model: ModelRecord) -> str:
    return f"{model.learner} {model.version[:8]} of {model.num_rows} rows"
