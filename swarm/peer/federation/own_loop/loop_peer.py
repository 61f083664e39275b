"""LoopPeer: the peer in the background of a loop."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
import trio

from swarm.core.errors import NetworkError
from swarm.learning.errors import ForeignWeightsError
from swarm.learning.federation import jobs
from swarm.learning.federation.weights_files import read_weights
from swarm.network.addressbook import AddressBook
from swarm.network.network import PEERS_FILE
from swarm.peer.federation.own_loop.loop_source import LoopSource
from swarm.peer.federation.own_loop.loop_worker import LoopHead, LoopWorker, Work, write_result
from swarm.peer.federation.own_loop.running_call import RunningCall
from swarm.peer.federation.peer import Peer
from swarm.peer.federation.peer_settings import PeerSettings
from swarm.peer.federation.session_driver import SessionDriver
from swarm.peer.federation.trainers import Worker
from swarm.peer.host.host import Host
from swarm.peer.host.host_settings import parse_bootstraps
from swarm.peer.host.trio_thread import InBackground

JOIN_WITHIN_S = 30.0
"""A joiner gives up if no peer has offered a session after this many seconds."""
NEWEST_WITHIN_S = 10.0
"""A joiner that has an earlier head waits at most this long for the weights of the newest one."""
LOOK_EVERY_S = 0.2
"""How often the peer looks whether its loop still runs."""
HAND_OVER_WITHIN_S = 3.0
"""A peer that leaves spends at most this long to take in those that wait to join. It takes some
hundredths of a second, and longer on a busy machine."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LoopOptions:
    """What the user of a loop can set about its peer."""

    bootstraps: tuple[str, ...]
    """Peers to join, as `ip:port`; none starts a swarm."""
    ip: str
    port: int
    name: str
    session: Mapping[str, Any]
    """Fields of a session that this peer starts."""


@dataclass(frozen=True, slots=True)
class LoopStatistics:
    """The swarm at one moment."""

    round: int
    num_peers: int
    """Peers that train, this one included."""
    accuracy: float | None
    """Of the head before the current one: the mean over the peers that measured it on their
    validation data, weighted by their examples."""


class LoopPeer(InBackground):
    """A peer in a thread of its own, with a state folder that goes with it."""

    def __init__(
        self, options: LoopOptions, worker: LoopWorker, call: RunningCall | None = None
    ) -> None:
        """Start the peer.

        Args:
            options: What the user set.
            worker: Holds what the session waits for.
            call: The peer leaves when this call ends; None if only `stop` ends it.
        """
        self.known: tuple[str, ...] = ()
        """Where other peers were seen, as `ip:port`; filled when this peer ends."""
        self._options = options
        self._worker = worker
        self._call = call
        self._peer: Peer
        self._leaving = trio.Event()
        super().__init__("swarm-peer", self._main, self._leaving.set)
        self.call, self.call_sync = self._thread.call, self._thread.call_sync

    @property
    def address(self) -> str:
        """`ip:port` at which others join."""
        return self._peer.address

    async def first_head(self) -> LoopHead:
        """Wait for the session's newest head.

        Raises:
            NetworkError: No peer has offered a session in time.
        """
        with trio.move_on_after(JOIN_WITHIN_S if self._options.bootstraps else float("inf")):
            await self._wait_session()
        if self._peer.driver is None:
            raise NetworkError(self._why_alone())
        machine = self._driver.machine
        while machine.held is None:
            await self._driver.changed.wait()
        with trio.move_on_after(NEWEST_WITHIN_S):
            while machine.lineage.candidates():  # greater heads, whose weights are on their way
                await self._driver.changed.wait()
        return await self._held()

    async def wanted(self) -> Work | None:
        """What the session waits for.

        Returns:
            The work; None if the session has no use for the loop's weights now: this peer is not
            in the cohort, or the round that it contributed to is still open.
        """
        while self._worker.work is None:
            current = self._driver.machine.round
            if current is None or current.mine is not None or self._driver.machine.finished:
                return None
            await _wait_any(self._worker.changed, self._driver.changed)
        return self._worker.work

    async def hand_in(self, work: Work, trained: jobs.Trained, timeout_s: float) -> bool:
        """Give the session what was trained, and wait for the next head to train from.

        Returns:
            Whether it was taken; not if the session has given this work up meanwhile.

        Raises:
            TooSlowError: It was taken, and there is no other head within `timeout_s`.
        """
        machine = self._driver.machine
        before = machine.held
        if not self._worker.answer(work, trained):
            return False
        with trio.fail_after(timeout_s):
            while self._worker.work is None and (machine.held is before or machine.round):
                await _wait_any(self._worker.changed, self._driver.changed)
        return True

    async def newest_head(self) -> LoopHead:
        """The head that the session wants training from, or the newest one if it wants none."""
        return self._worker.work.head if self._worker.work is not None else await self._held()

    def statistics(self) -> LoopStatistics:
        """The swarm as this peer knows it; called in its thread."""
        driver = self._peer.driver
        held = driver.machine.held if driver is not None else None
        if held is None:
            return LoopStatistics(0, 1, None)
        num_examples = sum(m.num_examples for m in held.metrics)
        hits = sum(m.accuracy * m.num_examples for m in held.metrics)
        accuracy = hits / num_examples if num_examples else None
        # The cohort of two keeps a peer that left without a word; what it no longer does counts.
        at_work = {c.peer for c in held.contributors if c.base == held.parent}
        return LoopStatistics(held.round, max(1, len(at_work)), accuracy)

    async def _wait_session(self) -> None:
        while True:
            if self._peer.driver is not None:
                return
            await trio.sleep(LOOK_EVERY_S / 4)  # there is nothing to wait on yet

    @property
    def _driver(self) -> SessionDriver:
        assert self._peer.driver is not None  # noqa: S101 (called after `first_head`)
        return self._peer.driver

    async def _held(self) -> LoopHead:
        """The held head; there is one."""
        host, machine = self._peer.host, self._driver.machine
        while True:
            held = machine.held
            assert held is not None and host is not None  # noqa: S101, PT018 (see above)
            path = str(host.store.path(held.blob))
            try:
                weights = await trio.to_thread.run_sync(read_weights, path)
            except ForeignWeightsError:
                if machine.held is held:
                    raise
                continue  # a newer head came, and the file went
            return LoopHead(path, held.round, weights)

    def _why_alone(self) -> str:
        host, where = self._peer.host, ", ".join(self._options.bootstraps)
        if host is None or not host.met.is_set():
            return f"no peer answered at {where} within {JOIN_WITHIN_S:g} s: is it running?"
        return f"the peers at {where} offered no session within {JOIN_WITHIN_S:g} s"

    async def _main(self, ready: Callable[[], None]) -> None:
        call, self._call = self._call, None  # it holds the variables of its caller
        with tempfile.TemporaryDirectory(prefix="swarm-loop-") as folder:
            self._peer = self._make_peer(Path(folder))
            async with trio.open_nursery() as watching:
                watching.start_soon(self._leave_when_asked)
                if call is not None:
                    watching.start_soon(self._watch, call)
                async with trio.open_nursery() as nursery:
                    await nursery.start(self._peer.run)
                    ready()
                watching.cancel_scope.cancel()
            self.known = _known(Path(folder))

    def _make_peer(self, folder: Path) -> Peer:
        options = self._options
        settings = PeerSettings(
            ip=options.ip,
            port=options.port,
            state_dir=folder,
            bootstraps=parse_bootstraps(options.bootstraps),
            name=options.name,
        )
        trainer = _LoopTrainer(settings, self._worker, options.session)
        return Peer(settings, say=lambda _line: None, trainer=trainer)

    async def _watch(self, call: RunningCall) -> None:
        while True:
            await trio.sleep(LOOK_EVERY_S)  # a stack has no event to wait on
            if not call.running:
                self._leaving.set()
                return

    async def _leave_when_asked(self) -> None:
        await self._leaving.wait()
        with trio.move_on_after(HAND_OVER_WITHIN_S):
            await self._hand_over()
        self._peer.leave()

    async def _hand_over(self) -> None:
        """Make one more head, if this peer is the whole cohort and others may wait to join.

        Only peers of the cohort can make heads. Without this, the others would wait for ever.
        """
        host, driver, work = self._peer.host, self._peer.driver, self._worker.work
        held = driver.machine.held if driver is not None else None
        if host is None or driver is None or held is None or work is None:
            return
        is_last = work.head.round is None
        if is_last or held.cohort != (host.me,) or not host.network.snapshot().connected:
            return
        unchanged = await trio.to_thread.run_sync(write_result, work, work.head.weights)
        self._worker.answer(work, unchanged)
        while driver.machine.held is held:
            await driver.changed.wait()


class _LoopTrainer:
    """Gives the peer's session the loop as its worker."""

    def __init__(
        self, settings: PeerSettings, worker: LoopWorker, session: Mapping[str, Any]
    ) -> None:
        self._settings = settings
        self._worker = worker
        self._session = session

    def open_worker(self) -> AbstractAsyncContextManager[Worker]:
        """The loop."""
        return self._worker.open()

    def source(self, host: Host) -> LoopSource:
        """Sessions of the loop's kind."""
        return LoopSource(self._settings, host, self._session)


async def _wait_any(*events: trio.Event) -> None:
    async def wait(event: trio.Event) -> None:
        await event.wait()
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        for event in events:
            nursery.start_soon(wait, event)


def _known(folder: Path) -> tuple[str, ...]:
    book = AddressBook(folder / PEERS_FILE)
    endpoints: Sequence[Any] = [book.endpoints(peer) for peer in book]
    return tuple(
        f"[{e.ip}]:{e.port}" if ":" in e.ip else f"{e.ip}:{e.port}" for es in endpoints for e in es
    )
