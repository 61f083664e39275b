"""OtherVersions: names the peers that run another version of Swarm, each of them once."""

import logging

from swarm.core.ids import PeerId
from swarm.core.protocol import PROTOCOL_VERSION
from swarm.network.statistics import Statistics

log = logging.getLogger(__name__)

LOGGED_MAX = 256
"""Peers that are named in the log; identities are free, and a log must not grow with them."""


class OtherVersions:
    """Counts what other versions say, and logs which side to update."""

    def __init__(self, statistics: Statistics) -> None:
        self._statistics = statistics
        self._logged: set[PeerId] = set()

    def refuse(self, peer: PeerId, version: int) -> None:
        """Count a message or a subscription of another version; log the first of each peer."""
        self._statistics.refuse("wire-version")
        if peer in self._logged or len(self._logged) >= LOGGED_MAX:
            return
        self._logged.add(peer)
        is_older = version < PROTOCOL_VERSION
        log.warning(
            "peer %s runs %s version of Swarm (protocol %d, here %d) and is ignored: "
            "update Swarm on %s machine",
            *(peer, "an older" if is_older else "a newer", version, PROTOCOL_VERSION),
            "that peer's" if is_older else "this",
        )
