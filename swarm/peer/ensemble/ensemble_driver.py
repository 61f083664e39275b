"""EnsembleDriver: drives one machine of an ensemble, a member's or an asker's.

A member and askers of the same ensemble may run on one host. The network brings a peer nothing
that it published or sent to itself, so the driver hands these messages to the machines beside it.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import trio

from swarm.core.effects import Publish
from swarm.core.ids import PeerId
from swarm.core.machine import Event, Machine
from swarm.ensemble.effects import LeaveRequested
from swarm.ensemble.spec import EnsembleId
from swarm.peer.host.host import Host
from swarm.peer.host.machine_driver import MachineDriver

M = TypeVar("M", bound=Machine)
PassOn = Callable[["EnsembleDriver[Any]", Event], None]
"""Hands a message to the other machines of the driver's ensemble on this host, soon."""


class EnsembleDriver(MachineDriver[M]):
    """Base of `MemberDriver` and `AskerDriver`; `Ensembles` gives it the ensemble's events."""

    def __init__(
        self,
        key: str,
        ensemble: EnsembleId,
        machine: M,
        host: Host,
        nursery: trio.Nursery,
    ) -> None:
        """Make a driver.

        Args:
            key: Name of the machine on this host, as in `member <id>`.
            ensemble: Events of this ensemble come here.
            machine: The machine that decides.
            host: Its network, store and outbox are used.
            nursery: Owns timers, fetches and jobs; they end with it.
        """
        super().__init__(key, machine, host, nursery)
        self.ensemble = ensemble
        self.pass_on: PassOn | None = None
        """Set by `Ensembles.add`."""

    def publish(self, effect: Publish) -> None:
        """Publish a message, also to the machines beside this one."""
        super().publish(effect)
        if self.pass_on is not None:
            self.pass_on(self, effect.message)

    def send(self, peer: PeerId, message: Event) -> None:
        """Send a message to one peer, or to the machines beside this one."""
        if peer != self._host.me:
            super().send(peer, message)
        elif self.pass_on is not None:
            self.pass_on(self, message)

    def end_broken(self, error: Exception) -> None:
        """End this machine, without a goodbye; what runs beside it goes on."""
        self.stop()
        self.notify()

    def leave(self) -> None:
        """Say goodbye, as the user asked."""
        self.say_goodbye(LeaveRequested())
