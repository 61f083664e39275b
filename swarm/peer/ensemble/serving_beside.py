"""open_serving_beside(): a member of an ensemble on a host that does other work too.

What happens at the member goes to the log. If it cannot be a member, the other work goes on.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
import trio

from swarm.core.errors import SwarmError
from swarm.peer.ensemble.ensemble_settings import EnsembleSettings
from swarm.peer.ensemble.member_lines import show_member
from swarm.peer.ensemble.member_rows import MemberRows
from swarm.peer.ensemble.serving import Serving, open_serving
from swarm.peer.host.host import Host

log = structlog.get_logger()


@asynccontextmanager
async def open_serving_beside(
    host: Host, settings: EnsembleSettings, rows: MemberRows
) -> AsyncIterator[Serving]:
    """Join or found an ensemble in the background; the member ends with the block."""
    async with open_serving(host, settings, rows) as serving, trio.open_nursery() as nursery:
        nursery.start_soon(_serve, host, serving)
        yield serving
        nursery.cancel_scope.cancel()


async def _serve(host: Host, serving: Serving) -> None:
    try:
        driver = await serving.begin(_say)
        await show_member(driver, host.address, _say)
    except SwarmError as error:
        log.error("no member", reason=str(error))


def _say(line: str) -> None:
    log.info("ensemble", detail=line)
