"""Direct messages: one-way messages from one peer to another, as frames on one long-lived stream.

A stream stays open for the next message. Opening one per message would cost four more round trips
of small frames, and several times the work of the message itself. Each direction has its own
stream, and a message has no answer.

A receiver cannot know whether a silent stream will ever carry another message. It therefore lets
only the newest stream of each peer be silent for long; an older one ends after 5 s of silence. A
frame that has begun must arrive within a time that grows with its size. Messages beyond a peer's
limit are refused and counted, and its stream is read more slowly.
"""

import logging
from dataclasses import dataclass, field

import trio
from libp2p.abc import IHost, INetStream
from libp2p.custom_types import TProtocol
from libp2p.peer.id import ID

from swarm.core.errors import LocalProtocolError, NetworkError, PeerUnreachableError
from swarm.core.ids import PeerId
from swarm.network.dialer import Dialer
from swarm.network.events import DirectMessage
from swarm.network.guards import reset
from swarm.network.inbox import Inbox
from swarm.network.limits import (
    DIRECT_MESSAGES,
    PROGRESS_BYTES_MIN,
    PROGRESS_WITHIN_S,
    Allowance,
    message_cost,
)
from swarm.network.readahead import read_ahead
from swarm.network.statistics import Statistics
from swarm.network.streams import frame, new_stream, peer_of, read_exactly, read_length, read_some

log = logging.getLogger(__name__)

MESSAGE_PROTOCOL = TProtocol("/swarm/message/2.0.0")
DIRECT_MESSAGE_SIZE_MAX = 256 * 1024
_PAUSE_S = 1 / DIRECT_MESSAGES.per_s
"""Pause after a refused message of a peer that exceeds its limit."""


@dataclass(slots=True)
class _Line:
    """The outgoing stream to one peer."""

    stream: INetStream | None = None
    lock: trio.Lock = field(default_factory=trio.Lock)


class DirectMessages:
    """Sends and receives direct messages.

    Invariants:
        After a partial write, a stream is never written to again.
        Of each peer's streams, only the newest may be silent for long.
    """

    def __init__(self, host: IHost, dialer: Dialer, inbox: Inbox, statistics: Statistics) -> None:
        self._host = host
        self._dialer = dialer
        self._inbox = inbox
        self._statistics = statistics
        self._allowance = Allowance(DIRECT_MESSAGES)
        self._lines: dict[PeerId, _Line] = {}
        self._newest: dict[PeerId, trio.CancelScope] = {}

    async def send(self, peer: PeerId, data: bytes) -> None:
        """Send `data` to `peer`, and dial the peer first if necessary.

        Raises:
            LocalProtocolError: The message is too large.
            PeerUnreachableError: It could not be sent within 5 s.
        """
        if len(data) > DIRECT_MESSAGE_SIZE_MAX:
            raise LocalProtocolError(
                f"a direct message must have at most {DIRECT_MESSAGE_SIZE_MAX} bytes, "
                f"got {len(data)}"
            )
        line = self._lines.setdefault(peer, _Line())
        try:
            with trio.fail_after(PROGRESS_WITHIN_S):
                async with line.lock:
                    await self._write(line, peer, frame(data))
        except NetworkError:
            raise
        except Exception as error:
            raise PeerUnreachableError(f"message to {peer} not sent: {error!r}") from error
        finally:
            self._tidy(peer, line)
        self._statistics.count_sent(data)

    async def take(self, stream: INetStream) -> None:
        """Handle a stream that another peer opened: receive its messages until it ends."""
        peer = peer_of(stream)
        reads = read_ahead(stream)
        earlier = self._newest.get(peer)
        if earlier is not None:
            earlier.deadline = trio.current_time() + PROGRESS_WITHIN_S
        with trio.CancelScope() as scope:
            self._newest[peer] = scope
            try:
                more = True
                while more:
                    more = await self._take_one(peer, reads)
                    if self._newest.get(peer) is not scope:
                        scope.deadline = trio.current_time() + PROGRESS_WITHIN_S
            finally:
                if self._newest.get(peer) is scope:
                    del self._newest[peer]
        if scope.cancelled_caught:
            raise trio.TooSlowError
        with trio.fail_after(PROGRESS_WITHIN_S):
            await stream.close()

    def forget(self, peer: PeerId) -> None:
        """Note that the last connection to `peer` closed, and our stream with it."""
        line = self._lines.get(peer)
        if line is not None:
            line.stream = None
            self._tidy(peer, line)

    def _tidy(self, peer: PeerId, line: _Line) -> None:
        """Drop the entry of a peer if nothing is being sent to it."""
        if line.stream is None and not line.lock.locked() and self._lines.get(peer) is line:
            del self._lines[peer]

    async def _write(self, line: _Line, peer: PeerId, data: bytes) -> None:
        """Write on the open stream, or on a new one if the open one is broken."""
        if line.stream is not None:
            try:
                await self._write_whole(line, line.stream, data)
            except Exception as error:  # a dozen error classes from four layers
                log.debug("stream to %s broke, opening another: %r", peer, error)
            else:
                return
        await self._dialer.connect(peer)
        stream = await new_stream(self._host, ID.from_base58(peer), [MESSAGE_PROTOCOL])
        await self._write_whole(line, stream, data)

    @staticmethod
    async def _write_whole(line: _Line, stream: INetStream, data: bytes) -> None:
        line.stream = None
        try:
            await stream.write(data)
        except BaseException:
            await reset(stream)
            raise
        line.stream = stream

    async def _take_one(self, peer: PeerId, stream: INetStream) -> bool:
        """Wait for the next message without a limit; return whether there was one."""
        try:
            begun = await read_some(stream, 4)
        except PeerUnreachableError:
            return False  # the other side closed the stream, or the connection broke
        with trio.fail_after(PROGRESS_WITHIN_S):
            size = await read_length(stream, DIRECT_MESSAGE_SIZE_MAX, begun)
        with trio.fail_after(PROGRESS_WITHIN_S * (1 + size / PROGRESS_BYTES_MIN)):
            data = await read_exactly(stream, size)
        if self._allowance.take(peer, message_cost(len(data))):
            self._statistics.count_received(data)
            self._inbox.put(DirectMessage(peer, data))
        else:
            self._statistics.refuse("message-rate")
            await trio.sleep(_PAUSE_S)
        return True
