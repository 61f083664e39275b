"""Outgoing: results and new entries go out in batches; what comes together shares a message."""

from collections.abc import Callable

from swarm.core.effects import Send
from swarm.core.machine import Effect, SetTimer
from swarm.search.coordinating import Coordinating
from swarm.search.coordinators import Coordinators
from swarm.search.leased_trials import Working
from swarm.search.replica import Replica
from swarm.search.study import NOBODY, StudySpec

BATCH = "batch"
NEWS_EVERY_S = 0.2
"""Results wait at most so long for others to share their message."""
NEWS_AT_LEAST_EVERY_S = 0.02
"""The same for who has no trial left that waits: nobody should idle for want of a message."""
PAGES_EVERY_S = 0.2
"""New entries wait at most so long; five messages a second of one author are welcome anywhere."""
NEWS_AGAIN_HEARTBEATS = 2


class Outgoing:
    """Tells the coordinator what came of trials, and everybody what is new in the ledger.

    Invariant: what may not be told yet is followed by an event in time.
    """

    def __init__(
        self,
        spec: StudySpec,
        coordinators: Coordinators,
        working: Working,
        replica: Replica,
        emit: Callable[[Effect], None],
    ) -> None:
        self._again_s = NEWS_AGAIN_HEARTBEATS * spec.heartbeat_s
        self._coordinators = coordinators
        self._working = working
        self._replica = replica
        self._emit = emit
        self._batch_s = float("-inf")
        self._batch_due_s = float("inf")

    def tell_news(self, coordinating: Coordinating | None, now_s: float, slots: int) -> None:
        """Tell the coordinator, perhaps ourselves, what it does not know of trials held here.

        Args:
            coordinating: Our own term, if it is ours.
            now_s: Now.
            slots: Trials this peer can run at a time.
        """
        has_news = self._working.has_news(now_s, self._again_s)
        if self._coordinators.coordinator == NOBODY or not has_news:
            return
        if coordinating is not None:
            for news in self._working.news(now_s, self._again_s):
                coordinating.take_news(news, now_s)
        elif self._may_tell(self._spacing_s(slots), now_s):
            for news in self._working.news(now_s, self._again_s):
                self._emit(Send(self._coordinators.coordinator, news))

    def publish_pages(self, now_s: float, *, closed: bool) -> bool:
        """As the coordinator: publish what is new in the ledger; return whether that was done."""
        if self._replica.is_published or not (closed or self._may_tell(PAGES_EVERY_S, now_s)):
            return False
        self._replica.publish()
        return True

    def batch_is_due(self) -> None:
        """Note that the event came; what is told after every event is told now."""
        self._batch_due_s = float("inf")

    def _spacing_s(self, slots: int) -> float:
        has_more_to_do = self._working.num_unfinished > slots
        return NEWS_EVERY_S if has_more_to_do else NEWS_AT_LEAST_EVERY_S

    def _may_tell(self, spacing_s: float, now_s: float) -> bool:
        """Whether the next batch may go out; if not yet, there will be an event in time."""
        due_s = self._batch_s + spacing_s
        if now_s >= due_s:
            self._batch_s = now_s
            return True
        if due_s < self._batch_due_s or self._batch_due_s <= now_s:
            self._batch_due_s = due_s
            self._emit(SetTimer(BATCH, due_s))
        return False
