"""What a command does with the studies of its peer, once that listens."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from swarm.core.blobs import BlobRef
from swarm.core.errors import ConfigurationError, DataError, SwarmError
from swarm.core.ids import Digest, PeerId
from swarm.learning.search.study_tasks import check_own_data, check_study
from swarm.peer.host.host import Host
from swarm.peer.search.overview import ID_LENGTH
from swarm.peer.search.studies import Interest, Studies
from swarm.peer.search.study_driver import StudyDriver
from swarm.peer.search.study_progress import StudyProgress, summary
from swarm.search.effects import CancelRequested
from swarm.search.search import Search
from swarm.search.study import StudyId, StudySpec
from swarm.search.study_file import data_file, parse_study

SHOW_EVERY_S = 0.2
SETTLE_WITHIN_S = 10.0
"""So long who submitted a study waits, when it is over, until all others have all of it."""
OTHERS_WITHIN_S = 2.0
"""So long after a study was found others may be: several peers answer one after the other."""


async def run_study(
    studies: Studies, spec: StudySpec, show: Callable[[StudyDriver], None]
) -> None:
    """Submit a study, or go on with it, and return when it is over and everybody has it.

    Raises:
        ConfigurationError: It cannot be executed.
    """
    driver = studies.submit(spec)
    show(driver)
    machine = driver.machine
    with StudyProgress(machine.spec, lambda: machine.elapsed_s) as progress:
        while not machine.closed:
            progress.show(len(machine.ledger.results), summary(machine))
            with trio.move_on_after(SHOW_EVERY_S):
                await driver.changed.wait()
            await trio.sleep(SHOW_EVERY_S / 4)
        progress.show(len(machine.ledger.results), summary(machine))
    await wait_settled(driver)


async def wait_settled(driver: StudyDriver) -> None:
    """Return when every member has the whole ledger of a study that is over, or soon after."""
    with trio.move_on_after(SETTLE_WITHIN_S):
        while not driver.machine.settled:
            await driver.changed.wait()


@dataclass(frozen=True, slots=True)
class FoundStudy:
    """A study that was offered."""

    driver: StudyDriver
    is_read: bool
    """Whether all of it was here; if not, it may have more results than it seems."""

    @property
    def machine(self) -> Search:
        """Its part here."""
        return self.driver.machine


async def wait_studies(studies: Studies, timeout_s: float, study: str = "") -> list[FoundStudy]:
    """Join the studies that are offered, and return when all of each is here and no more come.

    Args:
        studies: Where they are joined.
        timeout_s: Return what there is after so long.
        study: Only those of this name, or whose id begins so; all if empty.
    """
    studies.interest = Interest(closed=True, study=study)
    found: set[StudyId] = set()
    read: set[StudyId] = set()
    settled_s = math.inf
    with trio.move_on_after(timeout_s):
        while True:
            if not found >= studies.drivers.keys():
                found |= studies.drivers.keys()
                settled_s = trio.current_time() + OTHERS_WITHIN_S
            # One that runs is behind again at once: to have been complete at some time is enough.
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
    """Join the study of this name or beginning of its id, and return when all of it is here.

    Args:
        studies: Where it is joined.
        study: Its name, or how its id begins; any if empty.
        timeout_s: How long to wait for it.
        running: Whether those that are over count only if no other is meant.

    Raises:
        ConfigurationError: Several studies are meant.
        SwarmError: Nobody offered it in time.
    """
    found = await wait_studies(studies, timeout_s, study)
    if not found:
        wanted = f"study {study!r}" if study else "any study"
        raise SwarmError(
            f"nobody offered {wanted} within {timeout_s:g} s: is the bootstrap right?"
        )
    one = choose_study(found, study, running=running)
    if not one.is_read:
        raise SwarmError(
            f"study {one.machine.spec.name!r} was not read within {timeout_s:g} s: "
            "give it longer with --timeout"
        )
    return one.driver


def choose_study(found: Sequence[FoundStudy], study: str, *, running: bool) -> FoundStudy:
    """The one that is meant, see `wait_study`.

    Raises:
        ConfigurationError: Several are.
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
    """End a study, and return when its coordinator said so.

    Returns:
        The study, and whether it had been over already.

    Raises:
        ConfigurationError: Several studies are meant.
        SwarmError: Nobody offered it, or nobody ended it, in time.
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
    """Make a spec of a study file's values; its data, once tried, goes into the store.

    Args:
        document: The values.
        folder: What a relative path of data is relative to.
        host: The peer that submits the study; its store gets the data.
        allow_code: Whether models that are a `module:function` may run here.

    Raises:
        ConfigurationError: A field breaks a rule, or the data cannot be read or tried.
    """
    submitter = host.me
    path = data_file(document)
    if path is None:
        return parse_study(document, submitter)
    spec = check_document(document, submitter, allow_code=allow_code)
    # It may take seconds, and others expect to hear of this peer meanwhile.
    data: bytes = await trio.to_thread.run_sync(
        read_data,
        spec,
        folder / path,
        abandon_on_cancel=True,  # type: ignore[call-arg]  # the stubs are older than trio
    )
    return parse_study(document, submitter, host.store.put(data))


def check_document(
    document: Mapping[str, Any], submitter: PeerId, *, allow_code: bool
) -> StudySpec:
    """Check all of a document with data before its data is read, which may be long.

    Returns:
        The study, but for its data.

    Raises:
        ConfigurationError: A field breaks a rule.
    """
    spec = parse_study(document, submitter, BlobRef(Digest("0" * 64), 1))
    check_study(spec, allow_code=allow_code)
    return spec


def read_data(spec: StudySpec, path: Path) -> bytes:
    """Read a study's data and try them before anybody else does.

    Raises:
        ConfigurationError: They cannot be read, are damaged, or do not go with the study.
    """
    try:
        data = path.read_bytes()
        if not data:
            raise ConfigurationError(f"data: {path} is empty")
        check_own_data(spec, path)
    except (OSError, ValueError) as error:  # the latter of a path that can be none
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"data: cannot read {path}: {reason}") from error
    except DataError as error:
        raise ConfigurationError(f"data: {error}") from error
    return data


async def _wait_change(studies: Studies) -> None:
    """Return when something happened in a study, or one was added."""
    async with trio.open_nursery() as nursery:

        async def end_with(event: trio.Event) -> None:
            await event.wait()
            nursery.cancel_scope.cancel()

        for event in (studies.changed, *(driver.changed for driver in studies.drivers.values())):
            nursery.start_soon(end_with, event)
