"""Ensembles: the workload of a host that is a member of ensembles, asks them, or both.

    async with open_host(settings) as host, open_ensembles(host) as ensembles:
        spec = await ensembles.find("house-prices")
        ensembles.add(driver)

`find` waits for an offer. `add` gives a machine the events of its ensemble.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
import trio

from swarm.core.effects import BlobArrived, BlobMissing, PeerConnected, PeerUnreachable
from swarm.core.errors import ConfigurationError, SwarmError
from swarm.core.ids import PeerId
from swarm.core.machine import Event
from swarm.ensemble.messages import EnsembleOffer, EnsembleQuery
from swarm.ensemble.spec import EnsembleId, EnsembleSpec
from swarm.ensemble.topics import ENSEMBLES_TOPIC
from swarm.peer.ensemble.ensemble_driver import EnsembleDriver
from swarm.peer.host.host import Host

WORKLOAD = "ensemble"
ASK_EVERY_S = 5.0
"""Seconds between two questions to each connected peer for the ensembles that it knows."""
OFFERS_MAX = 64
"""Most ensembles that are remembered; the one that was offered first is forgotten first."""
SETTLE_S = 1.0
"""Seconds in which further ensembles may be offered after the first one, if none was named."""
LOCAL_MAX = 1024
"""Most messages that wait for the machines of this host."""

log = structlog.get_logger()
_FOR_ALL = (PeerConnected, PeerUnreachable, BlobArrived, BlobMissing)
AnyDriver = EnsembleDriver[Any]


@asynccontextmanager
async def open_ensembles(host: Host) -> AsyncIterator["Ensembles"]:
    """Take part in ensembles on a host, until the block ends."""
    async with trio.open_nursery() as nursery:
        ensembles = Ensembles(host)
        host.add(ensembles)
        nursery.start_soon(ensembles.run)
        yield ensembles
        nursery.cancel_scope.cancel()


class Ensembles:
    """Gives each event to the machines that it concerns, and knows which ensembles exist.

    Invariants:
        A machine gets events from `add` to `remove`.
        A message between two machines of this host arrives in a later step of the event loop.
    """

    def __init__(self, host: Host) -> None:
        self.offers: dict[EnsembleId, EnsembleSpec] = {}
        """Ensembles that other peers offered."""
        self.changed = trio.Event()
        """Set, and replaced, when an ensemble was offered for the first time."""
        self._host = host
        self._drivers: dict[EnsembleId, list[AnyDriver]] = {}
        self._local_in, self._local_out = trio.open_memory_channel[tuple[AnyDriver, Event]](
            LOCAL_MAX
        )

    def add(self, driver: AnyDriver) -> None:
        """Give a machine the events of its ensemble from now on, and the open connections."""
        driver.pass_on = self._pass_on
        self._drivers.setdefault(driver.ensemble, []).append(driver)
        for peer in self._host.network.snapshot().connected:
            driver.handle(PeerConnected(peer))

    def remove(self, driver: AnyDriver) -> None:
        """Give a machine no more events, and release what it kept."""
        driver.stop()
        driver.pass_on = None
        drivers = self._drivers.get(driver.ensemble, [])
        if driver in drivers:
            drivers.remove(driver)
        if not drivers:
            self._drivers.pop(driver.ensemble, None)

    def handle(self, event: Event) -> None:
        """Hand an event to the machines that it concerns."""
        if isinstance(event, PeerConnected):
            self._ask(event.peer)
        if isinstance(event, EnsembleOffer):
            self._note(event.spec)
        if isinstance(event, (*_FOR_ALL, EnsembleQuery)):
            for drivers in tuple(self._drivers.values()):
                for driver in tuple(drivers):
                    driver.handle(event)
        else:
            for driver in tuple(self._drivers.get(_ensemble_of(event), ())):
                driver.handle(event)

    def leave(self, reason: str = "") -> None:
        """Say goodbye in every machine."""
        for drivers in tuple(self._drivers.values()):
            for driver in tuple(drivers):
                driver.leave()

    async def run(self) -> None:
        """Ask every few seconds for ensembles, and pass on local messages, until cancelled."""
        self._host.outbox.subscribe(WORKLOAD, ENSEMBLES_TOPIC)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._run_local)
            while True:
                for peer in self._host.network.snapshot().connected:
                    self._ask(peer)
                await trio.sleep(ASK_EVERY_S)

    async def find(self, name: str = "", within_s: float = 15.0) -> EnsembleSpec:
        """Wait until an ensemble is offered.

        Args:
            name: Its name, or the beginning of its id; empty for the only one.
            within_s: How long to wait.

        Raises:
            ConfigurationError: Several ensembles fit; the message names them.
            SwarmError: None was offered in time; the message says what was.
        """
        with trio.move_on_after(within_s):
            while not self._fitting(name):
                await self.changed.wait()
            if not name:
                await trio.sleep(SETTLE_S)
        found = self._fitting(name)
        if len(found) > 1:
            raise ConfigurationError(
                f"several ensembles fit{f' {name!r}' if name else ''}; give one of these with "
                f"--ensemble: {', '.join(_in_words(spec) for spec in found)}"
            )
        if found:
            return found[0]
        wanted = f"no ensemble {name!r}" if name else "no ensemble"
        others = ", ".join(_in_words(spec) for spec in self.offers.values())
        if not self._host.met.is_set():
            others = f"no peer answered at {self._host.bootstraps}"
        elif others:
            others = f"offered were {others}"
        else:
            others = "the peers there offer none"
        raise SwarmError(f"{wanted} was offered within {within_s:g} s: {others}")

    # -- offers

    def _fitting(self, name: str) -> list[EnsembleSpec]:
        every = list(self.offers.values())
        named = [spec for spec in every if not name or spec.name == name]
        return named or [spec for spec in every if spec.id.startswith(name)]

    def _note(self, spec: EnsembleSpec) -> None:
        if spec.id in self.offers:
            return
        if len(self.offers) >= OFFERS_MAX:
            del self.offers[next(iter(self.offers))]
        self.offers[spec.id] = spec
        log.info("offered", ensemble=spec.name, id=spec.id[:16])
        self.changed.set()
        self.changed = trio.Event()

    def _ask(self, peer: PeerId) -> None:
        self._host.outbox.send(peer, EnsembleQuery(self._host.me))

    # -- messages between machines of this host

    def _pass_on(self, sender: AnyDriver, message: Event) -> None:
        others = self._drivers.get(sender.ensemble, ())
        if len(others) < 2 and sender in others:
            return
        try:
            self._local_in.send_nowait((sender, message))
        except trio.WouldBlock:
            log.warning("dropped", detail="a message to a machine of this host was not delivered")

    async def _run_local(self) -> None:
        async for sender, message in self._local_out:
            for driver in tuple(self._drivers.get(sender.ensemble, ())):
                if driver is not sender:
                    driver.handle(message)


def _ensemble_of(event: Event) -> EnsembleId:
    return EnsembleId(str(getattr(event, "ensemble", "")))


def _in_words(spec: EnsembleSpec) -> str:
    return f"{spec.name} ({spec.id[:8]})"
