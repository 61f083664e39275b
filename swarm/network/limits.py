"""Limits: how much one peer may ask of this one, and the token buckets that measure it.

Honest peers stay below all limits: most send a handful of messages a second, a joining peer a few
more, and one that asks an ensemble at most 30 questions a second to each member.
docs/edge.md lists what is refused beyond the limits, and the counter of each.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import trio

CALLERS_MAX = 1024
"""Peers whose use of one allowance is remembered; the one idle for longest is forgotten first."""
COST_BYTES = 16 * 1024
"""Bytes of a message that cost as much as the message itself, because parsing takes as long."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Tokens of a bucket: `per_s` a second in the long run, `burst` at once."""

    per_s: float
    burst: float

    def __post_init__(self) -> None:
        if self.per_s <= 0 or self.burst < 1:
            raise ValueError(f"a rate must be positive and its burst at least 1, got {self}")


PROGRESS_BYTES_MIN = 64 * 1024
"""Bytes of a blob or a message that must arrive within `PROGRESS_WITHIN_S`; otherwise a remote
could hold a place for hours with one byte now and then."""
PROGRESS_WITHIN_S = 5.0
DIRECT_MESSAGES = Rate(50, 400)
"""Direct messages of one peer, in the units of `message_cost`."""
BLOB_REQUESTS = Rate(20, 100)
EXCHANGES = Rate(10, 100)
"""Exchanges of addresses: one for each connection that opens or closes at the asking peer."""
AT_ONCE_MAX = {"message": 8, "blob": 16, "exchange": 4, "kademlia": 4}
"""Most streams of one peer that are handled at once, by purpose."""
KADEMLIA_STREAMS = Rate(5, 30)
KADEMLIA_READS = Rate(200, 2000)
"""Reads on a peer's Kademlia streams; a request takes about three."""
STREAMS = Rate(50, 300)
"""Streams of any protocol that one connection may open."""
YAMUX_FRAMES = Rate(8_000, 16_000)
"""Frames of one connection; beyond, it is read more slowly, without refusals."""
GOSSIP_ENTRIES = Rate(500, 2000)
"""Messages, subscriptions and control entries of one neighbour, both its own and relayed."""
AUTHOR_MESSAGES = Rate(30, 150)
"""Published messages of one author, from all relays together, in units of `message_cost`."""
HANDSHAKES = Rate(30, 300)
"""Connections that one IP address may begin; a hundred peers may share a machine."""


class Bucket:
    """A token bucket: holds up to `rate.burst` tokens and gains `rate.per_s` of them a second."""

    __slots__ = ("_at_s", "_rate", "_tokens")

    def __init__(self, rate: Rate, now_s: float) -> None:
        self._rate = rate
        self._tokens = rate.burst
        self._at_s = now_s

    def take(self, now_s: float, cost: float = 1.0) -> bool:
        """Take `cost` tokens if available; a cost above the burst empties a full bucket."""
        self._fill(now_s)
        if self._tokens < min(cost, self._rate.burst):
            return False
        self._tokens = max(0.0, self._tokens - cost)
        return True

    def take_late(self, now_s: float, cost: float = 1.0) -> float:
        """Take `cost` tokens in any case; return the seconds to wait until they are available."""
        self._fill(now_s)
        self._tokens -= cost
        return max(0.0, -self._tokens / self._rate.per_s)

    def _fill(self, now_s: float) -> None:
        gained = (now_s - self._at_s) * self._rate.per_s
        self._tokens = min(self._rate.burst, self._tokens + gained)
        self._at_s = now_s


class Allowance:
    """One bucket for each caller; the number of buckets is bounded.

    Args:
        rate: The rate of each caller.
        clock: Returns monotonic seconds.
        callers_max: Number of callers that are remembered. A forgotten caller has a full bucket
            again. To be forgotten, a peer needs this number of handshakes of other identities.
    """

    def __init__(
        self,
        rate: Rate,
        clock: Callable[[], float] = trio.current_time,
        callers_max: int = CALLERS_MAX,
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._callers_max = callers_max
        self._buckets: OrderedDict[Hashable, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, caller: Hashable, cost: float = 1.0) -> bool:
        """Return whether `caller` may spend `cost`, and take it if so."""
        return self._bucket(caller).take(self._clock(), cost)

    async def wait(self, caller: Hashable, cost: float = 1.0) -> None:
        """Take `cost` of `caller`, and wait until it is available."""
        delay_s = self._bucket(caller).take_late(self._clock(), cost)
        if delay_s > 0:
            await trio.sleep(delay_s)

    def _bucket(self, caller: Hashable) -> Bucket:
        bucket = self._buckets.get(caller)
        if bucket is None:
            bucket = self._buckets[caller] = Bucket(self._rate, self._clock())
            if len(self._buckets) > self._callers_max:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(caller)
        return bucket


def message_cost(size_bytes: int) -> float:
    """Return the tokens that a message of this size costs: 1, and 1 more per `COST_BYTES`.

    Example:
        >>> message_cost(16 * 1024)
        2.0
    """
    return 1 + size_bytes / COST_BYTES
