"""Trust: which members have lost their weight, because most of their last answers were off."""

from collections import deque
from collections.abc import Collection, Iterable

from swarm.core.ids import Digest, PeerId
from swarm.core.machine import Effect
from swarm.ensemble.effects import Note
from swarm.ensemble.messages import MemberCard

JUDGED_ROWS = 50
"""Rows that count: the last ones that were compared with the truth, or with other members."""
OFF_ROWS_MAX = JUDGED_ROWS // 2
"""With more rows off, a member loses its weight: at the earliest after 26 rows."""
OFF_ROWS_GOOD = JUDGED_ROWS // 5
"""With at most this many rows off, it gets its weight back."""
Verdict = tuple[PeerId, int, int]
"""Owner, rows judged, rows off."""


class Trust:
    """Counts the rows of each member that were off.

    Invariants:
        A member has at most `JUDGED_ROWS` rows.
        A new version begins with no rows once another member has scored it, so a member that was
        repaired is asked as before. Its own word is not enough: a liar could name new versions
        for ever.
    """

    def __init__(self) -> None:
        self._rows: dict[PeerId, deque[bool]] = {}
        """Of each row, the newest last, whether it was off."""
        self._versions: dict[PeerId, Digest] = {}
        self._lost: set[PeerId] = set()

    @property
    def distrusted(self) -> frozenset[PeerId]:
        """Members without weight."""
        return frozenset(self._lost)

    @property
    def reasons(self) -> dict[PeerId, str]:
        """Members without weight, and why, in words."""
        return {peer: self.describe(peer) for peer in sorted(self._lost)}

    def describe(self, peer: PeerId) -> str:
        """What was found about a member, in words."""
        rows = self._rows.get(peer, ())
        return f"{sum(rows)} of its last {len(rows)} judged rows were off"

    def note_versions(self, cards: Collection[MemberCard]) -> list[Effect]:
        """Note the versions of the members' champions; say which members regain their weight.

        A version is that of a card: an answer could name another one each time.

        Args:
            cards: The newest of all members.
        """
        notes: list[Effect] = []
        for card in cards:
            peer, champion = card.sender, card.champion
            if champion is None or self._versions.get(peer) == champion.version:
                continue
            if peer in self._versions and not self._is_confirmed(peer, champion.version, cards):
                continue
            if self._note_version(peer, champion.version):
                notes.append(Note("weight regained", f"{peer} has a new model"))
        return notes

    def judge(self, verdicts: Iterable[Verdict]) -> list[Effect]:
        """Count rows that were judged; say which members lose or regain their weight."""
        notes: list[Effect] = []
        for peer, num_judged, num_off in verdicts:
            if peer in self._versions and self._note_rows(peer, num_judged, num_off):
                kind = "weight lost" if peer in self._lost else "weight regained"
                notes.append(Note(kind, f"{peer}: {self.describe(peer)}"))
        return notes

    def retain(self, peers: Collection[PeerId]) -> None:
        """Forget all other members."""
        for known in (self._rows, self._versions):
            for peer in [peer for peer in known if peer not in peers]:
                del known[peer]
        self._lost.intersection_update(peers)

    def _is_confirmed(self, peer: PeerId, version: Digest, cards: Iterable[MemberCard]) -> bool:
        """Whether another member that is trusted has scored this version."""
        return any(
            (score.owner, score.version) == (peer, version)
            for card in cards
            if card.sender != peer and card.sender not in self._lost
            for score in card.scores
        )

    def _note_version(self, peer: PeerId, version: Digest) -> bool:
        """Begin anew with a version; return whether the member regains its weight."""
        self._versions[peer] = version
        self._rows.pop(peer, None)
        was_lost = peer in self._lost
        self._lost.discard(peer)
        return was_lost

    def _note_rows(self, peer: PeerId, num_judged: int, num_off: int) -> bool:
        """Note rows that were judged; return whether the member's weight is lost or regained."""
        num_judged = max(num_judged, 0)
        num_off = min(max(num_off, 0), num_judged)
        rows = self._rows.setdefault(peer, deque(maxlen=JUDGED_ROWS))
        rows.extend(_spread(num_judged, num_off))
        is_lost = peer in self._lost
        if not is_lost and sum(rows) > OFF_ROWS_MAX:
            self._lost.add(peer)
            return True
        if is_lost and len(rows) == JUDGED_ROWS and sum(rows) <= OFF_ROWS_GOOD:
            self._lost.discard(peer)
            return True
        return False


def _spread(num_judged: int, num_off: int) -> Iterable[bool]:
    """The rows of one verdict, at most `JUDGED_ROWS`, with the same share off, evenly spread."""
    if num_judged > JUDGED_ROWS:
        num_off = round(JUDGED_ROWS * num_off / num_judged)
        num_judged = JUDGED_ROWS
    places = range(1, num_judged + 1)
    return (k * num_off // num_judged > (k - 1) * num_off // num_judged for k in places)
