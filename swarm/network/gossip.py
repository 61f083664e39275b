"""Pubsub, hardened: GossipSub and its message layer with bounded memory and work.

GossipSub sends a message to a few neighbours per topic (the mesh), which relay it. Other
subscribers hear which messages exist, and ask for those that they missed. Delivery is not
guaranteed.

Guards: py-libp2p starts a task for each message in a neighbour's frame, keeps a back-off for ever
for each topic that it hears of, and fails on malformed frames. Here a frame is processed entry by
entry, within the neighbour's allowance. A message must have a sound shape, a valid signature, and
a number that its author has not used before. It must also fit in the author's own allowance, even
if different neighbours relay the author's messages.
Savings: a message of ours goes directly to all subscribers if they are few. Others then do not
relay it to the author's own neighbours.

Each class overrides as little as it can of py-libp2p 0.8.1 (pinned exactly), and says which fault
it guards against, as in `guards`.
"""

# ruff: noqa: D102  # the overridden methods are documented in py-libp2p

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from typing import Any, TypeVar

import trio
from libp2p.abc import INetStream
from libp2p.exceptions import ValidationError
from libp2p.io.exceptions import IncompleteReadError
from libp2p.network.stream.exceptions import StreamError
from libp2p.peer.id import ID
from libp2p.pubsub import rpc_queue
from libp2p.pubsub.gossipsub import GossipSub
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.pubsub import Pubsub
from libp2p.utils.varint import read_varint_prefixed_bytes_limited

from swarm.core.ids import PeerId
from swarm.core.protocol import PROTOCOL_VERSION, topic_version
from swarm.network.guards import reset
from swarm.network.limits import AUTHOR_MESSAGES, GOSSIP_ENTRIES, Allowance, message_cost
from swarm.network.other_versions import OtherVersions
from swarm.network.readahead import read_ahead
from swarm.network.replay_window import NUMBER_BYTES_MAX, SeenNumbers
from swarm.network.statistics import Statistics

log = logging.getLogger(__name__)
_T = TypeVar("_T")

PUBSUB_MESSAGE_SIZE_MAX = 128 * 1024
"""Bytes of one message on a topic."""
RPC_SIZE_MAX = 1024 * 1024
"""Bytes of one pubsub frame; several messages and control entries may share one."""
TOPIC_LENGTH_MAX = 256
"""Characters; our topics have at most 105."""
TOPICS_PER_PEER_MAX = 100
"""Most topics that one neighbour may be subscribed to; an honest one has a handful."""
MESSAGE_OVERHEAD_MAX = 1024
"""Bytes of a message without its data; author, number, topic, key and signature take 350."""
MESSAGE_ID_LENGTH_MAX = 64
RPC_COST_BYTES = 4096
"""Bytes of a frame that cost a neighbour as much of its allowance as one entry."""
SUBSCRIPTION_COST = 10.0
"""Cost of a subscription, in entries: each one starts three tasks here."""
FLOOD_SUBSCRIBERS_MAX = 12
"""Most known subscribers to which a message of ours goes directly."""
IDONTWANT_SIZE_MIN = 16 * 1024
"""Bytes; announcing a smaller message costs more than receiving it a second time."""
BACK_OFF_MAX_S = 300
"""Longest time that a neighbour can keep us out of its mesh of a topic."""


class RecentMessages(MutableMapping[bytes, rpc_pb2.Message]):
    """Replaces GossipSub's equivocation store, which keeps up to 1000 whole messages.

    It stores nothing. Author and sequence number identify a message, and the first one counts. Two
    different messages under one number are no concern here: records carry their own signatures.
    """

    def __getitem__(self, key: bytes) -> rpc_pb2.Message:
        raise KeyError(key)

    def __setitem__(self, key: bytes, value: rpc_pb2.Message) -> None:
        pass

    def __delitem__(self, key: bytes) -> None:
        pass

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0


class _ShortHistories(dict[str, Any]):
    """Replaces a table that keeps the time of each message of a topic for ever."""

    def __missing__(self, topic: str) -> "deque[float]":
        history: deque[float] = deque(maxlen=16)
        self[topic] = history
        return history


class GuardedGossipSub(GossipSub):
    """Bounds memory, delivers directly to few subscribers, and keeps its heartbeat running."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.equivocation_detection = RecentMessages()  # type: ignore[assignment]
        self.recent_message_deliveries = _ShortHistories()
        self.neighbours_of: Callable[[ID], frozenset[ID]] = lambda peer: frozenset()
        """Returns the neighbours that a peer reported; empty if it reported none."""

    async def heartbeat(self) -> None:
        while True:
            try:
                await super().heartbeat()
            except Exception as error:
                log.debug("gossip heartbeat: %r", error)
                await trio.sleep(self.heartbeat_interval)

    def _prune_idontwant_entries(self) -> None:
        """Called with each heartbeat: also forget what has expired."""
        super()._prune_idontwant_entries()
        now_s = time.time()  # noqa: TID251  # libp2p stores wall time
        for topic, until in list(self.back_off.items()):
            self.back_off[topic] = {peer: at_s for peer, at_s in until.items() if at_s > now_s}
            if not self.back_off[topic]:
                del self.back_off[topic]
        for peer in list(self._pending_messages):
            self._prune_pending_messages(peer)

    def _add_back_off(
        self, peer: ID, topic: str, is_unsubscribe: bool, backoff_duration: int = 0
    ) -> None:
        super()._add_back_off(peer, topic, is_unsubscribe, min(backoff_duration, BACK_OFF_MAX_S))

    async def on_peer_subscribed(self, peer_id: ID, topic: str) -> None:
        try:
            await super().on_peer_subscribed(peer_id, topic)
        except Exception as error:
            log.debug("graft of %s: %r", peer_id, error)

    async def flush_pending_messages(self, peer_id: ID) -> None:
        # libp2p's method, like the next one, writes to the stream itself, into the middle of what
        # the sending task writes.
        if self.pubsub is None or peer_id not in self.pubsub.peers:
            return
        self._prune_pending_messages(peer_id)
        for _, rpc in self._pending_messages.pop(peer_id, []):
            if any(peer_id in self.pubsub.peer_topics.get(topic, ()) for topic in _topics(rpc)):
                self.send_rpc(peer_id, rpc)

    async def send_recent_messages(self, peer_id: ID, topic: str) -> None:
        for message_id in self.mcache.window(topic):
            message = self.mcache.get(message_id)
            if message is not None:
                self.send_rpc(peer_id, rpc_pb2.RPC(publish=[message]))

    def _get_peers_to_send(
        self,
        topic_ids: Iterable[str],
        msg_forwarder: ID,
        origin: ID,
        msg_id: bytes | None = None,
    ) -> Iterable[ID]:
        """Send directly to few subscribers; relay only where the author did not deliver.

        A message of ours goes to all known subscribers if they are few. An author with few
        neighbours has therefore reached all of them itself, and relaying to them would only waste
        traffic: with six connected peers, four copies of five.
        """
        chosen = set(super()._get_peers_to_send(topic_ids, msg_forwarder, origin, msg_id))
        if self.pubsub is None:
            return chosen
        if origin == self.pubsub.my_id:
            for topic in topic_ids:
                subscribers = self.pubsub.peer_topics.get(topic, set())
                if len(subscribers) <= FLOOD_SUBSCRIBERS_MAX:
                    chosen |= subscribers
        else:
            reached = self.neighbours_of(origin)
            if len(reached) <= FLOOD_SUBSCRIBERS_MAX:
                chosen -= reached
        return chosen

    def send_rpc(self, peer_id: ID, rpc: rpc_pb2.RPC, priority: bool = False) -> None:
        # The signed address record was in the greeting; checking it again costs as much as the
        # message itself.
        rpc.ClearField("senderRecord")
        super().send_rpc(peer_id, rpc, priority)

    async def _emit_idontwant_for_message(self, msg_id: bytes, topic_ids: Iterable[str]) -> None:
        message = self.mcache.get(msg_id)
        if message is not None and len(message.data) >= IDONTWANT_SIZE_MIN:
            await super()._emit_idontwant_for_message(msg_id, topic_ids)


def _topics(rpc: rpc_pb2.RPC) -> list[str]:
    return [topic for message in rpc.publish for topic in message.topicIDs]


class GuardedPubsub(Pubsub):
    """Survives bad protobuf and failing validators; delivers messages without a lossy channel.

    A neighbour's frame is processed entry by entry, within the neighbour's allowance. libp2p's
    class starts a task for each of the twenty thousand messages that fit in one frame.

    Args:
        take: Called with (topic, author, data) for each valid message of another peer.
        statistics: Counts rejected input.
        versions: Informed about neighbours that subscribe to topics of another version.
        arguments: The arguments of libp2p's class.
    """

    def __init__(
        self,
        *args: Any,
        take: Callable[[str, ID, bytes], None],
        statistics: Statistics,
        versions: OtherVersions,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._take = take
        self._statistics = statistics
        self._versions = versions
        self._entries = Allowance(GOSSIP_ENTRIES)
        self._authors = Allowance(AUTHOR_MESSAGES)
        self._numbers = SeenNumbers()
        # Sequence numbers must not repeat after a restart. libp2p's counter starts at the time in
        # seconds, which is too low after a life with more than one message a second.
        self.counter = time.time_ns()

    # Frames

    async def stream_handler(self, stream: INetStream) -> None:
        peer = stream.muxed_conn.peer_id
        try:
            await self.continuously_read_stream(read_ahead(stream))
        except (StreamError, IncompleteReadError) as error:  # the remote is gone
            log.debug("pubsub stream of %s ended: %r", peer, error)
        except Exception as error:  # most often the DecodeError of a malformed frame
            self._statistics.refuse("pubsub-frame")
            log.debug("pubsub stream of %s: %r", peer, error)
            await reset(stream)
            self._handle_dead_peer(peer)
        if not self._peer_is_connected(peer):  # subscriptions in its last bytes
            self._forget_all_subscriptions(peer)

    async def continuously_read_stream(self, stream: INetStream) -> None:
        peer = stream.muxed_conn.peer_id
        while self.manager.is_running:
            frame = await read_varint_prefixed_bytes_limited(stream, self.max_inbound_rpc_size)
            await self._entries.wait(peer, 1 + len(frame) / RPC_COST_BYTES)
            rpc = rpc_pb2.RPC()
            rpc.ParseFromString(frame)
            await self._take_rpc(peer, rpc)

    async def _take_rpc(self, peer: ID, rpc: rpc_pb2.RPC) -> None:
        for message in self._affordable(peer, rpc.publish):
            if self._is_subscribed_to_msg(message):
                await self.push_msg(peer, message)
                await trio.lowlevel.checkpoint()
        for subscription in self._affordable(peer, rpc.subscriptions, SUBSCRIPTION_COST):
            self.handle_subscription(peer, subscription)
        if rpc.HasField("control"):
            # The sender's address record is left out. Addresses come with the exchange of
            # addresses, and checking the record's signature twice costs as much as all the rest.
            known = rpc_pb2.RPC(control=self._known_control(peer, rpc.control))
            await self.router.handle_rpc(known, peer)

    def _affordable(self, peer: ID, entries: Sequence[_T], cost: float = 1.0) -> Iterator[_T]:
        """Yield the entries that the neighbour's allowance covers; count the rest as refused."""
        for place, entry in enumerate(entries):
            if not self._entries.take(peer, cost):
                self._statistics.refuse("pubsub-rate", len(entries) - place)
                return
            yield entry

    def _known_control(self, peer: ID, control: rpc_pb2.ControlMessage) -> rpc_pb2.ControlMessage:
        """Return what concerns us in `control`: our topics, plausible ids once each, no addresses.

        libp2p's router keeps a back-off for ever for each topic it hears of. It answers a wanted
        id each time it is repeated, and dials any peer that a `prune` recommends.
        """
        known = rpc_pb2.ControlMessage()
        for graft in self._affordable(peer, control.graft):
            if graft.topicID in self.topic_ids:
                known.graft.append(graft)
        for prune in self._affordable(peer, control.prune):
            if prune.topicID in self.topic_ids:
                known.prune.add(topicID=prune.topicID, backoff=min(prune.backoff, BACK_OFF_MAX_S))
        for have in self._affordable(peer, control.ihave):
            if have.topicID in self.topic_ids and (ids := self._plausible(peer, have.messageIDs)):
                known.ihave.add(topicID=have.topicID, messageIDs=ids)
        wanted = [i for want in self._affordable(peer, control.iwant) for i in want.messageIDs]
        if ids := self._plausible(peer, wanted):
            known.iwant.add(messageIDs=dict.fromkeys(ids))
        unwanted = [
            i for dont in self._affordable(peer, control.idontwant) for i in dont.messageIDs
        ]
        if ids := self._plausible(peer, unwanted):
            known.idontwant.add(messageIDs=ids)
        return known

    def _plausible(self, peer: ID, ids: Sequence[Any]) -> list[Any]:
        return [i for i in self._affordable(peer, ids) if len(i) <= MESSAGE_ID_LENGTH_MAX]

    def handle_subscription(self, origin_id: ID, sub_message: rpc_pb2.RPC.SubOpts) -> None:
        topic = sub_message.topicid
        version = topic_version(topic)
        if version is not None and version != PROTOCOL_VERSION:
            if sub_message.subscribe:
                self._versions.refuse(PeerId(origin_id.to_base58()), version)
            return
        is_new = sub_message.subscribe and origin_id not in self.peer_topics.get(topic, ())
        full = self._peer_subscription_count.get(origin_id, 0) >= TOPICS_PER_PEER_MAX
        if len(topic) > TOPIC_LENGTH_MAX or (is_new and full):
            self._statistics.refuse("pubsub-topics")
            return
        super().handle_subscription(origin_id, sub_message)

    # Messages

    async def push_msg(self, msg_forwarder: ID, msg: rpc_pb2.Message) -> None:
        if msg_forwarder == self.my_id:
            await super().push_msg(msg_forwarder, msg)
            return
        if not self._has_sound_shape(msg):
            self._statistics.refuse("pubsub-message")
            return
        try:
            await super().push_msg(msg_forwarder, msg)
        except Exception as error:
            log.debug("pubsub message by way of %s: %r", msg_forwarder, error)
        if not self._is_msg_seen(msg):
            self._statistics.refuse("pubsub-signature")

    def _has_sound_shape(self, msg: rpc_pb2.Message) -> bool:
        # Number and author form the id. It is remembered for minutes, so it must be short.
        return (
            len(msg.data) <= PUBSUB_MESSAGE_SIZE_MAX
            and len(msg.topicIDs) == 1
            and 0 < len(msg.seqno) <= NUMBER_BYTES_MAX
            and msg.ByteSize() - len(msg.data) <= MESSAGE_OVERHEAD_MAX
            and ID(msg.from_id) != self.my_id
        )

    async def validate_msg(self, msg_forwarder: ID, msg: rpc_pb2.Message) -> None:
        """Refuse replays, and messages beyond the author's allowance; its signature is checked.

        This replaces a method that would ask validators (there are none) and keep their answers
        for five minutes.
        """
        author = ID(msg.from_id)
        if author == self.my_id:
            return
        if not self._numbers.is_new(author, int.from_bytes(msg.seqno, "big")):
            self._refuse(msg, "pubsub-replay")
        if not self._authors.take(author, message_cost(len(msg.data))):
            self._refuse(msg, "pubsub-author-rate")

    def _refuse(self, msg: rpc_pb2.Message, reason: str) -> None:
        self._statistics.refuse(reason)
        self._mark_msg_seen(msg)  # so that its next copy costs no signature check
        raise ValidationError(reason)

    def notify_subscriptions(self, publish_message: rpc_pb2.Message) -> None:
        author = ID(publish_message.from_id)
        if author == self.my_id:
            return
        for topic in publish_message.topicIDs:
            if topic in self.topic_ids:
                self._take(topic, author, publish_message.data)

    # Races that libp2p loses

    def _handle_dead_peer(self, peer_id: ID) -> None:
        try:
            super()._handle_dead_peer(peer_id)
        except Exception as error:
            log.debug("removing %s from pubsub: %r", peer_id, error)

    async def _replay_recent_messages(self, peer_id: ID, topic: str) -> None:
        try:
            await super()._replay_recent_messages(peer_id, topic)
        except Exception as error:
            log.debug("replay to %s: %r", peer_id, error)


def raise_queue_limits() -> None:
    """Let a peer's outbound queue hold a burst: libp2p silently drops frames beyond 32."""
    rpc_queue.RpcQueue.__init__.__defaults__ = (256, RPC_SIZE_MAX)
