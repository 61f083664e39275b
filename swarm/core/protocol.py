"""The version of everything that peers say to each other."""

import re

PROTOCOL_VERSION = 2
"""Part of every envelope, topic and signature: peers of two versions never work together."""
_TOPIC = re.compile(r"swarm/([0-9]{1,9})(?:/|$)")


def topic_version(topic: str) -> int | None:
    """The version that a topic's name carries; None for a topic of another program.

    Example:
        >>> topic_version("swarm/1/search")
        1
    """
    match = _TOPIC.match(topic)
    return None if match is None else int(match[1])
