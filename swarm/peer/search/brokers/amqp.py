"""AMQP 0-9-1, as RabbitMQ speaks it, through pika in a thread of its own.

A topic is a durable fanout exchange, and each group has a durable queue `TOPIC.GROUP` bound to
it. Messages are persistent, and published with confirms.
"""

import logging
import queue
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import pika
from pika.exceptions import AMQPError

from swarm.core.errors import ConfigurationError
from swarm.peer.processes.pipes import Log
from swarm.peer.search.brokers.bridge import Bridge, retry_pause_s
from swarm.peer.search.brokers.broker import Delivery, Subscription

HEARTBEAT_S = 20
POLL_S = 0.5
"""The thread looks so often whether it should stop; everything else wakes it."""
_PERSISTENT = 2
_LOST = (AMQPError, OSError)

Command = Callable[[Any], None]


@asynccontextmanager
async def open_amqp(
    url: str, subscription: Subscription | None, log: Log
) -> "AsyncIterator[AmqpBroker]":
    """Connect, and disconnect at the end of the block.

    Raises:
        ConfigurationError: The URL is malformed.
        NetworkError: Nobody answers there.
    """
    # What pika logs, with tracebacks, reaches the user as one line of ours.
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    try:
        parameters = pika.URLParameters(url)
    except (ValueError, IndexError, TypeError) as error:
        raise ConfigurationError(f"not a URL of AMQP: {error}") from error
    parameters.heartbeat = HEARTBEAT_S
    parameters.socket_timeout = parameters.blocked_connection_timeout = 10.0
    broker = AmqpBroker(parameters, subscription, log)
    broker.bridge.start(broker.run)
    try:
        await broker.bridge.wait_connected(f"{parameters.host}:{parameters.port}")
        yield broker
    finally:
        broker.wake()
        await broker.bridge.stop()


class AmqpBroker:
    """See `Broker`; made by `open_amqp`."""

    def __init__(self, parameters: Any, subscription: Subscription | None, log: Log) -> None:
        self.bridge = Bridge()
        self._parameters = parameters
        self._subscription = subscription
        self._log = log
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._unfinished: deque[Command] = deque()
        """Taken from `_commands`; the first one may have been cut short by a lost connection."""
        self._connection: Any = None
        self._generation = 0
        """Counts connections: delivery tags mean something within theirs only."""
        self._exchanges: set[str] = set()
        """That are known to exist."""

    async def prepare(self, topics: Sequence[str], group: str) -> None:
        """See `Broker.prepare`."""

        def declare(done: Callable[[], None]) -> None:
            def command(channel: Any) -> None:
                for topic in topics:
                    _declare(channel, topic, group)
                done()

            self._command(command)

        await self.bridge.wait_done(declare)

    async def forget(self, topics: Sequence[str], group: str) -> None:
        """See `Broker.forget`."""

        def delete(done: Callable[[], None]) -> None:
            def command(channel: Any) -> None:
                for topic in topics:
                    channel.queue_delete(f"{topic}.{group}")
                done()

            self._command(command)

        await self.bridge.wait_done(delete)

    async def publish(self, topic: str, body: bytes) -> None:
        """See `Broker.publish`."""

        def send(done: Callable[[], None]) -> None:
            def command(channel: Any) -> None:
                if topic not in self._exchanges:
                    channel.exchange_declare(topic, "fanout", durable=True)
                    self._exchanges.add(topic)
                properties = pika.BasicProperties(
                    delivery_mode=_PERSISTENT, content_type="application/json"
                )
                channel.basic_publish(topic, "", body, properties)  # waits for the confirm
                done()

            self._command(command)

        await self.bridge.wait_done(send)

    async def receive(self) -> Delivery:
        """See `Broker.receive`."""
        return await self.bridge.receive()

    def receive_waiting(self) -> list[Delivery]:
        """See `Broker.receive_waiting`."""
        return self.bridge.receive_waiting()

    def acknowledge(self, delivery: Delivery) -> None:
        """See `Broker.acknowledge`."""
        self._answer(delivery, lambda channel, tag: channel.basic_ack(tag))

    def reject(self, delivery: Delivery) -> None:
        """See `Broker.reject`; a dead-letter policy of the queue gets it, if there is one."""
        self._answer(delivery, lambda channel, tag: channel.basic_reject(tag, requeue=False))

    def wake(self) -> None:
        """Have the thread look at its commands now."""
        connection = self._connection
        if connection is not None:
            with suppress(*_LOST):  # no connection to wake: the thread looks by itself
                connection.add_callback_threadsafe(lambda: None)

    def run(self) -> None:
        """Be the thread: connect, work, and again."""
        attempt = 0
        while not self.bridge.stopping.is_set():
            try:
                self._live()
                attempt = 0
            except _LOST as error:
                reason = str(error) or type(error).__name__
                self.bridge.failed(reason)
                if self._connection is not None:
                    self._log.warning("broker lost, connecting again", reason=reason)
                    attempt = 0
                self._connection = None
                self.bridge.stopping.wait(retry_pause_s(attempt))
                attempt += 1

    def _live(self) -> None:
        connection = pika.BlockingConnection(self._parameters)
        try:
            channel = connection.channel()
            channel.confirm_delivery()
            self._generation += 1
            self._exchanges.clear()
            self._subscribe(channel)
            self._connection = connection
            self.bridge.connected()
            while not self.bridge.stopping.is_set():
                self._do_commands(channel)
                connection.process_data_events(POLL_S)
            self._do_commands(channel)  # acknowledgements that were given just before
        finally:
            if connection.is_open:
                connection.close()

    def _subscribe(self, channel: Any) -> None:
        if self._subscription is None:
            return
        channel.basic_qos(prefetch_count=self._subscription.prefetch)
        for topic in self._subscription.topics:
            name = _declare(channel, topic, self._subscription.group)

            def deliver(
                channel: Any, method: Any, properties: Any, body: bytes, topic: str = topic
            ) -> None:
                token = (self._generation, method.delivery_tag)
                self.bridge.deliver(Delivery(topic, body, token))

            channel.basic_consume(name, deliver)

    def _do_commands(self, channel: Any) -> None:
        with suppress(queue.Empty):
            while True:
                if not self._unfinished:
                    self._unfinished.append(self._commands.get_nowait())
                self._unfinished[0](channel)
                self._unfinished.popleft()

    def _answer(self, delivery: Delivery, answer: Callable[[Any, int], None]) -> None:
        generation, tag = delivery.token

        def command(channel: Any) -> None:
            if generation == self._generation:
                answer(channel, tag)

        self._command(command)

    def _command(self, command: Command) -> None:
        self._commands.put(command)
        self.wake()


def _declare(channel: Any, topic: str, group: str) -> str:
    """Have exchange and queue, bound; returns the queue's name."""
    name = f"{topic}.{group}"
    channel.exchange_declare(topic, "fanout", durable=True)
    channel.queue_declare(name, durable=True)
    channel.queue_bind(name, topic)
    return name
