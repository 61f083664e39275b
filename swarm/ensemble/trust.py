"""Trust: which members lose their weight, because their answers are off again and again."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from swarm.core.ids import Digest, PeerId

JUDGED = 50
"""Newest judged rows of a member that count."""
OFF_SHARE = 0.5
OFF_MIN = 10
"""A member loses its weight when more than half of its judged rows are off, at least this many."""
PROBATION_S = 300.0
"""Seconds after which a member that lost its weight is tried again."""


@dataclass(slots=True)
class _Record:
    """Judged rows of one version of one member's model."""

    version: Digest | None
    rows: deque[bool] = field(default_factory=lambda: deque(maxlen=JUDGED))
    """Whether each row was off."""
    lost_s: float | None = None
    """When the member lost its weight."""

    @property
    def num_off(self) -> int:
        return sum(self.rows)


class Trust:
    """Judged rows of members.

    Invariant: a member that lost its weight has it again only with another version of its model,
    or after `PROBATION_S`.
    """

    def __init__(self) -> None:
        self._records: dict[PeerId, _Record] = {}

    @property
    def lost(self) -> dict[PeerId, str]:
        """Members that lost their weight, each with the reason in words."""
        return {
            peer: f"its answers were off in {record.num_off} of its last {len(record.rows)} rows"
            for peer, record in sorted(self._records.items())
            if record.lost_s is not None
        }

    def note(
        self, peer: PeerId, version: Digest | None, num_judged: int, num_off: int, now_s: float
    ) -> bool:
        """Note judged rows; return whether the member loses its weight now."""
        record = self._record(peer, version)
        num_off = max(0, min(num_off, num_judged))
        record.rows.extend([False] * min(JUDGED, num_judged - num_off) + [True] * num_off)
        off = record.num_off
        if record.lost_s is None and off >= OFF_MIN and off > OFF_SHARE * len(record.rows):
            record.lost_s = now_s
            return True
        return False

    def review(self, versions: Iterable[tuple[PeerId, Digest | None]], now_s: float) -> None:
        """Give weight back to members with another version, and after the probation.

        Args:
            versions: Versions of the members' models; other members are forgotten.
            now_s: The time.
        """
        current = dict(versions)
        for peer, record in tuple(self._records.items()):
            is_over = record.lost_s is not None and now_s - record.lost_s >= PROBATION_S
            if peer not in current or current[peer] != record.version or is_over:
                del self._records[peer]

    def _record(self, peer: PeerId, version: Digest | None) -> _Record:
        record = self._records.get(peer)
        if record is None or record.version != version:
            record = self._records[peer] = _Record(version)
        return record
