"""SessionDriver: carries out what the machine of a federated session asks for."""

import logging

import structlog
import trio

from swarm.core.machine import Effect
from swarm.federation.best_head import ending
from swarm.federation.effects import (
    GiveUp,
    Leave,
    Note,
    SaveCommands,
    SaveContribution,
    SaveHead,
    SaveLedger,
)
from swarm.federation.federation import Federation
from swarm.federation.messages import Contribution
from swarm.federation.records import GlobalModel
from swarm.peer.federation.learning_jobs import LearningJobs
from swarm.peer.federation.session_folder import SessionFolder
from swarm.peer.host.host import Host
from swarm.peer.host.machine_driver import MachineDriver

_LEVELS = {
    "head": logging.DEBUG,
    "failing": logging.WARNING,
    "failed": logging.WARNING,
    "learning": logging.WARNING,
}
"""Level at which a note is logged, if not `INFO`."""

log = structlog.get_logger()


class SessionDriver(MachineDriver[Federation]):
    """Saves a session's records, and has weights trained, measured and combined."""

    def __init__(
        self,
        machine: Federation,
        host: Host,
        nursery: trio.Nursery,
        folder: SessionFolder,
        learning: LearningJobs,
    ) -> None:
        super().__init__(machine.spec.id, machine, host, nursery)
        self.dismissed = ""
        """Why this peer must leave the session although nothing failed: a command removed it."""
        self.failure = ""
        """Why this peer must leave the session: it cannot learn."""
        self.learning = learning
        self._folder = folder

    def carry_out_own(self, effect: Effect) -> None:
        """Carry out an effect of federated training."""
        match effect:
            case Note(kind, text, about):
                # `_adopted` logs a new head with its fields.
                log.log(_LEVELS.get(kind, logging.INFO), kind, detail=text, about=about)
            case SaveLedger(entries):
                self._folder.save_entries(entries)
            case SaveCommands(commands):
                self._folder.save_commands(commands)
            case Leave(reason):
                self.dismissed = reason
            case GiveUp(reason):
                self.failure = reason
            case SaveContribution(contribution):
                self._contributed(contribution)
            case SaveHead(head):
                self._adopted(head)
            case _:
                self.learning.carry_out(effect, self.spawn_job, self.handle)

    def end_broken(self, error: Exception) -> None:
        """End the session's task with this error; other sessions go on."""
        self._nursery.start_soon(_fail, error)

    def _adopted(self, head: GlobalModel) -> None:
        self._folder.save_head(head)
        if how := ending(head, self.machine.spec):
            log.info("ends", round=head.round, detail=how)
        log.info(
            "adopted",
            round=head.round,
            head=head.digest,
            author=head.author,
            term=head.term,
            contributors=len(head.contributors),
            cohort=len(head.cohort),
        )

    def _contributed(self, contribution: Contribution) -> None:
        self._folder.save_contribution(contribution)
        held = self.machine.held
        log.info(
            "contributed",
            round=held.round + 1 if held is not None else None,
            blob_bytes_sent=self._host.network.snapshot().blob_bytes_sent,
        )


async def _fail(error: Exception) -> None:
    await trio.lowlevel.checkpoint()
    raise error
