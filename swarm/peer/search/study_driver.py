"""StudyDriver: carries out what the machine of a study asks for."""

from collections.abc import Callable

import structlog
import trio

from swarm.core.machine import Effect
from swarm.peer.host.host import Host
from swarm.peer.host.machine_driver import MachineDriver
from swarm.peer.search.ledger_file import LedgerFile
from swarm.peer.search.trial_execution import Execution
from swarm.search.effects import (
    DropTrial,
    LeaveRequested,
    Note,
    PruneTrial,
    RunTrial,
    SaveEntries,
    SaveTerm,
)
from swarm.search.search import Search

log = structlog.get_logger()
_LOUD = ("coordinates", "stepped down", "closed", "cannot coordinate")
"""Notes for users; the others, such as expired leases, are logged at level debug."""


class StudyDriver(MachineDriver[Search]):
    """Saves a study's ledger, and has its trials run."""

    def __init__(
        self,
        machine: Search,
        file: LedgerFile,
        host: Host,
        execution: Execution | None,
        nursery: trio.Nursery,
        on_ended: Callable[[], None],
    ) -> None:
        super().__init__(machine.spec.id, machine, host, nursery)
        self._file = file
        self._execution = execution
        self._on_ended: Callable[[], None] | None = on_ended
        self._syncing = trio.CancelScope()

    def notify(self) -> None:
        """Wake all tasks that wait for a change; report the end of the study once."""
        super().notify()
        ended = self.machine.closed or self.broken is not None
        if ended and self._on_ended is not None:
            report, self._on_ended = self._on_ended, None
            report()

    async def sync_forever(self) -> None:
        """Sync the ledger to the disk once a second, in a thread; close it at the end."""
        synced = 0
        try:
            with self._syncing:
                while True:
                    await trio.sleep(1.0)
                    if len(self.machine.ledger) > synced:
                        synced = len(self.machine.ledger)
                        await trio.to_thread.run_sync(self._file.sync)
        finally:
            self._file.close()

    def retire(self) -> None:
        """Leave a study for good, with a goodbye if it still can; its ledger stays on disk."""
        self.say_goodbye(LeaveRequested())
        self.stop()
        self._syncing.cancel()

    def end_broken(self, error: Exception) -> None:
        """Leave the study, without a goodbye; other studies go on.

        The peer that submitted it ends, so that its user does not wait for ever.
        """
        if self.machine.spec.submitter == self._host.me:
            raise error
        self.retire()
        self.notify()

    def prepare(self, effects: list[Effect]) -> None:
        """Append new entries to the ledger: one write, before any message is sent."""
        entries = [
            e for effect in effects if isinstance(effect, SaveEntries) for e in effect.entries
        ]
        if entries:
            self._file.add(entries)

    def carry_out_own(self, effect: Effect) -> None:
        """Carry out an effect of hyperparameter search."""
        match effect:
            case SaveTerm(term):
                self._file.save_term(term)
            case Note(kind, text):
                level = log.info if kind in _LOUD else log.debug
                level(kind, study=self.machine.spec.name, detail=text)
            case _:
                self._execute(effect)

    def _execute(self, effect: Effect) -> None:
        if self._execution is None:
            return
        match effect:
            case RunTrial():
                spec, ledger = self.machine.spec, self.machine.ledger
                self._nursery.start_soon(self._execution.run, spec, effect, ledger, self.handle)
            case PruneTrial(trial):
                self._execution.prune(trial)
            case DropTrial(trial):
                self._execution.drop(trial)
