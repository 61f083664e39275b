"""Dialer: opens secured connections, also to an address whose peer id is still unknown.

It drives libp2p's transport and upgrader itself. libp2p's own path needs the peer id, tries only
one address of a peer, retries with pauses, and then refuses to dial the peer for a minute.
"""

import contextlib
import logging
from collections.abc import Sequence

import trio
from libp2p.abc import IRawConnection, ISecureConn
from libp2p.network.swarm import Swarm
from libp2p.peer.id import ID
from multiaddr import Multiaddr

from swarm.core.errors import PeerSilentError, PeerUnreachableError
from swarm.core.ids import PeerId
from swarm.network.addressbook import AddressBook
from swarm.network.addresses import BootstrapAddress, Endpoint
from swarm.network.readahead import ReadAheadTCP

log = logging.getLogger(__name__)

DIAL_TIMEOUT_S = 5.0
REDIAL_TIMEOUT_S = 2.0
"""Timeout for a peer that was connected a moment ago: it answers at once or is gone."""
_DIALS_MAX = 8


class SelfDialedError(PeerUnreachableError):
    """The address leads back to this process."""


class Dialer:
    """Opens connections, with at most one attempt per peer at a time."""

    def __init__(self, swarm: Swarm, book: AddressBook) -> None:
        self._swarm = swarm
        self._book = book
        self._tcp = ReadAheadTCP()
        self._limiter = trio.CapacityLimiter(_DIALS_MAX)
        self._running: dict[PeerId, trio.Event] = {}

    def is_connected(self, peer: PeerId) -> bool:
        """Return whether a connection to `peer` is open."""
        return any(not c.is_closed for c in self._swarm.get_connections(ID.from_base58(peer)))

    async def connect(self, peer: PeerId, timeout_s: float = DIAL_TIMEOUT_S) -> None:
        """Make sure that a connection to `peer` is open.

        An attempt that is already running is joined; `timeout_s` covers the wait for it, too.

        Raises:
            PeerSilentError: `peer` does not answer in time.
            PeerUnreachableError: All known addresses of `peer` refuse, or none is known.
        """
        until_s = trio.current_time() + timeout_s
        while (running := self._running.get(peer)) is not None:
            with trio.CancelScope(deadline=until_s) as waiting:
                await running.wait()
            if waiting.cancelled_caught:
                break
        if self.is_connected(peer):
            return
        left_s = until_s - trio.current_time()
        if left_s <= 0:
            raise PeerSilentError(f"{peer} does not answer")
        self._running[peer] = done = trio.Event()
        try:
            await self._try_each(peer, self._book.endpoints(peer), left_s)
        finally:
            del self._running[peer]
            done.set()

    async def connect_to_address(self, address: BootstrapAddress) -> PeerId:
        """Dial a bootstrap address, with its name resolved anew; return the peer that answered.

        Raises:
            SelfDialedError: It is our own address.
            PeerUnreachableError: No peer answers, or not the peer with the given id.
        """
        if address.peer_id is not None and self.is_connected(address.peer_id):
            return address.peer_id
        endpoints = await _resolve(address)
        failure: PeerUnreachableError | None = None
        for endpoint in endpoints:
            try:
                return await self._dial(endpoint, address.peer_id, DIAL_TIMEOUT_S)
            except SelfDialedError:
                raise
            except PeerUnreachableError as error:
                failure = error
        raise failure or PeerUnreachableError(f"{address} resolves to nothing")

    async def _try_each(
        self, peer: PeerId, endpoints: Sequence[Endpoint], timeout_s: float
    ) -> None:
        failure = PeerUnreachableError(f"no address of {peer} is known")
        if endpoints:
            failure = PeerSilentError(f"{peer} does not answer")
        refusals: list[PeerUnreachableError] = []
        with trio.move_on_after(timeout_s):
            for endpoint in endpoints:
                try:
                    await self._dial(endpoint, peer, timeout_s)
                except PeerSilentError as error:
                    failure = error
                except PeerUnreachableError as error:
                    refusals.append(error)
                else:
                    return
            # Only if every address was refused, the peer is certainly gone.
            if endpoints and len(refusals) == len(endpoints):
                failure = refusals[-1]
        if not self.is_connected(peer):
            raise failure

    async def _dial(self, endpoint: Endpoint, expected: PeerId | None, timeout_s: float) -> PeerId:
        try:
            with trio.fail_after(timeout_s):
                async with self._limiter:
                    raw = await self._tcp.dial(Multiaddr(endpoint.multiaddr))
                    return await self._upgrade(raw, endpoint, expected)
        except PeerUnreachableError:
            raise
        except trio.TooSlowError as error:
            raise PeerSilentError(f"{endpoint.multiaddr} does not answer") from error
        except Exception as error:  # each layer below has its own errors
            raise PeerUnreachableError(f"cannot dial {endpoint.multiaddr}: {error!r}") from error

    async def _upgrade(
        self, raw: IRawConnection, endpoint: Endpoint, expected: PeerId | None
    ) -> PeerId:
        opened: IRawConnection | ISecureConn = raw
        try:
            # If no id is expected, Noise still proves which key answered.
            wanted = None if expected is None else ID.from_base58(expected)
            security = self._swarm.upgrader.security_multistream
            secured = await security.secure_outbound(raw, wanted)  # type: ignore[arg-type]
            opened = secured
            remote = secured.get_remote_peer()
            peer = PeerId(remote.to_base58())
            if remote == self._swarm.self_id:
                raise SelfDialedError(f"{endpoint.multiaddr} is this peer itself")
            self._book.confirm(peer, [endpoint])
            if self.is_connected(peer):  # the remote has dialled us in the meantime
                await _close(opened)
                return peer
            muxed = await self._swarm.upgrader.upgrade_connection(secured, remote)
            await self._swarm.add_conn(muxed, direction="outbound")
        except BaseException:
            await _close(opened)
            raise
        return peer


async def _close(connection: IRawConnection | ISecureConn) -> None:
    with trio.move_on_after(1) as scope, contextlib.suppress(Exception):
        scope.shield = True
        await connection.close()


async def _resolve(address: BootstrapAddress) -> list[Endpoint]:
    try:
        with trio.fail_after(DIAL_TIMEOUT_S):
            found = await trio.socket.getaddrinfo(
                address.host, address.port, type=trio.socket.SOCK_STREAM
            )
    except (OSError, UnicodeError, trio.TooSlowError) as error:
        raise PeerUnreachableError(f"cannot resolve {address.host}: {error!r}") from error
    # sockaddr: (ip, port) for IPv4, (ip, port, flow, scope) for IPv6
    return list(dict.fromkeys(Endpoint(str(item[4][0]), address.port) for item in found))
