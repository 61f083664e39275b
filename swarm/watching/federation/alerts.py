"""Alerts: what a person may have to look at, from heads and from ledgers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from swarm.core.ids import Digest, PeerId, RoundNumber
from swarm.federation.ledger_entries import LedgerEntry
from swarm.federation.records import GlobalModel
from swarm.watching.federation.head_history import Point

SAME_WITHIN_S = 30.0
"""Entries of several peers about one peer within this time are one alert."""
COHORT_MIN = 3
"""In a smaller cohort a missing half is one peer; it is shown as a loss."""
_SEVERITIES = {
    "lost": "error",
    "disk": "error",
    "failed": "error",
    "partition": "error",
    "quarantined": "error",
    "drop": "error",
    "learning": "warning",
    "takeover": "warning",
    "rejected": "warning",
    "skipped": "warning",
    "refused": "warning",
    "stopped": "warning",
    "removed": "warning",
    "paused": "warning",
}


@dataclass(frozen=True, slots=True)
class Alert:
    """One fact to look at, with all peers that reported it."""

    kind: str
    round: RoundNumber
    """The round that was being made."""
    subject: PeerId | None
    text: str
    unix_s: float | None = None
    reporters: tuple[PeerId, ...] = ()

    @property
    def severity(self) -> str:
        """`info`, `warning` or `error`."""
        return _SEVERITIES.get(self.kind, "info")


def alerts_of(
    entries: Iterable[LedgerEntry],
    chain: Sequence[GlobalModel],
    curve: Sequence[Point],
    drop_threshold: float,
    of_heads: dict[Digest, list[Alert]] | None = None,
) -> list[Alert]:
    """All alerts of a run, by round, then by time.

    Args:
        entries: The entries of all ledgers that were read.
        chain: The newest head and its ancestors.
        curve: Global accuracy by round.
        drop_threshold: A larger fall of accuracy is an alert.
        of_heads: Alerts from heads found before, by digest; new ones are added. This saves going
            through a long chain at each new head.
    """
    of_heads = {} if of_heads is None else of_heads
    found = _from_entries(entries)
    takeovers = {(a.round, a.subject) for a in found if a.kind == "takeover"}
    for head, parent in pairwise(chain):
        if head.digest not in of_heads:
            of_heads[head.digest] = _of_head(head, parent)
        found += [
            alert
            for alert in of_heads[head.digest]
            if alert.kind != "takeover" or (alert.round, alert.subject) not in takeovers
        ]
    found += _drops(curve, drop_threshold)
    return sorted(found, key=lambda a: (a.round, a.unix_s or 0.0, a.kind, a.subject or ""))


def _from_entries(entries: Iterable[LedgerEntry]) -> list[Alert]:
    """One alert for the entries of several peers about one thing, at the time of the first."""
    alerts: list[Alert] = []
    newest: dict[tuple[str, PeerId | None], int] = {}
    notes = (entry for entry in entries if not entry.is_fact)
    for entry in sorted(notes, key=lambda e: (e.unix_s, e.author)):
        about = entry.kind, entry.subject
        place = newest.get(about)
        earlier = alerts[place] if place is not None else None
        if earlier is not None and entry.unix_s - (earlier.unix_s or 0.0) <= SAME_WITHIN_S:
            if entry.author not in earlier.reporters:
                reporters = (*earlier.reporters, entry.author)
                alerts[newest[about]] = replace(earlier, reporters=reporters)
            continue
        newest[about] = len(alerts)
        alerts.append(
            Alert(
                entry.kind, entry.round, entry.subject, entry.text, entry.unix_s, (entry.author,)
            )
        )
    return alerts


def _of_head(head: GlobalModel, parent: GlobalModel) -> list[Alert]:
    found: list[Alert] = []
    if head.term > 0:
        text = f"took over as root, standby {head.term}"
        found.append(Alert("takeover", head.round, head.author, text))
    stale = [c.peer for c in head.contributors if c.base != head.parent]
    if stale:
        found.append(Alert("folded", head.round, None, f"late work of {', '.join(stale)}"))
    for merged in head.merged:
        text = f"the other side's work is merged: {merged.num_examples} examples"
        found.append(Alert("merged", head.round, None, text))
    fresh = {c.peer for c in head.contributors if c.base == head.parent}
    size = len(parent.cohort)
    if size >= COHORT_MIN and 2 * len(fresh) <= size:
        text = f"only {len(fresh)} of {size} peers contributed to the new model"
        found.append(Alert("partition", head.round, None, text))
    return found


def _drops(curve: Sequence[Point], threshold: float) -> list[Alert]:
    return [
        Alert(
            "drop",
            RoundNumber(after.round),
            None,
            f"accuracy fell from {before.accuracy:.3f} to {after.accuracy:.3f}",
        )
        for before, after in pairwise(curve)
        if before.accuracy - after.accuracy > threshold
    ]
