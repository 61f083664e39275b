"""Discovery: finds the other peers and keeps connections to them.

Addresses come from three sources; each one is enough once a first peer is connected.
Bootstrap addresses: given by the user, and redialled until they answer.
Exchange: connected peers send each other their addresses, their neighbours, and the addresses that
they know. Each change of connections repeats the exchange, so two newcomers at one bootstrap
address always learn about each other.
Kademlia: each peer provides one common key and looks for other providers of it.

Two sets of peers get connections. The kept peers, which the workloads name, are redialled every
5 s while they are lost. Beyond those, known peers are dialled until a target number is reached.
The loops run fast while something changes, and slow down to one pass in 30 s while nothing does.
"""

import hashlib
import logging
from collections.abc import Collection
from typing import Protocol

import trio
from libp2p.abc import IHost, INetStream
from libp2p.custom_types import TProtocol
from libp2p.kad_dht.kad_dht import KadDHT
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import PeerInfo
from multiaddr import Multiaddr

from swarm.core.errors import PeerSilentError, PeerUnreachableError, RemoteProtocolError
from swarm.core.ids import PeerId
from swarm.network.addressbook import AddressBook
from swarm.network.addresses import (
    BootstrapAddress,
    Endpoint,
    format_peer_address,
    is_loopback,
    is_peer_id,
    parse_peer_address,
)
from swarm.network.dialer import Dialer, SelfDialedError
from swarm.network.kademlia import ADDRESSES_MAX, NAMESPACE
from swarm.network.streams import frame, open_stream, peer_of, read_frame

log = logging.getLogger(__name__)

PEERS_PROTOCOL = TProtocol("/swarm/peers/1.0.0")
REDIAL_INTERVAL_S = 5.0
_BOOTSTRAP_PAUSES_S = (0.3, 0.3, 0.3, 0.5, 0.5, 0.5)
"""Pauses between the first attempts: a bootstrap peer that starts with us is up in seconds."""
_ISOLATED_PAUSE_S = 1.0
_ROUND_PAUSE_FAST_S = 0.4
_ROUND_PAUSE_MAX_S = 30.0
_EXCHANGE_TIMEOUT_S = 5.0
_EXCHANGE_SIZE_MAX = 32 * 1024
_EXCHANGE_PEERS_MAX = 64
_NEIGHBOURS_MAX = 64
_RETRY_PAUSE_FIRST_S = 1.0
_RETRY_PAUSE_MAX_S = 60.0
_ATTEMPTS_MAX = 6
"""Number of failed dials after which an address that never answered is forgotten."""
_DHT_TIMEOUT_S = 10.0


class Reachability(Protocol):
    """Receives the news that a kept peer refused a dial."""

    def peer_unreachable(self, peer: PeerId) -> None:
        """A redial of `peer` was refused."""
        ...


class Discovery:
    """Decides which peers to dial, and dials them."""

    def __init__(
        self,
        host: IHost,
        dialer: Dialer,
        book: AddressBook,
        connections_target: int,
        listener: Reachability,
    ) -> None:
        self._host = host
        self._me = PeerId(host.get_id().to_base58())
        self._dialer = dialer
        self._book = book
        self._target = connections_target
        self._listener = listener
        self._kept: frozenset[PeerId] = frozenset()
        self._wake = trio.Event()
        self._kept_wake = trio.Event()
        self._lost = trio.Event()
        self._next_try_s: dict[PeerId, tuple[int, float]] = {}
        self._exchanged: set[PeerId] = set()
        self._neighbours: dict[PeerId, frozenset[ID]] = {}

    # Input from the network and the workloads

    def keep_connected(self, peers: Collection[PeerId]) -> None:
        """Keep connections to these peers; replaces the earlier set."""
        kept = frozenset(peers) - {self._me}
        if kept != self._kept:
            self._kept = kept
            self._kept_wake.set()

    def is_kept(self, peer: PeerId) -> bool:
        """Return whether `peer` is among the kept peers."""
        return peer in self._kept

    def neighbours_of(self, peer: ID) -> frozenset[ID]:
        """Return the neighbours that a connected peer last reported; empty if it did not."""
        return self._neighbours.get(PeerId(peer.to_base58()), frozenset())

    def peer_connected(self, peer: PeerId) -> None:
        """Note that the first connection to `peer` opened."""
        self._next_try_s.pop(peer, None)
        self._exchanged.clear()  # our neighbours changed: exchange with all of them again
        self._wake.set()

    def peer_disconnected(self, peer: PeerId) -> None:
        """Note that the last connection to `peer` closed."""
        self._neighbours.pop(peer, None)
        self._exchanged.clear()
        self._wake.set()
        self._lost.set()
        self._lost = trio.Event()

    # Loops

    async def keep_bootstrap(self, address: BootstrapAddress) -> None:
        """Stay connected to the peer that answers at one bootstrap address."""
        pauses = iter(_BOOTSTRAP_PAUSES_S)
        while True:
            try:
                peer = await self._dialer.connect_to_address(address)
            except SelfDialedError:
                return
            except PeerUnreachableError as error:
                log.debug("bootstrap %s: %s", address, error)
                pause_s = REDIAL_INTERVAL_S if self._connected() else _ISOLATED_PAUSE_S
                await trio.sleep(next(pauses, pause_s))
            else:
                pauses = iter(_BOOTSTRAP_PAUSES_S)
                while self._dialer.is_connected(peer):
                    await self._lost.wait()
                await trio.sleep(_BOOTSTRAP_PAUSES_S[0])

    async def keep_kept(self) -> None:
        """Redial lost kept peers: at once when the set changes, then every five seconds."""
        while True:
            self._kept_wake = trio.Event()
            async with trio.open_nursery() as nursery:
                for peer in self._kept:
                    if not self._dialer.is_connected(peer):
                        nursery.start_soon(self._redial_kept, peer)
            with trio.move_on_after(REDIAL_INTERVAL_S):
                await self._kept_wake.wait()

    async def fill_connections(self) -> None:
        """Dial known peers until the target is reached; learn addresses from connected ones."""
        pause_s = _ROUND_PAUSE_FAST_S
        while True:
            self._wake = trio.Event()
            before = (len(self._book), self._connected())
            async with trio.open_nursery() as nursery:
                for peer in self._to_ask():
                    nursery.start_soon(self._ask, peer)
            await self._dial_candidates()
            self._book.save()
            if before == (len(self._book), self._connected()):
                pause_s = min(pause_s * 2, _ROUND_PAUSE_MAX_S)
            else:
                pause_s = _ROUND_PAUSE_FAST_S
            with trio.move_on_after(pause_s):
                await self._wake.wait()
                pause_s = _ROUND_PAUSE_FAST_S
                await trio.sleep(0.05)  # several connections often open together

    async def walk_dht(self, dht: KadDHT) -> None:
        """Provide our address under the common key, and look for other providers."""
        pauses = iter((3.0, 10.0, 30.0))
        while True:
            await trio.sleep(next(pauses, 2 * _ROUND_PAUSE_MAX_S))
            if self._connected():
                for peer in self._connected():
                    endpoints = [Multiaddr(e.multiaddr) for e in self._book.endpoints(peer)]
                    if endpoints:
                        await dht.routing_table.add_peer(PeerInfo(ID.from_base58(peer), endpoints))
                with trio.move_on_after(_DHT_TIMEOUT_S):
                    try:
                        await self._provide_and_find(dht)
                    except Exception as error:  # a bad answer; the next pass may succeed
                        log.debug("kademlia: %r", error)

    # The exchange of addresses

    async def answer_exchange(self, stream: INetStream) -> None:
        """Receive a peer's list of addresses and answer with ours.

        A list is text. The first line has the ids of all neighbours. Each further line is a full
        multiaddr: with the sender's own id it is an address of the sender, otherwise a hint.
        """
        peer = peer_of(stream)
        with trio.fail_after(_EXCHANGE_TIMEOUT_S):
            lines = await read_frame(stream, _EXCHANGE_SIZE_MAX)
            self._learn(peer, lines, stream)
            await stream.write(frame(self._address_lines(peer, stream)))
            await stream.close()

    async def _ask(self, peer: PeerId) -> None:
        self._exchanged.add(peer)  # set first: a change during the exchange must cause another one
        try:
            with trio.fail_after(_EXCHANGE_TIMEOUT_S):
                remote = ID.from_base58(peer)
                async with open_stream(self._host, remote, [PEERS_PROTOCOL]) as stream:
                    await stream.write(frame(self._address_lines(peer, stream)))
                    self._learn(peer, await read_frame(stream, _EXCHANGE_SIZE_MAX), stream)
        except Exception as error:  # errors of four layers; the next pass may succeed
            log.debug("exchange with %s: %r", peer, error)
            self._exchanged.discard(peer)

    def _to_ask(self) -> list[PeerId]:
        connected = self._connected()
        fresh = [peer for peer in connected if peer not in self._exchanged]
        if fresh or not connected:
            return fresh
        return [connected[int(trio.current_time() // _ROUND_PAUSE_MAX_S) % len(connected)]]

    def _address_lines(self, receiver: PeerId, stream: INetStream) -> bytes:
        here = _shares_machine(stream)
        mine = [
            str(address)
            for address in self._host.get_addrs()
            if here or not _is_loopback(_endpoint(address))
        ]
        connected = self._connected()
        others = [p for p in (*connected, *self._book) if p not in (receiver, self._me)]
        lines = [
            format_peer_address(peer, endpoint)
            for peer in tuple(dict.fromkeys(others))[:_EXCHANGE_PEERS_MAX]
            for endpoint in self._book.endpoints(peer)[:2]
            if here or not endpoint.is_loopback
        ]
        neighbours = " ".join(connected[:_NEIGHBOURS_MAX])
        return "\n".join([neighbours, *mine, *lines]).encode()

    def _learn(self, sender: PeerId, lines: bytes, stream: INetStream) -> None:
        heard: dict[PeerId, list[Endpoint]] = {}
        here = _shares_machine(stream)
        try:
            neighbours, *addresses = lines.decode("ascii").split("\n")
            reached = frozenset(
                ID.from_base58(peer)
                for peer in neighbours.split()[:_NEIGHBOURS_MAX]
                if is_peer_id(peer)
            )
            for line in addresses[: 2 * _EXCHANGE_PEERS_MAX + 8]:
                peer, endpoint = parse_peer_address(line)
                if here or not endpoint.is_loopback:  # from another machine it would mean this one
                    heard.setdefault(peer, []).append(endpoint)
        except ValueError as error:
            raise RemoteProtocolError(f"address list of {sender}: {error}") from error
        if self._dialer.is_connected(sender):  # otherwise no event would ever remove the entry
            self._neighbours[sender] = reached
        own = heard.pop(sender, [])
        seen_ip = _remote_ip(stream)
        if seen_ip is not None and own:
            # Behind an address translation: the address that we see, with the port it listens on.
            own.append(Endpoint(seen_ip, own[0].port))
        self._book.confirm(sender, own)
        heard.pop(self._me, None)
        news = [self._book.hint(peer, endpoints) for peer, endpoints in heard.items()]
        if any(news):
            self._wake.set()

    # Dialling

    async def _dial_candidates(self) -> None:
        room = self._target - len(self._connected())
        if room <= 0:
            return
        now_s = trio.current_time()
        self._next_try_s = {p: at for p, at in self._next_try_s.items() if p in self._book}
        due = [
            peer
            for peer in self._book
            if not self._dialer.is_connected(peer)
            and peer != self._me
            and self._next_try_s.get(peer, (0, 0.0))[1] <= now_s
        ]
        # Each peer has its own order, so that a large swarm does not gather around a few peers.
        due.sort(key=lambda peer: hashlib.sha256(f"{self._me}{peer}".encode()).digest())
        async with trio.open_nursery() as nursery:
            for peer in due[:room]:
                nursery.start_soon(self._dial_candidate, peer)

    async def _dial_candidate(self, peer: PeerId) -> None:
        if self._me > peer:  # both sides may know each other since just now: one dials first
            await trio.sleep(0.25)
        try:
            await self._dialer.connect(peer)
        except PeerUnreachableError as error:
            log.debug("%s", error)
            attempts = self._next_try_s.get(peer, (0, 0.0))[0] + 1
            pause_s = min(_RETRY_PAUSE_FIRST_S * 2**attempts, _RETRY_PAUSE_MAX_S)
            self._next_try_s[peer] = (attempts, trio.current_time() + pause_s)
            if attempts >= _ATTEMPTS_MAX:
                self._book.forget(peer)
                if peer not in self._book:
                    del self._next_try_s[peer]

    async def _redial_kept(self, peer: PeerId) -> None:
        try:
            await self._dialer.connect(peer)
        except PeerSilentError as error:
            log.debug("%s", error)
        except PeerUnreachableError as error:
            log.debug("%s", error)
            self._listener.peer_unreachable(peer)

    async def _provide_and_find(self, dht: KadDHT) -> None:
        found = await dht.find_providers(NAMESPACE, count=50)
        await dht.provide(NAMESPACE)
        for info in found:
            peer = PeerId(info.peer_id.to_base58())
            endpoints = [e for a in info.addrs[:ADDRESSES_MAX] if (e := _endpoint(a)) is not None]
            if peer != self._me and self._book.hint(peer, endpoints):
                self._wake.set()

    def _connected(self) -> list[PeerId]:
        return [PeerId(peer.to_base58()) for peer in self._host.get_connected_peers()]


def _endpoint(address: Multiaddr) -> Endpoint | None:
    """Return the TCP endpoint in another peer's address; None if there is none."""
    try:
        _, kind, ip, transport, port, *_ = str(address).split("/")
        return Endpoint(ip, int(port)) if kind in ("ip4", "ip6") and transport == "tcp" else None
    except ValueError:  # too short, or port 0
        return None


def _is_loopback(endpoint: Endpoint | None) -> bool:
    return endpoint is not None and endpoint.is_loopback


def _shares_machine(stream: INetStream) -> bool:
    """Return whether the peer at the other end runs on this machine."""
    ip = _remote_ip(stream)
    return ip is not None and is_loopback(ip)


def _remote_ip(stream: INetStream) -> str | None:
    address = stream.get_remote_address()
    return address[0] if address is not None else None
