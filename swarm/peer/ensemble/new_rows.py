"""NewRows: what a member does with rows and orders that come while it runs.

Rows are read by a child process of their own, so that a long fit makes no user wait and a damaged
file ends no other work. After each file, and after each change of the model that answers, the
drift of the new rows is measured. The machine decides whether to refit.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
import trio

from swarm.core.errors import DataError, SwarmError
from swarm.core.ids import Digest
from swarm.ensemble.effects import (
    FitRequested,
    PromoteRequested,
    RollbackRequested,
    RowsChanged,
)
from swarm.ensemble.records import NO_DRIFT, Drift, ModelRecord
from swarm.peer.ensemble.inbox import Inbox
from swarm.peer.ensemble.orders import FIT, PROMOTE, Order, read_order
from swarm.peer.processes.member_frames import AddRows, MeasureDrift, RowsAdded
from swarm.peer.processes.member_worker import MemberWorker

if TYPE_CHECKING:
    from swarm.peer.ensemble.member_driver import MemberDriver

ADD_LIMIT_S = 300.0
DRIFT_LIMIT_S = 300.0
VERSION_LENGTH = 8

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Measured:
    """What a measurement was of."""

    champion: Digest | None
    num_rows: int


class NewRows:
    """Takes rows and orders from folders, and measures drift.

    Invariant: the machine hears of rows only after they are on the disk.
    """

    def __init__(
        self,
        driver: "MemberDriver",
        worker: MemberWorker,
        num_rows: int,
        watch: Path | None,
        threshold: float,
    ) -> None:
        """Make it.

        Args:
            driver: The member's; it hears what changed.
            worker: The process that reads rows.
            num_rows: Rows that the member has.
            watch: A folder of the user's own, or None.
            threshold: Drift above which the member refits.
        """
        self._driver = driver
        self._worker = worker
        self._num_rows = num_rows
        self._threshold = threshold
        self._drift: Drift = NO_DRIFT
        self._inboxes = [Inbox(driver.folder.inbox, self.take_rows, self.take_order)]
        if watch is not None:
            self._inboxes.append(Inbox(watch, self.take_rows))

    async def run(self) -> None:
        """Watch folders and drift until cancelled."""
        async with trio.open_nursery() as nursery:
            for inbox in self._inboxes:
                nursery.start_soon(inbox.run)
            nursery.start_soon(self._measure)

    async def take_rows(self, path: Path, name: str) -> str:
        """Add the rows of a file; returns what came of it, for the user.

        Raises:
            SwarmError: The file is refused; the message names file, column and rule.
        """
        added = await self._worker.call(AddRows(str(path), name), RowsAdded, ADD_LIMIT_S)
        self._num_rows = added.num_rows
        self._driver.handle(RowsChanged(added.num_rows, self._drift))
        self._driver.notify()
        if not added.num_new:
            return f"{name} was added before: no new rows, {added.num_rows:,} in all"
        lost = added.num_left_out
        without = f" ({lost:,} without target left out)" if lost else ""
        return f"{name}: {added.num_new:,} rows{without}; this member has {added.num_rows:,} now"

    async def take_order(self, path: Path, name: str) -> str:
        """Obey an order; returns what came of it, for the user.

        Raises:
            DataError: The order breaks a rule, or there is nothing that it could do.
        """
        order = read_order(path)
        if order.order == FIT:
            self._driver.handle(FitRequested(order.everyone))
            return "all members fit now" if order.everyone else "this member fits now"
        return self._change_model(order)

    def _change_model(self, order: Order) -> str:
        machine = self._driver.machine
        before = _version(machine.models.champion)
        if order.order == PROMOTE:
            if machine.models.challenger is None:
                raise DataError("there is no challenger: `fit` makes one")
            self._driver.handle(PromoteRequested())
        else:
            if machine.models.previous is None:
                raise DataError("there is no previous model")
            self._driver.handle(RollbackRequested())
        after = _version(machine.models.champion)
        if after == before or after is None:
            raise DataError(f"version {(before or '-')[:VERSION_LENGTH]} goes on answering")
        return f"version {after[:VERSION_LENGTH]} answers now"

    # -- drift

    async def _measure(self) -> None:
        measured = _Measured(None, 0)
        while True:
            changed = self._driver.changed
            champion = self._driver.machine.models.champion
            current = _Measured(_version(champion), self._num_rows)
            if champion is not None and current != measured:
                measured = current
                await self._measure_once(champion)
                continue
            await changed.wait()

    async def _measure_once(self, champion: ModelRecord) -> None:
        drift = NO_DRIFT
        if self._num_rows > champion.num_rows:
            try:
                drift = await self._worker.call(
                    MeasureDrift(champion, self._threshold), Drift, DRIFT_LIMIT_S
                )
            except SwarmError as error:  # the next rows try again
                log.warning("drift", detail=f"could not be measured: {error}")
                return
        if drift != self._drift:
            self._drift = drift
            self._driver.handle(RowsChanged(self._num_rows, drift))


def _version(model: ModelRecord | None) -> Digest | None:
    return model.version if model is not None else None
