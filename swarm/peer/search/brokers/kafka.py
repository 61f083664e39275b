"""KafkaBroker: Kafka through confluent-kafka; one thread consumes, another serves the producer.

A topic is a Kafka topic, and a group a consumer group. An offset is committed once all messages
before it are acknowledged. Trials go to the partitions in turn, so a topic needs at least as many
partitions as there are workers.
"""

import itertools
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from swarm.core.errors import ConfigurationError
from swarm.peer.processes.pipes import Log
from swarm.peer.search.brokers.bridge import Bridge, retry_pause_s
from swarm.peer.search.brokers.broker import Delivery, Subscription

POLL_S = 0.1
PAUSE_AFTER_S = 1.0
METADATA_WITHIN_S = 10.0
_PRODUCER = {"enable.idempotence": True, "linger.ms": 0, "message.timeout.ms": 0}
"""The producer waits as long as no broker can be reached, as `publish` promises."""
_CONSUMER = {
    "auto.offset.reset": "earliest",
    "enable.auto.offset.store": False,
    "auto.commit.interval.ms": 500,
    "session.timeout.ms": 6000,  # until a dead worker's trials go to another worker
    "heartbeat.interval.ms": 1500,
    "topic.metadata.refresh.interval.ms": 5000,
    "fetch.wait.max.ms": 100,
}


@asynccontextmanager
async def open_kafka(
    url: str, subscription: Subscription | None, log: Log
) -> "AsyncIterator[KafkaBroker]":
    """Connect, and disconnect at the end of the block.

    Args:
        url: `kafka://host:port[,host:port]`; `?name=value` adds settings of librdkafka.
        subscription: What to receive; None for nothing.
        log: Logger for lost connections.

    Raises:
        ConfigurationError: The URL is malformed.
        NetworkError: No broker answers there.
    """
    broker = KafkaBroker(_settings(url), subscription, log)
    broker.start(broker.run)
    try:
        await broker.wait_connected(urlsplit(url).netloc.rpartition("@")[2])
        yield broker
    finally:
        await broker.stop()


class KafkaBroker(Bridge):
    """See `Broker`; made by `open_kafka`."""

    def __init__(
        self, settings: Mapping[str, Any], subscription: Subscription | None, log: Log
    ) -> None:
        super().__init__()
        self._subscription = subscription
        self._log = log
        try:
            self._producer = Producer({**_PRODUCER, **settings, "error_cb": self._on_error})
            self._consumer = None
            if subscription is not None:
                group = {"group.id": subscription.group, "error_cb": self._on_error}
                self._consumer = Consumer({**_CONSUMER, **settings, **group})
        except (KafkaException, ValueError, TypeError) as error:
            raise ConfigurationError(f"not a Kafka setting: {error}") from error
        self._partitions: dict[str, itertools.cycle[int]] = {}
        self._positions = _Positions()
        self._paused = False
        self._full_since_s: float | None = None

    async def prepare(self, topics: Sequence[str], group: str) -> None:
        """See `Broker.prepare`. Kafka keeps all messages, and creates topics when asked for."""

        def ask(done: Callable[[], None]) -> None:
            def run() -> None:
                for topic in topics:
                    self._learn_partitions(topic)
                done()

            threading.Thread(target=run, daemon=True).start()

        await self.wait_done(ask)

    async def forget(self, topics: Sequence[str], group: str) -> None:
        """See `Broker.forget`. Kafka itself forgets groups without members."""

    async def publish(self, topic: str, body: bytes) -> None:
        """See `Broker.publish`."""
        if topic not in self._partitions:
            await self.prepare([topic], "")

        def send(done: Callable[[], None]) -> None:
            def answered(error: KafkaError | None, _message: Message) -> None:
                if error is None:
                    done()
                else:
                    self._log.warning("broker refused a message, sending again", reason=str(error))
                    produce()

            def produce() -> None:
                partition = next(self._partitions[topic])
                self._producer.produce(topic, body, partition=partition, on_delivery=answered)

            produce()

        await self.wait_done(send)

    def acknowledge(self, delivery: Delivery) -> None:
        """See `Broker.acknowledge`; committed once all earlier ones of the partition are."""
        self._positions.acknowledge(*delivery.token)

    def reject(self, delivery: Delivery) -> None:
        """See `Broker.reject`; for Kafka it is the same as `acknowledge`."""
        self.acknowledge(delivery)

    def run(self) -> None:
        """The thread's body: connect, then consume until the end."""
        threading.Thread(target=self._serve_producer, daemon=True).start()
        attempt = 0
        while not self.stopping.is_set():
            try:
                self._producer.list_topics(timeout=METADATA_WITHIN_S)
                break
            except KafkaException as error:
                self.failed(error)
                self.stopping.wait(retry_pause_s(attempt))
                attempt += 1
        consumer, subscription = self._consumer, self._subscription
        if consumer is None or subscription is None:
            self.connected()
            self.stopping.wait()
            return
        try:
            for topic in subscription.topics:
                self._learn_partitions(topic)
            consumer.subscribe(list(subscription.topics), on_revoke=self._revoked)
            self.connected()
            while not self.stopping.is_set():
                self._consume(consumer, subscription)
        finally:
            self._store(consumer)
            consumer.close()  # commits, and leaves the group, so others need not wait

    def _consume(self, consumer: Any, subscription: Subscription) -> None:
        self._store(consumer)
        if not self._has_room(consumer, subscription.prefetch):
            return
        message = consumer.poll(POLL_S)
        if message is None:
            return
        if message.error():
            self._on_error(message.error())
            return
        place = (message.topic(), message.partition(), message.offset())
        generation = self._positions.deliver(*place)
        body = message.value() or b""
        self.deliver(Delivery(message.topic(), body, (*place, generation)))

    def _has_room(self, consumer: Any, prefetch: int) -> bool:
        """Whether to poll now; waits a moment for room.

        A member that does not poll blocks its whole group when another member comes or goes. So a
        member without room pauses its partitions and polls. It does so only after
        `PAUSE_AFTER_S`, for resuming costs half a second.
        """
        if self._positions.count_outstanding() < prefetch:
            if self._paused:
                consumer.resume(consumer.assignment())
                self._paused = False
            self._full_since_s = None
            return True
        now_s = time.monotonic()
        if self._full_since_s is None:
            self._full_since_s = now_s
        if now_s < self._full_since_s + PAUSE_AFTER_S:
            self._positions.wait_acknowledgement(POLL_S)
            return False
        consumer.pause(consumer.assignment())
        self._paused = True
        return True

    def _store(self, consumer: Any) -> None:
        for topic, partition, offset in self._positions.take_progress():
            try:
                consumer.store_offsets(offsets=[TopicPartition(topic, partition, offset)])
            except (
                KafkaException
            ) as error:  # another member has the partition now, and does it again
                self._log.debug("offset not kept", topic=topic, reason=str(error))

    def _revoked(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        self._store(consumer)
        for partition in partitions:
            self._positions.forget(partition.topic, partition.partition)
        self._paused = False

    def _serve_producer(self) -> None:
        while not self.stopping.is_set():
            self._producer.poll(POLL_S)
        self._producer.flush(1.0)

    def _learn_partitions(self, topic: str) -> None:
        """Create the topic, if the broker allows that, and learn its partitions."""
        attempt = 0
        while not self.stopping.is_set():
            try:
                found = self._producer.list_topics(topic, timeout=METADATA_WITHIN_S)
                numbers = sorted(found.topics[topic].partitions)
                if numbers:
                    self._partitions.setdefault(topic, itertools.cycle(numbers))
                    return
                reason = str(found.topics[topic].error or "it has no partitions")
            except KafkaException as error:
                reason = str(error)
            if attempt:
                self._log.warning("topic unavailable", topic=topic, reason=reason)
            self.stopping.wait(retry_pause_s(attempt))
            attempt += 1

    def _on_error(self, error: KafkaError) -> None:
        self.failed(error)
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._log.warning("broker lost, connecting again", reason=str(error))
        else:
            self._log.debug("broker reported", reason=str(error))


class _Positions:
    """What was delivered and acknowledged, by partition; shared by threads.

    Invariant: all messages before a partition's progress are acknowledged.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._acknowledged = threading.Event()
        self._outstanding: dict[tuple[str, int], set[int]] = {}
        self._next: dict[tuple[str, int], int] = {}
        self._changed: set[tuple[str, int]] = set()
        self._generations: dict[tuple[str, int], int] = {}

    def count_outstanding(self) -> int:
        """Number of messages of our partitions that are delivered and not acknowledged."""
        self._acknowledged.clear()  # before counting: so the next one is not missed
        with self._lock:
            return sum(map(len, self._outstanding.values()))

    def deliver(self, topic: str, partition: int, offset: int) -> int:
        """Note a delivery; return the number that distinguishes it from repeated deliveries."""
        place = (topic, partition)
        with self._lock:
            self._outstanding.setdefault(place, set()).add(offset)
            self._next[place] = offset + 1
            return self._generations.setdefault(place, 0)

    def acknowledge(self, topic: str, partition: int, offset: int, generation: int) -> None:
        """Note an acknowledgement, unless another member has had the partition meanwhile."""
        place = (topic, partition)
        with self._lock:
            if self._generations.get(place) == generation:
                self._outstanding.get(place, set()).discard(offset)
                self._changed.add(place)
        self._acknowledged.set()

    def wait_acknowledgement(self, timeout_s: float) -> None:
        """Wait for an acknowledgement since the last count, at most `timeout_s`."""
        self._acknowledged.wait(timeout_s)

    def take_progress(self) -> list[tuple[str, int, int]]:
        """Topic, partition and first offset still needed, of partitions where these changed."""
        with self._lock:
            found = [
                (*place, min(self._outstanding.get(place) or {self._next[place]}))
                for place in self._changed
                if place in self._next
            ]
            self._changed.clear()
            return found

    def forget(self, topic: str, partition: int) -> None:
        """Forget a partition that another member has now."""
        place = (topic, partition)
        with self._lock:
            self._generations[place] = self._generations.get(place, 0) + 1
            self._outstanding.pop(place, None)
            self._next.pop(place, None)
            self._changed.discard(place)


def _settings(url: str) -> dict[str, Any]:
    """Settings for librdkafka from a URL.

    Example:
        >>> _settings("kafka://a:9092,b:9092?security.protocol=SSL")
        {'bootstrap.servers': 'a:9092,b:9092', 'security.protocol': 'SSL'}
    """
    parts = urlsplit(url)
    if not parts.netloc:
        raise ConfigurationError("a Kafka URL must be kafka://host:port[,host:port]")
    return {"bootstrap.servers": parts.netloc, **dict(parse_qsl(parts.query))}
