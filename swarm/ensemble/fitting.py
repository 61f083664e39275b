"""Fitting: when a member fits: at first, when ordered, when its rows change or drift."""

from swarm.core.ids import PeerId
from swarm.core.machine import Effect
from swarm.ensemble.effects import Fit, FitProgressed, MemberStarted, RowsChanged
from swarm.ensemble.member_settings import MemberSettings
from swarm.ensemble.messages import FitOrder
from swarm.ensemble.records import NO_DRIFT, TEXT_LENGTH_MAX, Drift

SENDERS_MAX = 256
"""Senders whose orders are remembered; the one that came first is forgotten first."""
RETRY_S = 30.0
RETRY_MAX_S = 600.0
RETRIES_MAX = 3
"""A refit that failed is tried again this many times; an earlier model answers meanwhile."""
_NEVER = float("inf")


class Fitting:
    """Begins fits and keeps their state.

    Invariants:
        One fit runs at a time. What was wanted while it ran is done by one more fit.
        An order is obeyed once, over all lives.
    """

    def __init__(self, settings: MemberSettings) -> None:
        self.num_rows = 0
        """Labelled rows of this member."""
        self.drift: Drift = NO_DRIFT
        self.progress = 0.0
        """Share of the fit under way."""
        self._settings = settings
        self._failure = ""
        self._job = 0
        self._is_running = False
        self._has_model = False
        self._due_s = _NEVER
        self._begun_s = float("-inf")
        self._num_failures = 0
        self._num_fitted_rows = 0
        """Rows at the beginning of the last fit."""
        self._orders: dict[PeerId, int] = {}

    @property
    def is_running(self) -> bool:
        """Whether a fit is under way."""
        return self._is_running

    @property
    def num_fits(self) -> int:
        """Fits that ended in this life."""
        return self._job - self._is_running

    @property
    def orders(self) -> tuple[tuple[PeerId, int], ...]:
        """The greatest order that was obeyed, of each sender."""
        return tuple(self._orders.items())

    @property
    def detail(self) -> str:
        """What keeps this member from fitting, in words; empty if nothing does."""
        return self._failure if self.num_rows else "it has no labelled rows"

    def resume(self, event: MemberStarted, now_s: float) -> None:
        """Take up an earlier life; fit at once if there is no model."""
        self._orders = dict(event.orders)
        self.num_rows = event.num_rows
        if event.champion is None:
            self._due_s = now_s
            return
        self._has_model = True
        newest = event.challenger or event.champion
        self._num_fitted_rows = newest.num_rows
        self._want_for_rows(now_s)

    def take_order(self, order: FitOrder, now_s: float) -> None:
        """Obey an order to fit, unless it was obeyed before."""
        if order.number <= self._orders.get(order.sender, -1):
            return
        self._note_order(order.sender, order.number)
        self._want(max(now_s, self._begun_s + self._settings.fit_every_s))

    def order_everyone(self, me: PeerId, now_s: float) -> int:
        """Fit, and number an order of our own to all members."""
        number = self._orders.get(me, -1) + 1
        self._note_order(me, number)
        self.request(now_s)
        return number

    def request(self, now_s: float) -> None:
        """Fit as soon as no fit is under way, as the user wants."""
        self._want(now_s)

    def take_rows(self, event: RowsChanged, now_s: float) -> None:
        """Fit if the rows have changed enough, or drift."""
        self.num_rows, self.drift = event.num_rows, event.drift
        self._want_for_rows(now_s)

    def note_progress(self, event: FitProgressed) -> None:
        """Note how far the fit under way is."""
        if self._is_under_way(event.job):
            self.progress = min(1.0, max(self.progress, event.share))

    def note_fitted(self, job: int) -> bool:
        """Note the end of a fit; return whether it was the one under way."""
        if not self._is_under_way(job):
            return False
        self._end()
        self._has_model = True
        self._num_failures, self._failure = 0, ""
        return True

    def note_failure(self, job: int, reason: str, now_s: float) -> bool:
        """Note that a fit failed; try again later, for ever only if there is no model at all."""
        if not self._is_under_way(job):
            return False
        self._end()
        self._failure = f"the fit failed: {reason}"[:TEXT_LENGTH_MAX]
        if not self._has_model or self._num_failures < RETRIES_MAX:
            self._want(now_s + min(RETRY_S * 2 ** min(self._num_failures, 10), RETRY_MAX_S))
            self._num_failures += 1
        return True

    def advance(self, now_s: float) -> list[Effect]:
        """Begin a fit if one is due."""
        if self._is_running or now_s < self._due_s or not self.num_rows:
            return []
        self._job += 1
        self._is_running, self.progress = True, 0.0
        self._due_s, self._begun_s = _NEVER, now_s
        self._num_fitted_rows = self.num_rows
        return [Fit(self._job)]

    def _want(self, due_s: float) -> None:
        self._due_s = min(self._due_s, due_s)

    def _want_for_rows(self, now_s: float) -> None:
        if not self._has_model:
            if not self._is_running:
                self._want(max(now_s, self._begun_s + self._settings.fit_every_s))
            return
        change = abs(self.num_rows - self._num_fitted_rows)
        is_enough = change >= max(1.0, self._settings.refit_share * self._num_fitted_rows)
        drifts = 0 < self.drift.threshold < self.drift.value and change > 0
        if (is_enough or drifts) and self._settings.refit_every_s < _NEVER:
            self._want(max(now_s, self._begun_s + self._settings.refit_every_s))

    def _note_order(self, sender: PeerId, number: int) -> None:
        if sender not in self._orders and len(self._orders) >= SENDERS_MAX:
            del self._orders[next(iter(self._orders))]
        self._orders[sender] = number

    def _is_under_way(self, job: int) -> bool:
        return self._is_running and job == self._job

    def _end(self) -> None:
        self._is_running, self.progress = False, 0.0
