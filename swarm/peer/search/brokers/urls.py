"""open_broker(): connects to the broker that a URL names, if its library is installed."""

import importlib
from contextlib import AbstractAsyncContextManager
from urllib.parse import urlsplit

from swarm.core.errors import ConfigurationError
from swarm.peer.processes.pipes import Log
from swarm.peer.search.brokers.broker import Broker, Subscription

_SCHEMES = {
    "amqp": ("amqp", "open_amqp", "amqp"),
    "amqps": ("amqp", "open_amqp", "amqp"),
    "kafka": ("kafka", "open_kafka", "kafka"),
}


def open_broker(
    url: str, subscription: Subscription | None, log: Log
) -> AbstractAsyncContextManager[Broker]:
    """Connect to a broker for the length of a block.

    Args:
        url: `amqp://user:password@host:port/vhost`, `amqps://...`, or `kafka://host:port,...`.
        subscription: What to receive; None for nothing.
        log: Logger for lost connections.

    Raises:
        ConfigurationError: The kind of the URL is unknown, or the library is not installed.
    """
    scheme = urlsplit(url).scheme
    if scheme not in _SCHEMES:
        raise ConfigurationError(f"broker must be amqp://, amqps:// or kafka://, got {scheme!r}")
    module, function, extra = _SCHEMES[scheme]
    try:
        found = importlib.import_module(f"swarm.peer.search.brokers.{module}")
    except ImportError as error:
        raise ConfigurationError(
            f"{scheme}:// needs one more library: pip install 'swarm[{extra}]' ({error})"
        ) from error
    opened: AbstractAsyncContextManager[Broker] = getattr(found, function)(url, subscription, log)
    return opened
