"""What commands do with studies: run, find, choose, cancel and read them."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
import trio

from swarm.core.blobs import BlobRef
from swarm.core.errors import ConfigurationError, DataError, SwarmError
from swarm.core.ids import Digest, PeerId
from swarm.learning.search.study_tasks import check_study, read_own_data
from swarm.peer.host.host import Host
from swarm.peer.search.overview import ID_LENGTH
from swarm.peer.search.studies import OfferFilter, Studies
from swarm.peer.search.study_driver import StudyDriver
from swarm.peer.search.study_progress import StudyProgress
from swarm.search.effects import CancelRequested
from swarm.search.search import Search
from swarm.search.study import StudyId, StudySpec
from swarm.search.study_file import data_file, missing_target, parse_study

log = structlog.get_logger()

SHOW_EVERY_S = 0.2
SETTLE_WITHIN_S = 10.0
"""After the end of a study, its submitter waits this long for peers to get all results."""
OTHERS_WITHIN_S = 2.0
"""After a study was found, wait this long for others: peers answer one after the other."""


async def run_study(
    studies: Studies, spec: StudySpec, show: Callable[[StudyDriver], None]
) -> None:
    """Submit or resume a study; return when it is over and all its peers have all results.

    Raises:
        ConfigurationError: The study cannot run here.
    """
    driver = studies.submit(spec)
    show(driver)
    with StudyProgress(spec) as progress:
        while not driver.machine.closed:
            progress.show_machine(driver.machine)
            with trio.move_on_after(SHOW_EVERY_S):
                await driver.changed.wait()
            await trio.sleep(SHOW_EVERY_S / 4)
        progress.show_machine(driver.machine)
    await wait_settled(driver)


async def wait_settled(driver: StudyDriver) -> None:
    """Wait until all peers of a finished study have its whole ledger, for a limited time."""
    with trio.move_on_after(SETTLE_WITHIN_S):
        while not driver.machine.settled:
            await driver.changed.wait()


@dataclass(frozen=True, slots=True)
class FoundStudy:
    """A study that was offered."""

    driver: StudyDriver
    is_read: bool
    """Whether its whole ledger was read; if not, it may have more results."""

    @property
    def machine(self) -> Search:
        """The study's machine on this peer."""
        return self.driver.machine


async def wait_studies(studies: Studies, timeout_s: float, study: str = "") -> list[FoundStudy]:
    """Join all studies that are offered; return when all are read and no others come.

    Args:
        studies: The studies of this peer.
        timeout_s: After this time, return what was found.
        study: Only studies with this name, or this beginning of the id; all if empty.
    """
    studies.offers_wanted = OfferFilter(closed=True, study=study)
    found: set[StudyId] = set()
    read: set[StudyId] = set()
    settled_s = math.inf
    with trio.move_on_after(timeout_s):
        while True:
            if not found >= studies.drivers.keys():
                found |= studies.drivers.keys()
                settled_s = trio.current_time() + OTHERS_WITHIN_S
            # A running study gets new results all the time: it must have been complete once.
            read |= {id_ for id_, driver in studies.drivers.items() if driver.machine.complete}
            is_all = read >= studies.drivers.keys()
            if is_all and trio.current_time() >= settled_s:
                break
            with trio.move_on_at(settled_s if is_all else math.inf):
                await _wait_change(studies)
    return [FoundStudy(driver, id_ in read) for id_, driver in studies.drivers.items()]


async def wait_study(
    studies: Studies, study: str, timeout_s: float, *, running: bool = False
) -> StudyDriver:
    """Join a study by name or beginning of its id; return when its ledger is read.

    Args:
        studies: The studies of this peer.
        study: Its name, or the beginning of its id; any study if empty.
        timeout_s: Time limit.
        running: Whether to prefer studies that are not over.

    Raises:
        ConfigurationError: Several studies match.
        SwarmError: No peer offered the study in time.
    """
    found = await wait_studies(studies, timeout_s, study)
    if not found:
        wanted = f"study {study!r}" if study else "any study"
        raise SwarmError(
            f"no peer offered {wanted} within {timeout_s:g} s: is the bootstrap right?"
        )
    one = choose_study(found, study, running=running)
    if not one.is_read:
        raise SwarmError(
            f"study {one.machine.spec.name!r} was not read within {timeout_s:g} s: "
            "give more time with --timeout"
        )
    return one.driver


def choose_study(found: Sequence[FoundStudy], study: str, *, running: bool) -> FoundStudy:
    """Choose the study that matches; see `wait_study`.

    Raises:
        ConfigurationError: Several match.
    """
    open_ones = [one for one in found if not one.machine.closed] if running else []
    meant = open_ones or found
    meant = [one for one in meant if one.machine.spec.name == study] or meant
    if len(meant) == 1:
        return meant[0]
    ids = ", ".join(one.machine.spec.id[:ID_LENGTH] for one in meant)
    if not study:
        raise ConfigurationError(f"there are {len(meant)} studies: {ids}; give the id of one")
    is_name = all(one.machine.spec.name == study for one in meant)
    how = f"are named {study!r}" if is_name else f"have {study!r} as name or beginning of the id"
    raise ConfigurationError(f"{len(meant)} studies {how}: {ids}; give the id")


async def cancel_study(studies: Studies, study: str, timeout_s: float) -> tuple[StudyDriver, bool]:
    """Cancel a study; return when its coordinator has ended it.

    Returns:
        The study, and whether it was over before.

    Raises:
        ConfigurationError: Several studies match.
        SwarmError: No peer offered the study, or its coordinator did not end it, in time.
    """
    driver = await wait_study(studies, study, timeout_s, running=True)
    if driver.machine.closed:
        return driver, True
    driver.handle(CancelRequested())
    with trio.move_on_after(timeout_s):
        while not driver.machine.closed:
            await driver.changed.wait()
        return driver, False
    raise SwarmError(f"study {driver.machine.spec.name!r} was not ended within {timeout_s:g} s")


async def read_study(
    document: dict[str, Any],
    folder: Path,
    host: Host,
    *,
    allow_code: bool,
) -> StudySpec:
    """Make a spec from the fields of a study file; check its data and put them into the store.

    Args:
        document: The fields.
        folder: Relative paths of data files start here.
        host: The peer that submits the study.
        allow_code: Whether models given as `module:function` may run here.

    Raises:
        ConfigurationError: A field breaks a rule, or the data cannot be read or used.
    """
    submitter = host.me
    path = data_file(document)
    if path is None:
        return parse_study(document, submitter)
    spec = check_document(document, submitter, allow_code=allow_code)
    # In a thread: it may take seconds, and other peers expect heartbeats meanwhile.
    data: bytes = await trio.to_thread.run_sync(
        read_data,
        spec,
        folder / path,
        missing_target(document),
        abandon_on_cancel=True,  # type: ignore[call-arg]  # the stubs are older than trio
    )
    return parse_study(document, submitter, host.store.put(data))


def check_document(
    document: Mapping[str, Any], submitter: PeerId, *, allow_code: bool
) -> StudySpec:
    """Check a study file before its data is read, which may take long.

    Returns:
        The study, with a placeholder for its data.

    Raises:
        ConfigurationError: A field breaks a rule.
    """
    spec = parse_study(document, submitter, BlobRef(Digest("0" * 64), 1))
    check_study(spec, allow_code=allow_code)
    return spec


def read_data(spec: StudySpec, path: Path, missing_target: str) -> bytes:
    """Read a study's data, and check them before other peers get them.

    Args:
        spec: The study, see `check_document`.
        path: The file on this machine.
        missing_target: What happens to rows without target, `refuse` or `drop`.

    Returns:
        The bytes that other peers get.

    Raises:
        ConfigurationError: They cannot be read, are damaged, or do not fit the study.
    """
    try:
        own = read_own_data(spec, path, missing_target)
    except DataError as error:
        raise ConfigurationError(f"data: {error}") from error
    if own.summary:
        log.info("data", detail=own.summary)
    for note in own.notes:
        log.warning("data", detail=note)
    return own.data


async def _wait_change(studies: Studies) -> None:
    """Wait until something happens in a study, or a study is added."""
    async with trio.open_nursery() as nursery:

        async def end_with(event: trio.Event) -> None:
            await event.wait()
            nursery.cancel_scope.cancel()

        for event in (studies.changed, *(driver.changed for driver in studies.drivers.values())):
            nursery.start_soon(end_with, event)
