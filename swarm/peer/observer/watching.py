"""Watching: the workload of an observer: it follows the newest session, studies and ensembles."""

from datetime import UTC, datetime
from typing import Any

import trio

from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event
from swarm.federation.best_head import is_last
from swarm.federation.effects import Started
from swarm.federation.session_choice import SessionBegun, SessionChoice, SessionOver, TakeUp
from swarm.peer.host.host import Host
from swarm.peer.host.machine_driver import MachineDriver
from swarm.peer.observer.snapshot import empty_snapshot, make_snapshot
from swarm.peer.observer.snapshot_cache import SnapshotCache
from swarm.peer.observer.study_rows import StudyRows
from swarm.peer.observer.watched_ensembles import WatchedEnsembles
from swarm.watching.federation.observation import Observation
from swarm.watching.search.observation import StudyObservation, is_about_studies


class Watching:
    """Drives the machines that watch a session and the studies, and asks ensembles, on one host.

    A swarm may have any of them.
    """

    def __init__(self, host: Host, nursery: trio.Nursery, operator: PeerId | None) -> None:
        self.changed = trio.Event()
        self._host = host
        self._nursery = nursery
        self._operator = operator
        choice = SessionChoice(host.me)
        self._choice = MachineDriver("choice", choice, host, nursery, self._watch)
        self._studies = MachineDriver("studies", StudyObservation(host.me), host, nursery)
        self._study_rows = StudyRows()
        self.ensembles = WatchedEnsembles(host)
        self._session: MachineDriver[Observation] | None = None
        self._is_over = False
        self._cache = SnapshotCache()

    @property
    def observation(self) -> Observation | None:
        """The machine that observes the session, once one is found."""
        return self._session.machine if self._session is not None else None

    def start(self) -> None:
        """Look for a session, for studies and for ensembles."""
        now_s = trio.current_time()
        self._nursery.start_soon(self.ensembles.run)
        self._studies.carry_out(self._studies.machine.start(now_s))
        self._choice.carry_out(self._choice.machine.start(now_s))

    def handle(self, event: Event) -> None:
        """Hand an event to the machines that it concerns."""
        self.ensembles.handle(event)
        version = self._studies.machine.version
        self._studies.handle(event)
        if is_about_studies(event):
            if version != self._studies.machine.version:
                self._notify()
            return
        self._choice.handle(event)
        if self._session is not None:
            self._session.handle(event)
            self._look_for_the_end(self._session.machine)
        self._notify()

    def leave(self, reason: str = "") -> None:
        """Leave: no peer waits for an observer, so it says no goodbye."""

    def _watch(self, chosen: Effect) -> None:
        """Watch another session from now on."""
        if not isinstance(chosen, TakeUp):
            return
        if self._session is not None:
            self._session.stop()
        machine = Observation(self._host.me, chosen.spec)
        self._cache, self._is_over = SnapshotCache(), False
        self._session = MachineDriver(chosen.spec.id, machine, self._host, self._nursery)
        self._choice.handle(SessionBegun(chosen.spec))
        unix_s = datetime.now(UTC).timestamp()
        self._session.handle(Started(offered_by=chosen.offered_by, unix_s=unix_s))
        self._notify()

    def snapshot(self, now_s: float, elapsed_s: float) -> dict[str, Any]:
        """All that is seen, as plain JSON, without a version."""
        connected = len(self._host.network.snapshot().connected)
        seen = self.observation
        if seen is None:
            shown = empty_snapshot(self._host.me, connected, elapsed_s, self._operator)
        else:
            seen.look(now_s)
            shown = make_snapshot(seen, connected, now_s, elapsed_s, self._operator, self._cache)
        num_names = len(seen.names()) if seen is not None else 0
        studies = self._study_rows.snapshot(self._studies.machine.views(), self.name_of, num_names)
        ensembles = self.ensembles.snapshot(now_s - elapsed_s, self.name_of)
        return {**shown, "studies": studies, "ensembles": ensembles}

    def name_of(self, peer: PeerId) -> str:
        """The name of a peer, or the end of its id."""
        seen = self.observation
        return seen.name_of(peer) if seen is not None else peer[-6:]

    def _look_for_the_end(self, seen: Observation) -> None:
        """Look for the next session once the last head of this one is known."""
        if not self._is_over and seen.head is not None and is_last(seen.head, seen.spec):
            self._is_over = True
            self._choice.handle(SessionOver(seen.spec.id))

    def _notify(self) -> None:
        self.changed.set()
        self.changed = trio.Event()
