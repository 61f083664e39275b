"""Alerts: what a person may have to look at, from heads and from ledgers.

An alert is a sentence. It says what happened, which peers it concerns, and what it costs. A ledger
entry says the first two: its text is a sentence with the ids of peers. What it costs follows from
the heads. Displays replace ids by names.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from swarm.core.ids import Digest, PeerId, RoundNumber, listed
from swarm.core.session import SessionSpec
from swarm.federation.ancestry import STALENESS_MAX
from swarm.federation.ledger_entries import LedgerEntry
from swarm.federation.records import GlobalModel
from swarm.federation.tree import root_succession
from swarm.federation.validity import tree_of
from swarm.watching.federation.head_history import Point
from swarm.watching.federation.outcomes import Outcomes

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
    "data": "warning",
}
_GONE = frozenset({"lost", "left", "disk", "failed", "removed"})
"""Kinds of entries that say why a peer's work is missing."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One fact to look at, with all peers that reported it."""

    kind: str
    round: RoundNumber
    """The round that was being made."""
    subject: PeerId | None
    text: str
    """A sentence, with peers' ids."""
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
    spec: SessionSpec,
    of_heads: dict[Digest, list[Alert]] | None = None,
) -> list[Alert]:
    """All alerts of a run, by round, then by time.

    Args:
        entries: The entries of all ledgers that were read.
        chain: The newest head and its ancestors.
        curve: Global accuracy by round.
        drop_threshold: A larger fall of accuracy is an alert.
        spec: The session: it says how trees are made.
        of_heads: Alerts from heads found before, by digest; new ones are added. This saves going
            through a long chain at each new head.
    """
    of_heads = {} if of_heads is None else of_heads
    outcomes = Outcomes(chain)
    noted = _from_entries(entries)
    takeovers = {(a.round, a.subject) for a in noted if a.kind == "takeover"}
    found = [replace(alert, text=_with_cost(alert, outcomes)) for alert in noted]
    reader = _HeadReader(spec, outcomes, noted)
    for head, parent in pairwise(chain):
        known = of_heads.get(head.digest)
        if known is None:
            known = reader.read(head, parent)
            if outcomes.is_settled(head.round):
                of_heads[head.digest] = known
        found += [
            alert
            for alert in known
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


def _with_cost(alert: Alert, outcomes: Outcomes) -> str:
    """The sentence of a ledger entry, with what the event cost."""
    say = _COSTS.get(alert.kind)
    cost = say(alert, outcomes) if say is not None else ""
    return f"{alert.text}; {cost}" if cost else alert.text


def _cost_of_loss(alert: Alert, outcomes: Outcomes) -> str:
    mine = {alert.subject} if alert.subject is not None else set()
    cost = outcomes.cost(alert.round, mine)
    return f"the others went on, and {cost}" if cost else "the others go on without it"


def _cost_of_rejection(alert: Alert, outcomes: Outcomes) -> str:
    return "it was left out, and the others' work counted" if alert.subject else "it was ignored"


_COSTS: Mapping[str, Callable[[Alert, Outcomes], str]] = {
    "lost": _cost_of_loss,
    "left": _cost_of_loss,
    "disk": _cost_of_loss,
    "failed": _cost_of_loss,
    "takeover": lambda alert, outcomes: outcomes.cost(alert.round),
    "rejected": _cost_of_rejection,
    "quarantined": lambda *_: "nothing is taken from it for five minutes",
    "partition": lambda *_: "the work of the smaller side is merged, or an alert says why not",
    "skipped": lambda *_: "that work is lost",
    "refused": lambda *_: "it changed nothing",
}


class _HeadReader:
    """Finds in heads what no ledger says."""

    def __init__(self, spec: SessionSpec, outcomes: Outcomes, noted: Iterable[Alert]) -> None:
        self._spec = spec
        self._outcomes = outcomes
        self._gone: dict[PeerId, list[int]] = {}
        """Rounds in which peers were gone, as ledgers say."""
        for alert in noted:
            if alert.kind in _GONE and alert.subject is not None:
                self._gone.setdefault(alert.subject, []).append(alert.round)

    def read(self, head: GlobalModel, parent: GlobalModel) -> list[Alert]:
        """All alerts about one head."""
        found: list[Alert] = []
        if head.term > 0:
            found.append(self._takeover(head, parent))
        stale = [c.peer for c in head.contributors if c.base != head.parent]
        if stale:
            text = f"the work of {listed(stale)} came late; it counted in round {head.round}"
            found.append(Alert("folded", head.round, None, text))
        for merged in head.merged:
            text = (
                f"the work of the other side of a split, {merged.num_examples:,} examples, "
                f"was merged into round {head.round}"
            )
            found.append(Alert("merged", head.round, None, text))
        return found + self._missing_half(head, parent)

    def _takeover(self, head: GlobalModel, parent: GlobalModel) -> Alert:
        tree, slow = tree_of(parent, self._spec), frozenset(parent.slow)
        before = root_succession(parent.digest, tree, slow)[: head.term]
        lost = all(self._was_gone(peer, head.round) for peer in before)
        why = "stopped answering" if lost else "had nothing to show in time"
        text = (
            f"{head.author} combined the model of round {head.round} instead of "
            f"{listed(before)}, which {why}; {self._outcomes.cost(head.round)}"
        )
        return Alert("takeover", head.round, head.author, text)

    def _missing_half(self, head: GlobalModel, parent: GlobalModel) -> list[Alert]:
        """An alert if half of the cohort is missing and no ledger says that it is gone."""
        absent = self._outcomes.absent(head.round) or []
        size = len(parent.cohort)
        if size < COHORT_MIN or 2 * len(absent) < size:
            return []
        if self._outcomes.absent(head.round - 1) == absent:
            return []  # told already
        here = size - len(absent)
        merged_at = self._outcomes.merged_at(head.round)
        later = [self._outcomes.counted_later(head.round, peer) for peer in absent]
        if merged_at is not None and None in later:
            text = (
                f"the swarm was split: round {head.round} was made by {here} of {size} peers, "
                f"without {listed(absent)}; the work of the other side was merged into "
                f"round {merged_at}"
            )
            return [Alert("partition", head.round, None, text)]
        late = [peer for peer in absent if not self._was_gone(peer, head.round)]
        if not late:
            return []
        text = (
            f"{listed(late)} {'were' if len(late) > 1 else 'was'} slow: round {head.round} was "
            f"made by {here} of {size} peers; {self._outcomes.cost(head.round, late)}"
        )
        return [Alert("late", head.round, None, text)]

    def _was_gone(self, peer: PeerId, number: int) -> bool:
        rounds = self._gone.get(peer, ())
        return any(number - STALENESS_MAX <= gone <= number for gone in rounds)


def _drops(curve: Sequence[Point], threshold: float) -> list[Alert]:
    return [
        Alert(
            "drop",
            RoundNumber(after.round),
            None,
            f"the model of round {after.round} is worse than that of round {before.round}: "
            f"accuracy fell from {before.accuracy:.1%} to {after.accuracy:.1%}",
        )
        for before, after in pairwise(curve)
        if before.accuracy - after.accuracy > threshold
    ]
