"""warn_while_nobody_answers(): says what to check while no bootstrap peer answers."""

from typing import Protocol

import structlog
import trio

FIRST_AFTER_S = 4.0
"""Seconds without a connection before the first warning: a peer that runs answers sooner."""
AGAIN_AFTER_S = 30.0

log = structlog.get_logger()


class Joining(Protocol):
    """The part of a host that says whether it has found other peers."""

    met: trio.Event
    """Set once another peer has connected."""

    @property
    def bootstraps(self) -> str:
        """The bootstrap addresses as text; empty if there are none."""
        ...


async def warn_while_nobody_answers(host: Joining) -> None:
    """Log a warning now and again until another peer connects; the host goes on trying."""
    wait_s = FIRST_AFTER_S
    while host.bootstraps and not host.met.is_set():
        with trio.move_on_after(wait_s):
            await host.met.wait()
            return
        log.warning(
            "alone",
            detail=f"no peer answers at {host.bootstraps} yet: is the peer there running, and can "
            "this machine reach that port?",
        )
        wait_s = AGAIN_AFTER_S
