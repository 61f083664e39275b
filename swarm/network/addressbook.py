"""AddressBook: where peers were last seen; survives restarts, bounded, never trusted blindly."""

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
    """Endpoints by peer; the peer most recently connected to comes last and is forgotten last.

    An entry is only a hint: the handshake proves who answers there.
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
        """The peers, those most recently connected to first."""
        return iter(tuple(reversed(self._endpoints)))

    def endpoints(self, peer: PeerId) -> tuple[Endpoint, ...]:
        """Where to dial `peer`, best first; empty when unknown."""
        return self._endpoints.get(peer, ())

    def hint(self, peer: PeerId, endpoints: Iterable[Endpoint]) -> bool:
        """Note what somebody else says about `peer`; say whether the peer was unknown."""
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
        """Note what `peer` itself says, or where it answered: new ones first."""
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
        """Drop a peer that was only hinted at; one that once answered stays."""
        if peer not in self._proven:
            self._endpoints.pop(peer, None)

    def save(self) -> None:
        """Write the proven entries to disk when they changed; a failure is only logged."""
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
            log.warning("the address book %s is damaged and ignored: %s", self._path, error)
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
