"""A session and its head 0, as tests of federation make them."""

from tests.federation.conftest import aggregator, head0, session

__all__ = ["aggregator", "head0", "session"]
