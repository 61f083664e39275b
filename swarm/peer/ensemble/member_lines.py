"""MemberLines: what happens at a member, as lines for its user."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping

import trio

from swarm.core.errors import SwarmError
from swarm.core.ids import Digest, PeerId
from swarm.ensemble.messages import MemberCard
from swarm.ensemble.records import ModelRecord, Score
from swarm.ensemble.spec import EnsembleSpec
from swarm.peer.ensemble.member_driver import MemberDriver
from swarm.peer.ensemble.prediction import SHORT_ID

LOOK_EVERY_S = 2.0
"""A member that falls silent causes no event."""
PROGRESS_STEP = 0.25
SHOWN = 8
"""First characters of a version that are shown."""


class MemberLines:
    """Compares each state of a member with the one before.

    Each line says one thing, and says it once.
    """

    def __init__(self, spec: EnsembleSpec, address: str) -> None:
        self._spec = spec
        self._address = address
        self._said_progress = -1.0
        self._champion: Digest | None = None
        self._challenger: Digest | None = None
        self._detail = ""
        self._present: set[PeerId] = set()
        self._judged: set[tuple[PeerId, Digest]] = set()
        self._num_models = 0

    def news(
        self, card: MemberCard, others: Mapping[PeerId, MemberCard], present: Iterable[PeerId]
    ) -> Iterator[str]:
        """What is new.

        Args:
            card: This member's own.
            others: The other members' cards.
            present: Those of the others that were heard lately.
        """
        here = set(present)
        yield from self._presence(others, here)
        yield from self._fitting(card)
        yield from self._models(card)
        yield from self._scores(card)
        yield from self._readiness(card, [others[peer] for peer in here])

    def _presence(self, others: Mapping[PeerId, MemberCard], here: set[PeerId]) -> Iterator[str]:
        for peer in sorted(here - self._present):
            yield f"Member {short(peer)} is here, with {others[peer].num_rows} rows."
        for peer in sorted(self._present - here):
            yield f"Member {short(peer)} is gone."
        self._present = here

    def _fitting(self, card: MemberCard) -> Iterator[str]:
        if card.detail != self._detail:
            self._detail = card.detail
            if card.detail:
                yield f"{card.detail[:1].upper()}{card.detail[1:]}."
        if card.state != "fitting":
            self._said_progress = -1.0
            return
        step = math.floor(card.progress / PROGRESS_STEP) * PROGRESS_STEP
        if step > self._said_progress:
            self._said_progress = step
            yield f"Fitting on {card.num_rows} rows: {step:.0%}"

    def _models(self, card: MemberCard) -> Iterator[str]:
        if card.challenger is not None and card.challenger.version != self._challenger:
            yield f"{self._fitted(card.challenger, card)} It answers in the shadow for now."
        self._challenger = card.challenger.version if card.challenger is not None else None
        if card.champion is not None and card.champion.version != self._champion:
            yield f"{self._fitted(card.champion, card)} It answers from now on."
            self._champion = card.champion.version

    def _fitted(self, model: ModelRecord, card: MemberCard) -> str:
        said = (
            f"Model {model.version[:SHOWN]}: {model.learner}, fitted on {model.num_rows} rows "
            f"in {model.fit_s:.1f} s."
        )
        own = [s for s in card.scores if s.version == model.version and s.is_own]
        return f"{said} Out of fold: {self._in_words(own[0])}." if own else said

    def _scores(self, card: MemberCard) -> Iterator[str]:
        for score in card.scores:
            key = (score.owner, score.version)
            if not score.is_own and key not in self._judged:
                self._judged.add(key)
                yield (
                    f"Model {score.version[:SHOWN]} of {short(score.owner)}, on "
                    f"{score.num_rows} rows here: {self._in_words(score)}."
                )
        for refused in card.refused:
            key = (refused.owner, refused.version)
            if key not in self._judged:
                self._judged.add(key)
                yield (
                    f"Model {refused.version[:SHOWN]} of {short(refused.owner)} is refused: "
                    f"{refused.reason}."
                )

    def _readiness(self, card: MemberCard, others: list[MemberCard]) -> Iterator[str]:
        every = [card, *others]
        num_models = sum(one.champion is not None for one in every)
        if num_models != self._num_models and num_models and card.champion is not None:
            yield (
                f"{num_models} of {len(every)} members answer. Ask with: "
                f"python -m swarm.ensemble predict --csv ROWS.csv --bootstrap {self._address}"
            )
        self._num_models = num_models

    def _in_words(self, score: Score) -> str:
        spec = self._spec
        value = score.loss if spec.metric == "log-loss" else math.sqrt(score.loss)
        base = score.base_loss if spec.metric == "log-loss" else math.sqrt(score.base_loss)
        return f"{spec.metric} {value:.4g} (a constant has {base:.4g})"


async def show_member(driver: MemberDriver, address: str, say: Callable[[str], None]) -> None:
    """Print what happens, until the member's machine ends.

    Raises:
        SwarmError: The machine failed.
    """
    machine = driver.machine
    lines = MemberLines(machine.spec, address)
    while driver.broken is None:
        roster = machine.roster
        present = roster.present(trio.current_time())
        for line in lines.news(machine.card(), roster.cards, present):
            say(line)
        with trio.move_on_after(LOOK_EVERY_S):
            await driver.changed.wait()
    raise SwarmError(f"this member of ensemble {machine.spec.name!r} failed: {driver.broken}")


def short(peer: PeerId) -> str:
    """The end of a peer's id, which tells it apart."""
    return f"...{peer[-SHORT_ID:]}"
