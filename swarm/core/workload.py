"""Workload: what a host expects of each kind of work, federation, search and those to come."""

from typing import Protocol

from swarm.core.machine import Event


class Workload(Protocol):
    """Runs any number of machines of one kind: sessions, or studies.

    The host passes on what it hears. The workload picks the machines that an event concerns, by
    session, study or topic, and ignores events of other workloads.
    """

    def handle(self, event: Event) -> None:
        """Hand a message or a connection event to the machines that it concerns.

        Unknown and stale events are ignored, never raised on.
        """
        ...

    def leave(self, reason: str = "") -> None:
        """Say goodbye in each machine.

        Args:
            reason: `disk` if the disk failed; empty if the user leaves.
        """
        ...
