"""MemberProcesses: the child processes of one member, and what each may use.

    answers   answers questions with this member's own models; always ready
    fits      fits, and compares champion and challenger
    guests    loads other members' models to score them: little memory, little time
    rows      reads rows that come later, and measures drift
    copies    answers for lost members with models that were kept; limited like `guests`

`answers`, `fits` and `rows` load only models that this member fitted. A model of another member
that crashes or fills its process takes no other work with it. Predictions get cores first: before
aggregation, before training and fitting, before trials.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import structlog
import trio

from swarm.core.errors import SwarmError
from swarm.peer.processes.child_pipes import LEARNER_NICENESS
from swarm.peer.processes.cores import num_cores
from swarm.peer.processes.member_frames import Open
from swarm.peer.processes.member_worker import MemberWorker, Role

PREDICTION_NICENESS = 2
FIT_NICENESS = LEARNER_NICENESS + 2
"""Fits give way to aggregation, which other peers wait for."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class MemberProcesses:
    """The processes of one member; made by `open_member_processes`."""

    answers: MemberWorker
    fits: MemberWorker
    guests: MemberWorker
    copies: MemberWorker
    rows: MemberWorker


@asynccontextmanager
async def open_member_processes(
    opening: Open, foreign_memory_mib: int
) -> AsyncIterator[MemberProcesses]:
    """Start the process that answers; the others start when they are needed.

    All end with the block, whatever happens.

    Args:
        opening: The ensemble and the member's folder.
        foreign_memory_mib: Most memory of a process that loads other members' models.
    """
    async with trio.open_nursery() as nursery:

        def worker(role: Role, on_died: Callable[[], None] | None = None) -> MemberWorker:
            return MemberWorker(nursery, role, opening, log, on_died)

        def for_others(name: str, niceness: int) -> MemberWorker:
            role = Role(name, niceness, foreign_memory_mib)
            return MemberWorker(nursery, role, replace(opening, is_for_others=True), log)

        async def restart() -> None:
            try:
                await processes.answers.start()
            except SwarmError as error:  # the next question tries again
                log.warning("no process answers", reason=str(error))

        processes = MemberProcesses(
            worker(
                Role("answers", PREDICTION_NICENESS),
                on_died=lambda: nursery.start_soon(restart),
            ),
            worker(Role("fits", FIT_NICENESS, threads=num_cores())),
            for_others("scores others' models", FIT_NICENESS),
            for_others("answers for others", PREDICTION_NICENESS),
            worker(Role("reads rows", FIT_NICENESS)),
        )
        nursery.start_soon(restart)
        try:
            yield processes
        finally:
            nursery.cancel_scope.cancel()
