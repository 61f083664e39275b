"""OutgoingBatches: when results and new ledger entries are sent, so that they share messages."""

from swarm.core.effects import Send
from swarm.core.machine import Effect, SetTimer
from swarm.search.coordinator_role import CoordinatorRole
from swarm.search.coordinators import Coordinators
from swarm.search.held_trials import HeldTrials
from swarm.search.replica import Replica
from swarm.search.study import NOBODY, StudySpec

BATCH = "batch"
NEWS_EVERY_S = 0.2
"""Results wait at most this long for others to share their message."""
NEWS_AT_LEAST_EVERY_S = 0.02
"""Shorter delay for a worker whose queue is empty: it needs its next lease."""
PAGES_EVERY_S = 0.2
"""New entries wait at most this long; any topic accepts five messages a second of one author."""
NEWS_AGAIN_HEARTBEATS = 2


class OutgoingBatches:
    """Sends news of trials to the coordinator, and publishes new ledger entries.

    Invariant: whatever has to wait is followed by a timer in time.
    """

    def __init__(
        self,
        spec: StudySpec,
        coordinators: Coordinators,
        held_trials: HeldTrials,
        replica: Replica,
    ) -> None:
        self._again_s = NEWS_AGAIN_HEARTBEATS * spec.heartbeat_s
        self._coordinators = coordinators
        self._held_trials = held_trials
        self._replica = replica
        self._batch_s = float("-inf")
        self._timer_s = float("inf")

    def send_news(
        self, coordinating: CoordinatorRole | None, now_s: float, slots: int
    ) -> list[Effect]:
        """Give the coordinator the news of trials held here, if it is time.

        Args:
            coordinating: This peer's own term, if it coordinates: it needs no message.
            now_s: Now.
            slots: Number of trials this peer can run at a time.
        """
        has_news = self._held_trials.has_news(now_s, self._again_s)
        if self._coordinators.coordinator == NOBODY or not has_news:
            return []
        if coordinating is not None:
            effects: list[Effect] = []
            for news in self._held_trials.take_news(now_s, self._again_s):
                effects += coordinating.take_news(news, now_s)
            return effects
        has_more_to_do = self._held_trials.num_unfinished > slots
        wait = self._wait(NEWS_EVERY_S if has_more_to_do else NEWS_AT_LEAST_EVERY_S, now_s)
        if wait is not None:
            return wait
        return [
            Send(self._coordinators.coordinator, news)
            for news in self._held_trials.take_news(now_s, self._again_s)
        ]

    def publish_pages(self, now_s: float, *, closed: bool) -> list[Effect]:
        """As the coordinator: publish what is new in the ledger; at once if the study is over."""
        if self._replica.is_published:
            return []
        wait = None if closed else self._wait(PAGES_EVERY_S, now_s)
        return self._replica.publish() if wait is None else wait

    def end_wait(self) -> list[Effect]:
        """The timer fired: what is due is sent now, as after every event."""
        self._timer_s = float("inf")
        return []

    def _wait(self, spacing_s: float, now_s: float) -> list[Effect] | None:
        """None if the next batch may go out now; otherwise the timer that waits for it, if new."""
        due_s = self._batch_s + spacing_s
        if now_s >= due_s:
            self._batch_s = now_s
            return None
        if due_s < self._timer_s or self._timer_s <= now_s:
            self._timer_s = due_s
            return [SetTimer(BATCH, due_s)]
        return []
