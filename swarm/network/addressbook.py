"""AddressBook: where peers were last seen. It survives restarts and is bounded."""

import json
import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from swarm.core.ids import PeerId
from swarm.network.addresses import Endpoint, format_peer_address, parse_peer_address

log = logging.getLogger(__name__)

PEERS_MAX = 256
ENDPOINTS_PER_PEER_MAX = 4


class AddressBook:
    """Endpoints by peer. The peer connected most recently comes last and is forgotten last.

    An entry is only a hint: the handshake proves which peer answers there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._endpoints: dict[PeerId, tuple[Endpoint, ...]] = {}
        self._proven: set[PeerId] = set()
        self._is_saved = True
        self._load()

    def __len__(self) -> int:
        return len(self._endpoints)

    def __contains__(self, peer: object) -> bool:
        return peer in self._endpoints

    def __iter__(self) -> Iterator[PeerId]:
        """Iterate over the peers, the most recently connected one first."""
        return iter(tuple(reversed(self._endpoints)))

    def endpoints(self, peer: PeerId) -> tuple[Endpoint, ...]:
        """Return where to dial `peer`, the best endpoint first; empty if the peer is unknown."""
        return self._endpoints.get(peer, ())

    def hint(self, peer: PeerId, endpoints: Iterable[Endpoint]) -> bool:
        """Note what another peer says about `peer`; return whether it added an unknown peer."""
        known = self._endpoints.get(peer)
        if known is not None:
            return False
        if len(self._endpoints) >= PEERS_MAX and not self._forget_one():
            return False
        usable = _usable(endpoints)
        if usable:
            self._endpoints = {peer: usable, **self._endpoints}
        return bool(usable)

    def confirm(self, peer: PeerId, endpoints: Iterable[Endpoint]) -> None:
        """Note what `peer` says about itself, or where it answered; new endpoints come first."""
        old = self._endpoints.pop(peer, ())
        usable = _usable((*endpoints, *old))
        if not usable:
            return
        while len(self._endpoints) >= PEERS_MAX:
            if not self._forget_one():
                self._drop(next(iter(self._endpoints)))
        self._endpoints[peer] = usable
        self._proven.add(peer)
        self._is_saved = False

    def forget(self, peer: PeerId) -> None:
        """Drop a peer that is known from hints only; a peer that once answered stays."""
        if peer not in self._proven:
            self._endpoints.pop(peer, None)

    def save(self) -> None:
        """Write the proven entries to disk if they changed; a failure is only logged."""
        if self._is_saved:
            return
        lines = [
            format_peer_address(peer, endpoint)
            for peer, endpoints in self._endpoints.items()
            if peer in self._proven
            for endpoint in endpoints
        ]
        temporary = self._path.with_suffix(".new")
        try:
            temporary.write_text(json.dumps(lines, indent=0), encoding="utf-8")
            os.replace(temporary, self._path)
            self._is_saved = True
        except OSError as error:
            log.warning("cannot write the address book %s: %s", self._path, error)

    def _load(self) -> None:
        try:
            lines = json.loads(self._path.read_text(encoding="utf-8"))
            found: dict[PeerId, list[Endpoint]] = {}
            for line in lines[: PEERS_MAX * ENDPOINTS_PER_PEER_MAX]:
                peer, endpoint = parse_peer_address(line)
                found.setdefault(peer, []).append(endpoint)
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, KeyError) as error:
            log.warning("the address book %s is damaged and is ignored: %s", self._path, error)
            return
        for peer, endpoints in found.items():
            self.confirm(peer, endpoints)
        self._is_saved = True

    def _forget_one(self) -> bool:
        victim = next((peer for peer in self._endpoints if peer not in self._proven), None)
        if victim is not None:
            self._drop(victim)
        return victim is not None

    def _drop(self, peer: PeerId) -> None:
        del self._endpoints[peer]
        self._proven.discard(peer)


def _usable(endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    distinct = dict.fromkeys(e for e in endpoints if not e.is_wildcard)
    return tuple(distinct)[:ENDPOINTS_PER_PEER_MAX]
