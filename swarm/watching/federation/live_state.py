"""Live state: what an observer notes of the present: peers, flows of weights, lines of the log."""

from collections import deque
from dataclasses import dataclass

from swarm.core.ids import Digest, PeerId, RoundNumber
from swarm.federation.messages import Status

FLOW_SHOWN_S = 5.0
FLOWS_MAX = 256
LINES_MAX = 200


@dataclass(slots=True)
class SeenPeer:
    """What is known of one peer."""

    heard_s: float
    status: Status | None = None
    gone: str = ""
    """`lost` if the connection closed, `left` if the peer said goodbye, else empty."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Weights that go from one peer to another, as announced."""

    seq: int
    source: PeerId
    target: PeerId
    kind: str
    size_bytes: int
    at_s: float


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log."""

    seq: int
    at_s: float
    kind: str
    text: str
    peer: PeerId | None
    round: RoundNumber | None


class Flows:
    """The newest flows of weights.

    Invariant: each announcement counts once, even if it is repeated.
    """

    def __init__(self) -> None:
        self.recent: deque[Flow] = deque(maxlen=FLOWS_MAX)
        self._announced: dict[Digest, None] = {}
        self._count = 0

    def add(
        self,
        key: Digest | None,
        ends: list[tuple[PeerId, PeerId]],
        kind: str,
        size_bytes: int,
        now_s: float,
    ) -> None:
        """Note weights going from sources to targets; `key` names the announcement, if any."""
        if key is not None:
            if key in self._announced:
                return
            self._announced[key] = None
            if len(self._announced) > FLOWS_MAX:
                del self._announced[next(iter(self._announced))]
        for source, target in ends:
            if target != source:
                self._count += 1
                self.recent.append(Flow(self._count, source, target, kind, size_bytes, now_s))


class Log:
    """The newest lines."""

    def __init__(self) -> None:
        self.lines: deque[Line] = deque(maxlen=LINES_MAX)
        self._count = 0

    def add(
        self,
        kind: str,
        text: str,
        now_s: float,
        peer: PeerId | None = None,
        number: RoundNumber | None = None,
    ) -> None:
        """Add a line."""
        self._count += 1
        self.lines.append(Line(self._count, now_s, kind, text, peer, number))
