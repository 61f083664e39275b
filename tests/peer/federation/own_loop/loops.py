"""Loops without a framework: engines whose model is two arrays."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import trio

from swarm.peer.federation.own_loop.engine import Engine, Period
from swarm.peer.federation.own_loop.layers import Array, Layers
from swarm.peer.federation.own_loop.loop_peer import LoopOptions

PATIENCE_S = 120.0
NAMES = ("dense/kernel", "dense/bias")


class Loop:
    """One loop on the loopback address; all its weights have one value."""

    def __init__(
        self,
        value: float,
        address: str | None = None,
        *,
        kind: str = "keras-loop",
        shapes: tuple[tuple[int, ...], ...] = ((2, 3), (3,)),
        **session: Any,
    ) -> None:
        bootstraps = (address,) if address is not None else ()
        fields = {"model": kind, "min_peers": 1, "rounds": 1000} | session
        options = LoopOptions(bootstraps, "127.0.0.1", 0, "", fields)
        self.arrays: list[Array] = [np.full(shape, value, np.float32) for shape in shapes]
        self.engine = Engine(options, Layers(NAMES, shapes), self.arrays, PATIENCE_S)

    @property
    def value(self) -> float:
        """The value of all weights."""
        values = np.unique(np.concatenate([a.ravel() for a in self.arrays]))
        assert len(values) == 1
        return float(values[0])

    def begin(self) -> None:
        """Wait for the swarm's model."""
        self.arrays = self.engine.begin()

    def learn(self, change: float) -> None:
        """Train for a period."""
        self.arrays = [a + np.float32(change) for a in self.arrays]

    def exchange(self, num_examples: int = 10) -> None:
        """Exchange weights."""
        new = self.engine.exchange(self.arrays, Period(num_examples))
        self.arrays = self.arrays if new is None else new

    @property
    def cohort_size(self) -> int:
        """Peers of the newest head's cohort."""
        held = self.engine._peer._driver.machine.held
        return len(held.cohort) if held is not None else 0

    def wait_peers(self, number: int) -> None:
        """Wait until a head's cohort has this number of peers."""
        peer = self.engine._peer

        async def wait() -> None:
            with trio.fail_after(PATIENCE_S):
                while self.cohort_size != number:
                    await peer._driver.changed.wait()

        peer.call(wait)


@contextmanager
def started(value: float, address: str | None = None, **options: Any) -> Iterator[Loop]:
    """A loop that has not begun; it leaves at the end of the block."""
    loop = Loop(value, address, **options)
    try:
        yield loop
    finally:
        loop.engine.stop()


def together(*actions: Callable[[], object]) -> None:
    """Run each action in a thread of its own, since they wait for each other."""
    errors: list[BaseException] = []

    def run(action: Callable[[], object]) -> None:
        try:
            action()
        except BaseException as error:  # raised below, in the test's thread
            errors.append(error)

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
