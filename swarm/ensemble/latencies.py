"""Latencies: how long each member usually takes, and so how long it is waited for.

A mean and a deviation are smoothed as TCP does for its round trips (RFC 6298). Questions of few
and of many rows are apart, because a large question takes longer.
"""

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass

from swarm.core.ids import PeerId

PATIENCE_MIN_S = 0.1
"""A member is waited for at least this long, since a busy machine answers in bursts."""
PATIENCE_SHARE_MAX = 0.4
"""Where others make up the quorum, a slow member is waited for this share of the deadline."""
PATIENCE_FACTOR = 2.0
"""A member is waited for this multiple of its usual time."""
HEDGE_MIN_S = 0.02
HEDGE_SHARE = 0.25
"""A copy is asked after this share of the deadline at most."""
ENDED_MAX = 512
"""Ended questions whose late answers still say how long members take."""
_ROWS_BITS = 3
"""Questions whose numbers of rows differ less than eightfold are alike."""
_MEAN_GAIN, _DEVIATION_GAIN, _DEVIATIONS = 1 / 8, 1 / 4, 4
_Key = tuple[PeerId, int]


@dataclass(slots=True)
class _Estimate:
    """Seconds from a question to its answer."""

    mean_s: float
    deviation_s: float

    @property
    def usual_s(self) -> float:
        """A time that few answers exceed."""
        return self.mean_s + _DEVIATIONS * self.deviation_s

    def add(self, seconds: float) -> None:
        """Note one more answer."""
        change_s = abs(seconds - self.mean_s)
        self.deviation_s += _DEVIATION_GAIN * (change_s - self.deviation_s)
        self.mean_s += _MEAN_GAIN * (seconds - self.mean_s)


class Latencies:
    """Invariant: late answers count as well, so a member that became slower gets its time."""

    def __init__(self) -> None:
        self._estimates: dict[_Key, _Estimate] = {}
        self._missed: set[_Key] = set()
        """Members that were waited for in vain and have never answered such a question."""
        self._late: OrderedDict[int, tuple[int, dict[PeerId, float]]] = OrderedDict()
        """Of ended questions, the rows, and when peers were asked that have not answered."""

    def note_answer(self, peer: PeerId, num_rows: int, seconds: float) -> None:
        """Note how long an answer took, also if it came too late to count."""
        key = _key(peer, num_rows)
        self._missed.discard(key)
        estimate = self._estimates.get(key)
        if estimate is None:
            self._estimates[key] = _Estimate(seconds, seconds / 2)
        else:
            estimate.add(seconds)

    def note_missed(self, peer: PeerId, num_rows: int) -> None:
        """Note that a member was waited for in vain."""
        key = _key(peer, num_rows)
        if key not in self._estimates:
            self._missed.add(key)

    def expect_late(self, number: int, num_rows: int, asked_s: dict[PeerId, float]) -> None:
        """Remember when peers were asked a question that ended without their answers."""
        self._late[number] = num_rows, asked_s
        if len(self._late) > ENDED_MAX:
            self._late.popitem(last=False)

    def note_late(self, number: int, peer: PeerId, now_s: float) -> None:
        """Note an answer to a question that has ended, once."""
        num_rows, asked_s = self._late.get(number, (0, {}))
        since_s = asked_s.pop(peer, None)
        if since_s is not None:
            self.note_answer(peer, num_rows, now_s - since_s)

    def patience_s(self, peer: PeerId, num_rows: int, within_s: float) -> float:
        """Seconds for which a member is waited for if its answer is not needed for the quorum.

        A member that has not answered such a question yet is waited for until the deadline, once.
        """
        usual_s = self._usual_s(peer, num_rows)
        if usual_s is None:
            return within_s
        most_s = PATIENCE_SHARE_MAX * within_s
        return min(max(PATIENCE_FACTOR * usual_s, PATIENCE_MIN_S), most_s)

    def hedge_s(self, peer: PeerId, num_rows: int, within_s: float) -> float:
        """Seconds after which a copy of the member's model is asked as well."""
        usual_s = self._usual_s(peer, num_rows)
        most_s = HEDGE_SHARE * within_s
        return most_s if usual_s is None else min(max(usual_s, HEDGE_MIN_S), most_s)

    def retain(self, peers: Collection[PeerId]) -> None:
        """Forget all other members."""
        self._estimates = {key: one for key, one in self._estimates.items() if key[0] in peers}
        self._missed = {key for key in self._missed if key[0] in peers}

    def _usual_s(self, peer: PeerId, num_rows: int) -> float | None:
        key = _key(peer, num_rows)
        if key in self._missed:
            return 0.0
        estimate = self._estimates.get(key)
        return estimate.usual_s if estimate is not None else None


def _key(peer: PeerId, num_rows: int) -> _Key:
    return peer, size_of(num_rows)


def size_of(num_rows: int) -> int:
    """The class of questions that take about as long as one of this many rows.

    >>> size_of(1), size_of(3), size_of(4), size_of(31), size_of(32)
    (0, 0, 1, 1, 2)
    """
    return num_rows.bit_length() // _ROWS_BITS
