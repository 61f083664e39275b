"""Direct messages: one message, one stream, no answer."""

import trio
from libp2p.abc import IHost, INetStream
from libp2p.custom_types import TProtocol
from libp2p.peer.id import ID

from swarm.core.errors import LocalProtocolError, NetworkError, PeerUnreachableError
from swarm.core.ids import PeerId
from swarm.network.dialer import Dialer
from swarm.network.events import DirectMessage
from swarm.network.inbox import Inbox
from swarm.network.limits import DIRECT_MESSAGES, Allowance, message_cost
from swarm.network.statistics import Statistics
from swarm.network.streams import frame, open_stream, peer_of, read_frame

MESSAGE_PROTOCOL = TProtocol("/swarm/message/1.0.0")
DIRECT_MESSAGE_SIZE_MAX = 256 * 1024
_TIMEOUT_S = 5.0


class DirectMessages:
    """Sends and takes messages between two peers."""

    def __init__(self, host: IHost, dialer: Dialer, inbox: Inbox, statistics: Statistics) -> None:
        self._host = host
        self._dialer = dialer
        self._inbox = inbox
        self._statistics = statistics
        self._allowance = Allowance(DIRECT_MESSAGES)

    async def send(self, peer: PeerId, data: bytes) -> None:
        """Send `data` to `peer`, dialling it first when necessary.

        Raises:
            LocalProtocolError: The message is too large.
            PeerUnreachableError: It could not be sent within 5 s.
        """
        if len(data) > DIRECT_MESSAGE_SIZE_MAX:
            raise LocalProtocolError(
                f"a direct message has at most {DIRECT_MESSAGE_SIZE_MAX} bytes, got {len(data)}"
            )
        try:
            with trio.fail_after(_TIMEOUT_S):
                await self._dialer.connect(peer)
                remote = ID.from_base58(peer)
                async with open_stream(self._host, remote, [MESSAGE_PROTOCOL]) as stream:
                    await stream.write(frame(data))
        except NetworkError:
            raise
        except Exception as error:
            raise PeerUnreachableError(f"message to {peer} not sent: {error!r}") from error
        self._statistics.count_sent(data)

    async def take(self, stream: INetStream) -> None:
        """Handle a stream another peer opened."""
        peer = peer_of(stream)
        with trio.fail_after(_TIMEOUT_S):
            data = await read_frame(stream, DIRECT_MESSAGE_SIZE_MAX)
            await stream.close()
        if not self._allowance.take(peer, message_cost(len(data))):
            self._statistics.refuse("message-rate")
            return
        self._statistics.count_received(data)
        self._inbox.put(DirectMessage(peer, data))
