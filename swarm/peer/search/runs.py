"""What a command does with the studies of its peer, once that listens."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio

from swarm.core.errors import ConfigurationError, SwarmError
from swarm.core.ids import PeerId
from swarm.network.store import FileBlobStore
from swarm.peer.search.desk import Desk, Interest
from swarm.peer.search.progress import StudyProgress
from swarm.peer.search.study_driver import StudyDriver
from swarm.search.effects import CancelRequested
from swarm.search.study import StudySpec
from swarm.search.study_file import data_file, parse_study

SHOW_EVERY_S = 0.2
SETTLE_WITHIN_S = 10.0
"""So long who submitted a study waits, when it is over, until all others have all of it."""


async def run_study(desk: Desk, spec: StudySpec, show: Callable[[StudyDriver], None]) -> None:
    """Submit a study, or go on with it, and return when it is over and everybody has it.

    Raises:
        ConfigurationError: It cannot be executed.
    """
    driver = desk.submit(spec)
    show(driver)
    with StudyProgress(driver.machine) as progress:
        while not driver.machine.closed:
            progress.show()
            with trio.move_on_after(SHOW_EVERY_S):
                await driver.changed.wait()
            await trio.sleep(SHOW_EVERY_S / 4)
    await wait_settled(driver)


async def wait_settled(driver: StudyDriver) -> None:
    """Return when every member has the whole ledger of a study that is over, or soon after."""
    with trio.move_on_after(SETTLE_WITHIN_S):
        while not driver.machine.settled:
            await driver.changed.wait()


async def wait_study(desk: Desk, study: str, timeout_s: float) -> StudyDriver:
    """Join the study of this name or beginning of its id, and return when all of it is here.

    Raises:
        SwarmError: Nobody offered it in time.
    """
    desk.interest = Interest(closed=True, study=study)
    with trio.move_on_after(timeout_s):
        while True:
            for driver in desk.drivers.values():
                if driver.machine.complete:
                    return driver
            await _wait_change(desk)
    wanted = f"study {study!r}" if study else "any study"
    raise SwarmError(f"nobody offered {wanted} within {timeout_s:g} s: is the bootstrap right?")


async def wait_studies(desk: Desk, timeout_s: float) -> list[StudyDriver]:
    """Join all studies that are offered within some time, and return those that are here."""
    desk.interest = Interest(closed=True)
    with trio.move_on_after(timeout_s):
        await trio.sleep(math.inf)
    return list(desk.drivers.values())


async def cancel_study(desk: Desk, study: str, timeout_s: float) -> StudyDriver:
    """End a study, and return when its proposer said so.

    Raises:
        SwarmError: Nobody offered it, or nobody ended it, in time.
    """
    driver = await wait_study(desk, study, timeout_s)
    driver.handle(CancelRequested())
    with trio.move_on_after(timeout_s):
        while not driver.machine.closed:
            await driver.changed.wait()
        return driver
    raise SwarmError(f"study {driver.machine.spec.name!r} was not ended within {timeout_s:g} s")


def read_study(
    document: dict[str, Any], folder: Path, store: FileBlobStore, submitter: PeerId
) -> StudySpec:
    """Make a spec of a study file's values; its data goes into the store.

    Args:
        document: The values.
        folder: What a relative path of data is relative to.
        store: Where the data is to be.
        submitter: Who submits the study.

    Raises:
        ConfigurationError: A field breaks a rule, or the data cannot be read.
    """
    path = data_file(document)
    if path is None:
        return parse_study(document, submitter)
    try:
        data = (folder / path).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"data: cannot read {folder / path}: {error.strerror}") from error
    return parse_study(document, submitter, store.put(data))


async def _wait_change(desk: Desk) -> None:
    """Return when something happened in a study, or one was added."""
    async with trio.open_nursery() as nursery:

        async def end_with(event: trio.Event) -> None:
            await event.wait()
            nursery.cancel_scope.cancel()

        for event in (desk.changed, *(driver.changed for driver in desk.drivers.values())):
            nursery.start_soon(end_with, event)
