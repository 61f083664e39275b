"""Asker: one peer's questions to an ensemble, and which answers count.

`handle` looks up the handler of an event in the table at the end of this module. Afterwards the
questions that are over end, and the one timer is set for the next that is due.
"""

import math
from collections.abc import Callable
from typing import Any

from swarm.core.blobs import BlobRef
from swarm.core.effects import (
    BlobArrived,
    BlobMissing,
    KeepBlobs,
    KeepConnected,
    PeerConnected,
    PeerUnreachable,
    Publish,
    Send,
    Subscribe,
    Unsubscribe,
)
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event, SetTimer, TimerFired
from swarm.ensemble import effects, messages
from swarm.ensemble.latencies import Latencies
from swarm.ensemble.questions import Questions
from swarm.ensemble.roster import HEARTBEAT_EVERY_S, Roster
from swarm.ensemble.spec import EnsembleSpec
from swarm.ensemble.topics import ensemble_topic
from swarm.ensemble.trust import Trust

TICK = "asker.tick"
DUE = "asker.due"
LEAVING = "this peer leaves the ensemble"


class Asker:
    """Asks the members of one ensemble.

    Invariants:
        Each `AskRequested` ends with one `Combine` or one `QuestionFailed`, by its deadline.
        An owner's answer counts once in a question, of one version of its model.
        `Combine` has answers of at least the quorum of the members that were present.
    """

    def __init__(self, me: PeerId, spec: EnsembleSpec) -> None:
        self.me = me
        self.spec = spec
        self.roster = Roster()
        """All members, also the one on this host."""
        self._topic = ensemble_topic(spec.id)
        self._latencies = Latencies()
        self._trust = Trust()
        self._questions = Questions(me, spec, self.roster, self._latencies, self._trust)
        self._kept: frozenset[BlobRef] = frozenset()
        self._connected: tuple[PeerId, ...] = ()
        self._timer_s = math.inf
        """When the timer of the next question is due."""
        self._has_left = False

    @property
    def distrusted(self) -> frozenset[PeerId]:
        """Members whose answers have no weight."""
        return self._trust.distrusted

    @property
    def distrust_reasons(self) -> dict[PeerId, str]:
        """Members whose answers have no weight, and why, in words."""
        return self._trust.reasons

    @property
    def num_under_way(self) -> int:
        """Questions under way."""
        return self._questions.num_open

    def handle(self, event: Event, now_s: float) -> list[Effect]:
        """Apply one event; see `swarm.core.machine`."""
        handler = _HANDLERS.get(type(event))
        is_ours = getattr(event, "ensemble", self.spec.id) == self.spec.id
        if handler is None or not is_ours:
            return []
        asked = handler(self, event, now_s)
        asked += self._questions.advance(now_s)
        return self._keep() + asked + self._set_timer()

    # -- life

    def _on_started(self, _: effects.AskerStarted, now_s: float) -> list[Effect]:
        request = messages.CardRequest(self.spec.id, self.me)
        return [Subscribe(self._topic), Publish(self._topic, request), *self._tick(now_s)]

    def _on_timer(self, event: TimerFired, now_s: float) -> list[Effect]:
        if event.name == DUE:
            self._timer_s = math.inf
        return self._tick(now_s) if event.name == TICK else []

    def _tick(self, now_s: float) -> list[Effect]:
        if self._has_left:
            return []
        known = self.roster.cards.keys()
        self._trust.retain(known)
        self._latencies.retain(known)
        return [SetTimer(TICK, now_s + HEARTBEAT_EVERY_S), *self._connect(now_s)]

    def _connect(self, now_s: float) -> list[Effect]:
        """Keep connections with all members that are present, so that questions go out at once."""
        present = tuple(peer for peer in self.roster.present(now_s) if peer != self.me)
        if present == self._connected:
            return []
        self._connected = present
        return [KeepConnected(present)]

    def _on_leave_requested(self, _: effects.LeaveRequested, __: float) -> list[Effect]:
        self._has_left = True
        return [*self._questions.end_all(LEAVING), Unsubscribe(self._topic)]

    def _on_ask_requested(self, event: effects.AskRequested, now_s: float) -> list[Effect]:
        if self._has_left:
            return [effects.QuestionFailed(event.number, (), 0, 1, LEAVING)]
        return self._questions.ask(event, now_s)

    # -- members

    def _on_connected(self, event: PeerConnected, _: float) -> list[Effect]:
        """Ask at once: the next heartbeat may be two seconds away."""
        return [Send(event.peer, messages.CardRequest(self.spec.id, self.me))]

    def _on_unreachable(self, event: PeerUnreachable, now_s: float) -> list[Effect]:
        self.roster.note_lost(event.peer)
        return self._questions.lose(event.peer, "the connection to it broke", now_s)

    def _on_heartbeat(self, beat: messages.MemberHeartbeat, now_s: float) -> list[Effect]:
        if not self.roster.take_heartbeat(beat, now_s):
            return []
        return [Send(beat.sender, messages.CardRequest(self.spec.id, self.me))]

    def _on_card(self, card: messages.MemberCard, now_s: float) -> list[Effect]:
        if not self.roster.take_card(card, now_s):
            return []
        return self._connect(now_s) + self._trust.note_versions(self.roster.cards.values())

    def _on_goodbye(self, goodbye: messages.MemberGoodbye, now_s: float) -> list[Effect]:
        self.roster.forget(goodbye.sender)
        return self._questions.lose(goodbye.sender, "it left", now_s)

    # -- what follows

    def _keep(self) -> list[Effect]:
        blobs = self._questions.blobs
        if blobs == self._kept:
            return []
        self._kept = blobs
        return [KeepBlobs(blobs)]

    def _set_timer(self) -> list[Effect]:
        next_s = self._questions.next_s
        if next_s >= self._timer_s:
            return []
        self._timer_s = next_s
        return [SetTimer(DUE, next_s)]


_HANDLERS: dict[type[Event], Callable[[Asker, Any, float], list[Effect]]] = {
    effects.AskerStarted: Asker._on_started,
    effects.LeaveRequested: Asker._on_leave_requested,
    effects.AskRequested: Asker._on_ask_requested,
    effects.AnswersJudged: lambda asker, event, _: asker._trust.judge(event.verdicts),
    TimerFired: Asker._on_timer,
    PeerConnected: Asker._on_connected,
    PeerUnreachable: Asker._on_unreachable,
    BlobArrived: lambda asker, event, now_s: asker._questions.take_blob(event.blob, now_s),
    BlobMissing: lambda asker, event, now_s: asker._questions.miss_blob(event, now_s),
    messages.MemberHeartbeat: Asker._on_heartbeat,
    messages.MemberCard: Asker._on_card,
    messages.MemberGoodbye: Asker._on_goodbye,
    messages.Answer: lambda asker, event, now_s: asker._questions.take_answer(event, now_s),
    messages.Refusal: lambda asker, event, now_s: asker._questions.take_refusal(event, now_s),
}
