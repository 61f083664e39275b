"""AmqpBroker: AMQP 0-9-1, as RabbitMQ speaks it, through pika in a thread of its own.

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
"""The thread checks this often whether it must stop; everything else wakes it."""
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
        NetworkError: No broker answers there.
    """
    # pika logs errors with tracebacks; we log one line for each.
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    try:
        parameters = pika.URLParameters(url)
    except (ValueError, IndexError, TypeError) as error:
        raise ConfigurationError(f"not an AMQP URL: {error}") from error
    parameters.heartbeat = HEARTBEAT_S
    parameters.socket_timeout = parameters.blocked_connection_timeout = 10.0
    broker = AmqpBroker(parameters, subscription, log)
    broker.start(broker.run)
    try:
        await broker.wait_connected(f"{parameters.host}:{parameters.port}")
        yield broker
    finally:
        broker.wake()
        await broker.stop()


class AmqpBroker(Bridge):
    """See `Broker`; made by `open_amqp`."""

    def __init__(self, parameters: Any, subscription: Subscription | None, log: Log) -> None:
        super().__init__()
        self._parameters = parameters
        self._subscription = subscription
        self._log = log
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._unfinished: deque[Command] = deque()
        """Taken from `_commands`. A lost connection may have interrupted the first of them."""
        self._connection: Any = None
        self._generation = 0
        """Counts connections: a delivery tag is valid only on its own connection."""
        self._exchanges: set[str] = set()
        """Exchanges that are known to exist."""

    async def prepare(self, topics: Sequence[str], group: str) -> None:
        """See `Broker.prepare`."""

        def declare(channel: Any) -> None:
            for topic in topics:
                _declare(channel, topic, group)

        await self._carry_out(declare)

    async def forget(self, topics: Sequence[str], group: str) -> None:
        """See `Broker.forget`."""

        def delete(channel: Any) -> None:
            for topic in topics:
                channel.queue_delete(f"{topic}.{group}")

        await self._carry_out(delete)

    async def publish(self, topic: str, body: bytes) -> None:
        """See `Broker.publish`."""

        def send(channel: Any) -> None:
            if topic not in self._exchanges:
                channel.exchange_declare(topic, "fanout", durable=True)
                self._exchanges.add(topic)
            properties = pika.BasicProperties(
                delivery_mode=_PERSISTENT, content_type="application/json"
            )
            channel.basic_publish(topic, "", body, properties)  # waits for the confirm

        await self._carry_out(send)

    def acknowledge(self, delivery: Delivery) -> None:
        """See `Broker.acknowledge`."""
        self._answer(delivery, lambda channel, tag: channel.basic_ack(tag))

    def reject(self, delivery: Delivery) -> None:
        """See `Broker.reject`; the queue's dead-letter policy applies, if it has one."""
        self._answer(delivery, lambda channel, tag: channel.basic_reject(tag, requeue=False))

    def wake(self) -> None:
        """Make the thread look at its commands now."""
        connection = self._connection
        if connection is not None:
            with suppress(*_LOST):  # the connection is lost: the thread restores it, then looks
                connection.add_callback_threadsafe(lambda: None)

    def run(self) -> None:
        """The thread's body: connect, work, and connect again after a loss."""
        attempt = 0
        while not self.stopping.is_set():
            try:
                self._work()
                attempt = 0
            except _LOST as error:
                reason = str(error) or type(error).__name__
                self.failed(reason)
                if self._connection is not None:
                    self._log.warning("broker lost, connecting again", reason=reason)
                    attempt = 0
                self._connection = None
                self.stopping.wait(retry_pause_s(attempt))
                attempt += 1

    def _work(self) -> None:
        connection = pika.BlockingConnection(self._parameters)
        try:
            channel = connection.channel()
            channel.confirm_delivery()
            self._generation += 1
            self._exchanges.clear()
            self._subscribe(channel)
            self._connection = connection
            self.connected()
            while not self.stopping.is_set():
                self._do_commands(channel)
                connection.process_data_events(POLL_S)
            self._do_commands(channel)  # acknowledgements from just before the end
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
                self.deliver(Delivery(topic, body, token))

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

    async def _carry_out(self, command: Command) -> None:
        """Have the thread carry out a command; return when it has."""

        def start(done: Callable[[], None]) -> None:
            def carry_out(channel: Any) -> None:
                command(channel)
                done()

            self._command(carry_out)

        await self.wait_done(start)

    def _command(self, command: Command) -> None:
        self._commands.put(command)
        self.wake()


def _declare(channel: Any, topic: str, group: str) -> str:
    """Create an exchange and a queue bound to it, if missing; return the queue's name."""
    name = f"{topic}.{group}"
    channel.exchange_declare(topic, "fanout", durable=True)
    channel.queue_declare(name, durable=True)
    channel.queue_bind(name, topic)
    return name
