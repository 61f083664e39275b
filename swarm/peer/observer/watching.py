"""Watching: what an observing peer does with its network: it follows a session and all studies."""

from datetime import UTC, datetime
from typing import Any

import structlog
import trio

from swarm.core.effects import (
    KeepConnected,
    PeerConnected,
    PeerUnreachable,
    Publish,
    Send,
    Subscribe,
    Unsubscribe,
)
from swarm.core.errors import NetworkError, RemoteProtocolError
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event, SetTimer, TimerFired
from swarm.federation.effects import Started
from swarm.federation.joining import Joining
from swarm.network import events as network_events
from swarm.network.identity import verify
from swarm.network.network import Network
from swarm.network.wire import decode, encode
from swarm.peer.host.outbox import Outbox
from swarm.peer.observer.snapshot import empty_snapshot, make_snapshot
from swarm.peer.observer.snapshot_cache import SnapshotCache
from swarm.peer.observer.study_rows import StudyRows
from swarm.watching.federation.observation import Observation
from swarm.watching.search.observation import StudyObservation, is_about_studies

log = structlog.get_logger()


class Watching:
    """Drives what watches the session, and what watches the studies, over one network.

    Neither waits for the other: a swarm may have either, or both.
    """

    def __init__(
        self,
        network: Network,
        outbox: Outbox,
        inbox: trio.MemoryReceiveChannel[Event],
        operator: PeerId | None,
    ) -> None:
        self.changed = trio.Event()
        self._network = network
        self._outbox = outbox
        self._inbox = inbox
        self._study_observation = StudyObservation(network.peer_id)
        self._study_rows = StudyRows()
        self._machine: Joining | Observation = Joining(network.peer_id)
        self._timers: dict[str, float] = {}
        self._operator = operator
        self._cache = SnapshotCache()

    @property
    def observation(self) -> Observation | None:
        """The observing machine, once a session was found."""
        return self._machine if isinstance(self._machine, Observation) else None

    def snapshot(self, now_s: float, elapsed_s: float) -> dict[str, Any]:
        """The picture of all that is seen, plain JSON, but for its version."""
        connected = len(self._network.snapshot().connected)
        seen = self.observation
        if seen is None:
            shown = empty_snapshot(self._network.peer_id, connected, elapsed_s, self._operator)
        else:
            seen.look(now_s)
            shown = make_snapshot(seen, connected, now_s, elapsed_s, self._operator, self._cache)
        name_of = seen.name_of if seen is not None else _end_of_id
        num_names = len(seen.names()) if seen is not None else 0
        studies = self._study_rows.snapshot(self._study_observation.views(), name_of, num_names)
        return {**shown, "studies": studies}

    async def run(self) -> None:
        """Find a session, then watch it; studies all the while. Never returns."""
        joining = Joining(self._network.peer_id)
        self._machine = joining
        self._carry_out_studies(self._study_observation.start(trio.current_time()))
        await self._carry_out(joining.start(trio.current_time()))
        while joining.offer is None:
            await self._handle(await self._next_event())
        observation = Observation(self._network.peer_id, joining.offer.spec)
        self._machine = observation
        unix_s = datetime.now(UTC).timestamp()
        await self._handle(Started(offered_by=(joining.offer.sender,), unix_s=unix_s))
        while True:
            await self._handle(await self._next_event())

    async def _handle(self, event: Event) -> None:
        version = self._study_observation.version
        self._carry_out_studies(self._study_observation.handle(event, trio.current_time()))
        only_studies = is_about_studies(event)
        if not only_studies:
            await self._carry_out(self._machine.handle(event, trio.current_time()))
        if only_studies and version == self._study_observation.version:
            return
        self.changed.set()
        self.changed = trio.Event()

    async def _next_event(self) -> Event:
        if not self._timers:
            return await self._inbox.receive()
        name = min(self._timers, key=self._timers.__getitem__)
        with trio.move_on_at(self._timers[name]):
            return await self._inbox.receive()
        del self._timers[name]
        return TimerFired(name)

    async def _carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case SetTimer(name, due_s):
                    self._timers[name] = due_s
                case Subscribe(topic):
                    await self._network.subscribe(topic)
                case Unsubscribe(topic):
                    await self._network.unsubscribe(topic)
                case Publish(topic, message):
                    await self._network.publish(topic, encode(message))
                case Send(peer, message):
                    try:
                        await self._network.send(peer, encode(message))
                    except NetworkError as error:  # the machine asks again
                        log.debug("not sent", peer=peer, reason=str(error))

    def _carry_out_studies(self, effects: list[Effect]) -> None:
        """Never waits for a peer: those that search may be gone."""
        for effect in effects:
            match effect:
                case SetTimer(name, due_s):
                    self._timers[name] = due_s
                case Subscribe() | Unsubscribe() | Publish():
                    self._outbox.queue(effect)
                case Send(peer, message):
                    self._outbox.send(peer, message)
                case KeepConnected(peers):
                    self._network.keep_connected(peers)


def _end_of_id(peer: PeerId) -> str:
    return peer[-6:]


def message_in(event: network_events.NetworkEvent) -> Event | None:
    """What an observer's machines take of an event of the network; None for the rest."""
    match event:
        case network_events.PubsubMessage(_, sender, data):
            pass
        case network_events.DirectMessage(sender, data):
            pass
        case network_events.PeerConnected(peer):
            return PeerConnected(peer)
        case network_events.PeerUnreachable(peer):
            return PeerUnreachable(peer)
        case _:
            return None
    try:
        return decode(data, sender, verify).message
    except RemoteProtocolError as error:
        log.debug("rejected", peer=sender, reason=str(error))
        return None
