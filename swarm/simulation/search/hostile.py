"""Liar: a Search machine that lies in every way its messages allow."""

from dataclasses import replace

from swarm.core.effects import Publish, Send
from swarm.core.machine import Effect, Event, TimerFired
from swarm.search import messages
from swarm.search.search import Search
from swarm.search.topics import study_topic
from swarm.search.trial import COMPLETE, EpochPoint, TrialReport, TrialResult

FALSE_VALUE = 1e6


class Liar(Search):
    """Works as others do, and also forges results, reports, leases, pages and stops.

    It never claims to coordinate, because other peers would follow it: see docs/search.md.
    """

    def handle(self, event: Event, now_s: float) -> list[Effect]:
        """Apply one event as others do, and lie now and then."""
        effects = super().handle(event, now_s)
        if isinstance(event, TimerFired) and event.name == "tick" and self.ledger.trials:
            effects += self._lies()
        return effects

    def _lies(self) -> list[Effect]:
        study, coordinator, term = (
            self.spec.id,
            self.coordinators.coordinator,
            self.coordinators.term,
        )
        trials = [trial for trial in self.ledger.trials.values() if trial.id not in self.held]
        victims = trials[-3:]
        results = tuple(
            TrialResult(trial.id, COMPLETE, FALSE_VALUE, 0.1, peer=self.me) for trial in victims
        )
        reports = tuple(
            TrialReport(trial.id, EpochPoint(1, FALSE_VALUE), peer=self.me) for trial in victims
        )
        news = messages.WorkerNews(study, self.me, reports, results)
        entries = tuple(self.ledger.entries[-5:])
        length = len(self.ledger)
        page = messages.StudyLedgerPage(
            study, self.me, term, length - len(entries), entries, length
        )
        forged = [replace(trial, number=trial.number + 1000) for trial in victims]
        leases = messages.Leases(study, self.me, term, tuple(map(messages.Lease, forged)))
        stop = messages.StopTrials(study, self.me, term, tuple(trial.id for trial in trials[-5:]))
        lies: list[Effect] = [Send(coordinator, news), Publish(study_topic(study), page)]
        for peer in self.coordinators.members:
            lies += [Send(peer, leases), Send(peer, stop)]
        return lies
