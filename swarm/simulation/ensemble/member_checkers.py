"""MemberCheckers: what must hold after every event of a member, and at a history's end."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from swarm.core.effects import KeepBlobs, Publish, Send
from swarm.core.ids import Digest, PeerId
from swarm.core.machine import Effect, Event
from swarm.ensemble.effects import (
    Compared,
    Fit,
    FitFailed,
    FitRequested,
    Fitted,
    MemberStarted,
    NotPredicted,
    Predict,
    Predicted,
    PromoteRequested,
    RollbackRequested,
    RowsChanged,
    SaveMember,
    ShareRows,
)
from swarm.ensemble.messages import Answer, FitOrder, MemberCard, Question, Refusal
from swarm.simulation.checks import require
from swarm.simulation.ensemble.agreement import disagreement
from swarm.simulation.ensemble.member_work import answers_of, loss_of
from swarm.simulation.ensemble.peers import MemberPeer
from swarm.simulation.ensemble.simulator import EnsembleSimulator

_Key = tuple[PeerId, int, PeerId]


@dataclass(slots=True)
class _Watched:
    """What was seen of one member."""

    card: int = 0
    """Greatest number of a card that was published, over all lives."""
    champion: Digest | None = None
    challenger: Digest | None = None
    challenges_since_s: float = 0.0
    num_shadow: int = 0
    orders: set[tuple[PeerId, int]] = field(default_factory=set)
    """Orders that were received or given, over all lives."""
    own_order: int = -1
    """Greatest number of an order that was given, over all lives."""
    fit_s: float = float("-inf")
    """When the last fit began in this life."""
    is_fit_ordered: bool = True
    """Whether only others' orders can have caused the next fit."""
    num_fits: int = 0
    num_own_fits: int = 0
    """Fits that a first model, rows or the user's own wish explain."""
    open_questions: dict[_Key, float] = field(default_factory=dict)
    """Questions that came in this life, and when they are due, by the member's clock."""
    spent: dict[PeerId, list[tuple[float, int]]] = field(default_factory=dict)
    """Rows that were begun for each asker in this life, and when."""
    begun: dict[_Key, Digest] = field(default_factory=dict)
    """Versions of questions that the serving process has."""


class MemberCheckers:
    """Watches the members of an ensemble while it runs."""

    def __init__(self, simulator: EnsembleSimulator) -> None:
        self.used: dict[str, int] = {}
        """Empty: no bounds of which shares are reported."""
        self.outcomes: Counter[str] = Counter()
        """How questions of strangers ended."""
        self._simulator = simulator
        self._watched: defaultdict[PeerId, _Watched] = defaultdict(_Watched)
        simulator.check = self.check

    def check(self, peer: MemberPeer, event: Event, effects: list[Effect]) -> None:
        """Check a member that has just handled an event.

        Raises:
            CheckError: A promise was broken.
        """
        seen = self._watched[peer.name]
        if isinstance(event, MemberStarted):
            self._begin_life(peer, seen, event)
        self._check_cards(peer, seen, effects)
        self._check_fits(peer, seen, event, effects)
        self._check_models(peer, seen, event)
        self._check_questions(peer, seen, event, effects)
        self._check_blobs(peer, effects)

    def check_end(self) -> None:
        """Check that all live members know all of each other.

        Raises:
            CheckError: A promise was broken.
        """
        simulator = self._simulator
        missing = disagreement(simulator.members, simulator.spec)
        require(simulator.over, f"the members did not agree: {missing or 'faults are left'}")

    # -- cards and saved state

    def _begin_life(self, peer: MemberPeer, seen: _Watched, event: MemberStarted) -> None:
        require(event.card >= seen.card, f"{peer.name} restarted with card {event.card}")
        seen.open_questions.clear()
        seen.begun.clear()
        seen.spent.clear()
        seen.fit_s = float("-inf")
        seen.champion = event.champion.version if event.champion is not None else None
        seen.challenger = event.challenger.version if event.challenger is not None else None
        seen.challenges_since_s, seen.num_shadow = peer.own_s(self._simulator.now_s), 0

    def _check_cards(self, peer: MemberPeer, seen: _Watched, effects: list[Effect]) -> None:
        saved = peer.saved
        is_saved = False
        for effect in effects:
            is_saved = is_saved or isinstance(effect, SaveMember)
            if not isinstance(effect, Publish) or not isinstance(effect.message, MemberCard):
                continue
            card = effect.message
            require(card.number > seen.card, f"{peer.name} published card {card.number} twice")
            seen.card = card.number
            require(is_saved, f"{peer.name} published a card before it saved its number")
            require(
                saved is not None and saved.card == card.number,
                f"{peer.name} published card {card.number} and saved another number",
            )
        if saved is not None and not peer.left:
            models = peer.machine.models
            state = (models.champion, models.challenger, models.previous)
            is_like_saved = state == (saved.champion, saved.challenger, saved.previous)
            require(is_like_saved, f"{peer.name} serves what it did not save")

    # -- fits and models

    def _check_fits(
        self, peer: MemberPeer, seen: _Watched, event: Event, effects: list[Effect]
    ) -> None:
        require(len(peer.fits) <= 1, f"{peer.name} runs {len(peer.fits)} fits at once")
        if isinstance(event, FitOrder):
            seen.orders.add((event.sender, event.number))
        if _is_behind(event) or isinstance(event, (FitFailed, FitRequested, RowsChanged)):
            seen.num_own_fits += 1
            seen.is_fit_ordered = False
        for effect in effects:
            if isinstance(effect, Publish) and isinstance(effect.message, FitOrder):
                number = effect.message.number
                require(number > seen.own_order, f"{peer.name} numbered two orders {number}")
                seen.own_order = number
                seen.orders.add((peer.name, number))
            if isinstance(effect, Fit):
                self._check_spacing(peer, seen)
        explained = len(seen.orders) + seen.num_own_fits
        require(
            seen.num_fits <= explained,
            f"{peer.name} fitted {seen.num_fits} times, not {explained}",
        )

    def _check_spacing(self, peer: MemberPeer, seen: _Watched) -> None:
        now_s = peer.own_s(self._simulator.now_s)
        spacing_s = now_s - seen.fit_s
        is_spaced = spacing_s >= self._simulator.settings.fit_every_s - 1e-6
        require(
            is_spaced or not seen.is_fit_ordered,
            f"{peer.name} obeyed orders {spacing_s:.1f} s after each other",
        )
        seen.num_fits += 1
        seen.fit_s, seen.is_fit_ordered = now_s, True

    def _check_models(self, peer: MemberPeer, seen: _Watched, event: Event) -> None:
        models, now_s = peer.machine.models, peer.own_s(self._simulator.now_s)
        champion = models.champion.version if models.champion is not None else None
        challenger = models.challenger.version if models.challenger is not None else None
        if champion != seen.champion:
            self._check_change(peer, seen, event, champion)
            seen.champion = champion
        if challenger != seen.challenger:
            seen.challenger = challenger
            seen.challenges_since_s, seen.num_shadow = now_s, 0
        is_served = peer.served.champion == champion and peer.served.challenger == challenger
        require(is_served or peer.left, f"{peer.name} does not serve its models")

    def _check_change(
        self, peer: MemberPeer, seen: _Watched, event: Event, champion: Digest | None
    ) -> None:
        """Check that another champion answers only for a reason."""
        if isinstance(event, (PromoteRequested, RollbackRequested)):
            return
        if isinstance(event, Fitted):
            require(seen.champion is None, f"{peer.name} let a new model answer at once")
            return
        require(isinstance(event, Compared), f"{peer.name} changed its champion for no reason")
        require(champion == seen.challenger, f"{peer.name} has a champion that never challenged")
        settings, now_s = self._simulator.settings, peer.own_s(self._simulator.now_s)
        is_over = now_s - seen.challenges_since_s >= settings.shadow_s - 1e-6
        is_over = is_over or seen.num_shadow >= settings.shadow_rows
        require(is_over, f"{peer.name} let a challenger take over before its time")
        if champion is not None and seen.champion is not None:
            is_worse = loss_of(champion) > loss_of(seen.champion)
            require(not is_worse, f"{peer.name} let a worse challenger take over")

    # -- questions

    def _check_questions(
        self, peer: MemberPeer, seen: _Watched, event: Event, effects: list[Effect]
    ) -> None:
        limits, now_s = self._simulator.settings.serving, peer.own_s(self._simulator.now_s)
        if isinstance(event, Question):
            key = (event.sender, event.number, event.owner)
            due_s = now_s + event.within_s
            seen.open_questions[key] = max(due_s, seen.open_questions.get(key, 0.0))
        version = None
        if isinstance(event, (Predicted, NotPredicted)):
            version = seen.begun.pop((event.asker, event.number, event.owner), None)
        for effect in effects:
            if isinstance(effect, Predict):
                self._check_begun(peer, seen, effect, now_s)
            if isinstance(effect, Send):
                self._check_closed(peer, seen, effect, version, now_s)
        require(
            peer.num_predicting <= limits.at_once,
            f"{peer.name} has {peer.num_predicting} questions in its serving process",
        )
        waiting = sum(due_s > now_s for due_s in seen.open_questions.values())
        require(waiting <= limits.questions_max, f"{peer.name} lets {waiting} questions wait")

    def _check_begun(
        self, peer: MemberPeer, seen: _Watched, effect: Predict, now_s: float
    ) -> None:
        key = (effect.asker, effect.number, effect.owner)
        require(now_s < seen.open_questions.get(key, 0.0), f"{peer.name} began a late question")
        require(key not in seen.begun, f"{peer.name} began a question twice")
        seen.begun[key] = effect.version
        copies = {model.version for model in peer.served.copies}
        is_champion = effect.owner == peer.name and effect.version == peer.served.champion
        require(
            is_champion or effect.version in copies,
            f"{peer.name} answers with a model that it does not serve",
        )
        if effect.shadow is not None:
            seen.num_shadow += effect.rows.num_rows
        self._check_allowed(peer, seen, effect, now_s)

    def _check_allowed(
        self, peer: MemberPeer, seen: _Watched, effect: Predict, now_s: float
    ) -> None:
        limits, asker = self._simulator.settings.serving, effect.asker
        is_allowed = not limits.ask_from or asker in limits.ask_from
        require(is_allowed, f"{peer.name} answers {asker}, which may not ask")
        spent = [each for each in seen.spent.get(asker, ()) if each[0] > now_s - limits.budget_s]
        seen.spent[asker] = [*spent, (now_s, effect.rows.num_rows)]
        num_rows = sum(number for _, number in seen.spent[asker])
        is_within = not limits.budget_rows or num_rows <= 2 * limits.budget_rows
        require(is_within, f"{peer.name} answered {num_rows} rows of {asker} in one period")

    def _check_closed(
        self,
        peer: MemberPeer,
        seen: _Watched,
        effect: Send,
        version: Digest | None,
        now_s: float,
    ) -> None:
        message = effect.message
        if not isinstance(message, (Answer, Refusal)):
            return
        key = (effect.peer, message.number, message.owner)
        require(key in seen.open_questions, f"{peer.name} answered a question twice or unasked")
        due_s = seen.open_questions.pop(key)
        if isinstance(message, Refusal):
            self.outcomes[message.reason] += 1
            return
        self.outcomes["answered"] += 1
        require(now_s <= due_s, f"{peer.name} sent an answer that is late")
        is_one = message.version == version and message.answers.inline == answers_of(version)
        require(is_one, f"{peer.name} mixed two versions in one answer")

    # -- blobs

    def _check_blobs(self, peer: MemberPeer, effects: list[Effect]) -> None:
        """Check that a member holds what others may fetch from it, and sends only what it may."""
        for effect in effects:
            require(
                self._simulator.settings.shares_rows or not isinstance(effect, ShareRows),
                f"{peer.name} sends rows that its user does not share",
            )
        models = peer.machine.models
        every = (models.champion, models.challenger, models.previous)
        own = {model.version for model in every if model is not None and model.blob is not None}
        if any(isinstance(effect, KeepBlobs) for effect in effects):
            require(own <= peer.store, f"{peer.name} deleted a model of its own")


def _is_behind(event: Event) -> bool:
    """Whether a member starts without a model of all its rows; then it may fit at once."""
    if not isinstance(event, MemberStarted):
        return False
    newest = event.challenger or event.champion
    return newest is None or newest.num_rows != event.num_rows
