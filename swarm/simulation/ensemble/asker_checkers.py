"""AskerCheckers: what must hold after every event of an asker, and at a history's end."""

import math
from collections import defaultdict
from dataclasses import dataclass, field

from swarm.core.effects import Send
from swarm.core.ids import Digest, PeerId
from swarm.core.machine import Effect, Event
from swarm.ensemble.effects import (
    AnswersJudged,
    AskRequested,
    Combine,
    CountedAnswer,
    QuestionFailed,
)
from swarm.ensemble.latencies import PATIENCE_SHARE_MAX, size_of
from swarm.ensemble.messages import Answer, Question
from swarm.ensemble.questions import QUESTIONS_MAX
from swarm.ensemble.trust import JUDGED_ROWS
from swarm.simulation.checks import require
from swarm.simulation.ensemble.member_work import answers_of
from swarm.simulation.ensemble.peers import AskerPeer
from swarm.simulation.ensemble.simulator import EnsembleSimulator

TOLERANCE_S = 1e-6
SETTLED_AFTER_S = 12.0
"""Seconds after the last fault and an asker's start by which it knows all members and copies."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """A peer was asked."""

    version: Digest | None
    at_s: float
    is_known: bool
    """Whether the asker knew how long the peer takes, or waited for it in vain before."""


@dataclass(slots=True)
class _Asked:
    """A question under way."""

    request: AskRequested
    asked_s: float
    due_s: float
    present: tuple[PeerId, ...]
    num_able: int
    """Members that were present, have a model and their weight."""
    is_settled: bool
    sent: dict[tuple[PeerId, PeerId], "_Sent"] = field(default_factory=dict)
    """By owner and receiver."""
    came: dict[tuple[PeerId, PeerId], list[Answer]] = field(default_factory=dict)
    """Answers by owner and sender."""
    quorum_s: float = math.inf
    """When the quorum had answered."""

    def num_needed(self, quorum: float) -> int:
        return max(1, math.ceil(quorum * len(self.present) - TOLERANCE_S))


@dataclass(slots=True)
class _Life:
    """What was seen of one life of an asker."""

    open: dict[int, _Asked] = field(default_factory=dict)
    heard: set[tuple[PeerId, int]] = field(default_factory=set)
    """Peers that answered a question of a size, or were waited for until its deadline."""
    num_lies: int = 0
    """Rows of the liar that were judged."""


class AskerCheckers:
    """Watches the askers of an ensemble while it runs."""

    def __init__(self, simulator: EnsembleSimulator) -> None:
        self.used: dict[str, int] = {}
        self.num_combined = 0
        self.num_failed = 0
        self.num_copies = 0
        """Answers of copies that counted."""
        self._simulator = simulator
        self._lives: defaultdict[tuple[PeerId, int], _Life] = defaultdict(_Life)
        simulator.check_asker = self.check

    def check(self, peer: AskerPeer, event: Event, effects: list[Effect]) -> None:
        """Check an asker that has just handled an event.

        Raises:
            CheckError: A promise was broken.
        """
        life = self._lives[peer.name, peer.life]
        now_s = peer.own_s(self._simulator.now_s)
        if isinstance(event, AskRequested):
            self._begin(peer, life, event, now_s)
        if isinstance(event, Answer):
            self._note_answer(life, event, now_s)
        if isinstance(event, AnswersJudged):
            self._check_trust(peer, life, event)
        for effect in effects:
            if isinstance(effect, Send) and isinstance(effect.message, Question):
                self._note_sent(life, effect.peer, effect.message, now_s)
        for effect in effects:
            if isinstance(effect, Combine):
                self._check_combined(peer, life, effect, now_s)
            elif isinstance(effect, QuestionFailed):
                self._check_failed(peer, life, effect, now_s)
        self._check_open(peer, life, now_s)

    def check_end(self) -> None:
        """Check that the askers did get answers.

        Raises:
            CheckError: A promise was broken.
        """
        plan = self._simulator.plan
        if not plan.num_askers:
            return
        require(self.num_combined > self.num_failed, "most questions failed")
        require(self.num_copies or not plan.copies_answer, "no copy answered")

    # -- questions

    def _begin(self, peer: AskerPeer, life: _Life, event: AskRequested, now_s: float) -> None:
        machine, simulator = peer.machine, self._simulator
        within_s = event.within_s or simulator.spec.deadline_s
        present = machine.roster.present(now_s)
        cards = machine.roster.cards
        able = [p for p in present if cards[p].champion and p not in machine.distrusted]
        since_s = max(simulator.faults_over_s, peer.started_s)
        life.open[event.number] = _Asked(
            event,
            now_s,
            now_s + within_s,
            present,
            len(able),
            simulator.now_s >= since_s + SETTLED_AFTER_S,
        )

    def _note_sent(self, life: _Life, to: PeerId, question: Question, now_s: float) -> None:
        asked = life.open[question.number]
        is_known = (to, size_of(asked.request.rows.num_rows)) in life.heard
        asked.sent[question.owner, to] = _Sent(question.version, now_s, is_known)

    def _note_answer(self, life: _Life, answer: Answer, now_s: float) -> None:
        asked = life.open.get(answer.number)
        if asked is None or (answer.owner, answer.sender) not in asked.sent:
            return
        asked.came.setdefault((answer.owner, answer.sender), []).append(answer)
        life.heard.add((answer.sender, size_of(asked.request.rows.num_rows)))
        owners = {owner for owner, _ in asked.came if owner in asked.present}
        if len(owners) >= asked.num_needed(self._simulator.spec.quorum):
            asked.quorum_s = min(asked.quorum_s, now_s)

    def _check_combined(self, peer: AskerPeer, life: _Life, effect: Combine, now_s: float) -> None:
        asked = self._end(peer, life, effect.number, now_s)
        owners = [answer.owner for answer in effect.answers]
        require(len(owners) == len(set(owners)), f"{peer.name} counted an owner twice")
        for answer in effect.answers:
            self._check_answer(peer, asked, answer)
        distrusted = peer.machine.distrusted
        counting = [o for o in owners if o in asked.present and o not in distrusted]
        needed = asked.num_needed(self._simulator.spec.quorum)
        what = f"{peer.name} combined {len(counting)} answers that count, {needed} must"
        require(len(counting) >= needed, what)
        missing = dict(effect.missing)
        unnamed = set(asked.present) - set(owners) - set(missing)
        require(not unnamed, f"{peer.name} does not name {unnamed}")
        require(not set(owners) & set(missing), f"{peer.name} misses what it counted")
        require(all(missing.values()), f"{peer.name} misses answers for no reason")
        self._check_whole(peer, asked, set(owners), missing)
        self._check_patience(peer, life, asked, set(owners), now_s)
        self.num_combined += 1

    def _check_answer(self, peer: AskerPeer, asked: _Asked, answer: CountedAnswer) -> None:
        what = f"{peer.name} counted {answer.sender}'s answer for {answer.owner}"
        came = asked.came.get((answer.owner, answer.sender), [])
        require(came, f"{what}, which it was not asked for or has not given")
        first = came[0]
        is_first = (first.version, first.answers) == (answer.version, answer.answers)
        require(is_first, f"{what}, which is not the first")
        require(answer.answers.num_rows == asked.request.rows.num_rows, f"{what}: wrong rows")
        if answer.sender != answer.owner:
            version = asked.sent[answer.owner, answer.sender].version
            require(answer.version == version, f"{what}: a copy of another version")
            self.num_copies += 1
        if answer.sender != self._simulator.plan.liar:
            is_one = answer.answers.inline == answers_of(answer.version)
            require(is_one, f"{what}: two versions in one answer")

    def _check_whole(
        self, peer: AskerPeer, asked: _Asked, owners: set[PeerId], missing: dict[PeerId, str]
    ) -> None:
        """Check that nothing is missing where nothing goes wrong, or copies answer."""
        plan = self._simulator.plan
        if plan.all_answer and asked.is_settled and asked.due_s - asked.asked_s >= 1.0:
            wanted = set(peer.machine.roster.cards)
            require(owners >= wanted, f"{peer.name} misses {wanted - owners}: {missing}")

    def _check_patience(
        self, peer: AskerPeer, life: _Life, asked: _Asked, owners: set[PeerId], now_s: float
    ) -> None:
        """Check that members which the quorum does not need are waited for a short time only."""
        distrusted = peer.machine.distrusted
        late = {
            to: sent
            for (owner, to), sent in asked.sent.items()
            if owner not in owners and owner not in distrusted
        }
        within_s = asked.due_s - asked.asked_s
        if late and all(sent.is_known for sent in asked.sent.values()):
            last_s = max(sent.at_s for sent in asked.sent.values())
            until_s = max(asked.quorum_s, last_s + PATIENCE_SHARE_MAX * within_s)
            what = f"{peer.name} waits for {sorted(late)} without need"
            require(now_s <= until_s + TOLERANCE_S, what)
        if now_s >= asked.due_s - TOLERANCE_S:  # they were waited for in vain, once
            size = size_of(asked.request.rows.num_rows)
            life.heard |= {(to, size) for to in late}

    def _check_failed(
        self, peer: AskerPeer, life: _Life, effect: QuestionFailed, now_s: float
    ) -> None:
        asked = self._end(peer, life, effect.number, now_s)
        self.num_failed += 1
        needed = asked.num_needed(self._simulator.spec.quorum)
        if self._simulator.plan.none_fails and asked.due_s - asked.asked_s >= 1.0:
            has_enough = asked.num_able >= needed
            require(not has_enough, f"{peer.name}: a question failed: {effect.missing}")

    def _end(self, peer: AskerPeer, life: _Life, number: int, now_s: float) -> _Asked:
        asked = life.open.pop(number, None)
        if asked is None:
            raise AssertionError(f"{peer.name} ended question {number} twice, or never asked it")
        late_s = now_s - asked.due_s
        require(late_s <= TOLERANCE_S, f"{peer.name} ended a question {late_s:.3f} s too late")
        return asked

    def _check_open(self, peer: AskerPeer, life: _Life, now_s: float) -> None:
        overdue = [n for n, asked in life.open.items() if now_s > asked.due_s + TOLERANCE_S]
        require(not overdue, f"{peer.name} has not ended {overdue} by their deadline")
        number = peer.machine.num_under_way
        require(number == len(life.open), f"{peer.name} forgot a question")
        require(number <= QUESTIONS_MAX, f"{peer.name} has {number} questions under way")
        share = 100 * number // QUESTIONS_MAX
        self.used["questions"] = max(self.used.get("questions", 0), share)

    # -- weights

    def _check_trust(self, peer: AskerPeer, life: _Life, event: AnswersJudged) -> None:
        liar = self._simulator.plan.liar
        distrusted = peer.machine.distrusted
        honest = distrusted - {liar}
        require(not honest, f"{peer.name} distrusts {honest}, which answer well")
        life.num_lies += sum(rows for owner, rows, _ in event.verdicts if owner == liar)
        if life.num_lies >= JUDGED_ROWS and liar is not None:
            require(liar in distrusted, f"{peer.name} trusts {liar} after {life.num_lies} rows")
