"""RunHistory: the past of a run as plain JSON: rounds and alerts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from swarm.core.ids import Digest, PeerId, with_names
from swarm.core.session import SessionSpec
from swarm.federation.records import GlobalModel, Metrics
from swarm.federation.tree import Cluster, succession
from swarm.federation.validity import tree_of
from swarm.watching.federation.alerts import Alert
from swarm.watching.federation.head_history import weighted
from swarm.watching.federation.observation import Observation


@dataclass(frozen=True)
class RunHistory:
    """What an observer knows about the past at one moment. It never changes afterwards."""

    spec: SessionSpec
    chain: tuple[GlobalModel, ...]
    """Known heads of the lineage, newest first."""
    unix_s: Mapping[Digest, float]
    alerts: Sequence[Alert]
    newest: tuple[Metrics, ...]
    """Metrics of the newest head, once it was evaluated on all test shards."""
    names: Mapping[PeerId, str]

    @classmethod
    def of(cls, seen: Observation) -> "RunHistory":
        """Copy the past of an observation. This must be quick: it happens between two events."""
        past = seen.past
        return cls(
            seen.spec,
            past.chain,
            dict(past.unix_s),
            seen.alerts(),
            seen.newest_metrics(),
            seen.names(),
        )

    def page(self, first: int, count: int) -> dict[str, Any]:
        """Return rounds from `first` on, oldest first, at most `count`."""
        last = self.chain[0].round if self.chain else -1
        begin = max(first, self.chain[-1].round if self.chain else 0)
        end = min(last, begin + count - 1)
        numbers = range(begin, end + 1)
        return {
            "rounds": [self.record(number) for number in numbers],
            "next": end + 1 if end < last else None,
            "history": history_extent(self.chain),
        }

    def record(self, number: int) -> dict[str, Any]:
        """Return one round, which must be known."""
        place = self.chain[0].round - number
        head = self.chain[place]
        parent = self.chain[place + 1] if place + 1 < len(self.chain) else None
        metrics = self.chain[place - 1].metrics if place > 0 else self.newest
        mean = weighted(head.round, metrics) if metrics else None
        cohort = parent.cohort if parent is not None else head.cohort
        named = {c.peer for c in head.contributors}
        known = parent is not None
        return {
            "round": head.round,
            "digest": head.digest,
            "author": head.author,
            "term": head.term,
            "unix_s": self.unix_s.get(head.digest),
            "cohort": list(cohort),
            "contributors": [
                {
                    "peer": c.peer,
                    "num_examples": c.num_examples,
                    "duration_s": round(c.duration_s, 3),
                    "staleness": self._staleness(c.base, place + 1),
                }
                for c in head.contributors
            ],
            "absent": [p for p in cohort if p not in named] if known else [],
            "merged_examples": sum(m.num_examples for m in head.merged),
            "accuracy": round(mean.accuracy, 5) if mean is not None else None,
            "loss": round(mean.loss, 5) if mean is not None else None,
            "metrics": [
                {
                    "peer": m.peer,
                    "accuracy": round(m.accuracy, 5),
                    "loss": round(m.loss, 5),
                    "num_examples": m.num_examples,
                }
                for m in metrics
            ],
            "clusters": self._clusters(head, parent) if parent is not None else [],
            "alerts": [a for a in self.alert_list() if a["round"] == head.round],
        }

    def alert_list(self) -> list[dict[str, Any]]:
        """Return all alerts, oldest first."""
        return self._alerts

    @cached_property
    def _alerts(self) -> list[dict[str, Any]]:
        return alerts_json(self.alerts, self.name_of)

    def name_of(self, peer: PeerId) -> str:
        """Return the name of a peer, or the end of its id."""
        return self.names.get(peer, peer[-6:])

    def _staleness(self, base: Digest, parent_place: int) -> int:
        for distance, head in enumerate(self.chain[parent_place : parent_place + 8]):
            if head.digest == base:
                return distance
        return 0

    def _clusters(self, head: GlobalModel, parent: GlobalModel) -> list[dict[str, Any]]:
        tree = tree_of(parent, self.spec)
        named = {c.peer for c in head.contributors}
        slow = frozenset(parent.slow)

        def aggregator(cluster: Cluster) -> PeerId | None:
            if cluster == tree.root:
                return head.author
            ranking = succession(parent.digest, cluster, slow)
            return next((p for p in ranking if p in named), None)

        return [
            {
                "id": cluster.id,
                "tier": cluster.tier,
                "index": cluster.index,
                "members": list(cluster.peers) or [child.id for child in cluster.children],
                "aggregator": aggregator(cluster),
            }
            for tier in tree.tiers
            for cluster in tier
        ]


def history_extent(chain: Sequence[GlobalModel]) -> dict[str, Any]:
    """Return how far back the past is known."""
    return {
        "first_round": chain[-1].round if chain else None,
        "last_round": chain[0].round if chain else None,
        "complete": bool(chain) and chain[-1].parent is None,
    }


def alerts_json(alerts: Sequence[Alert], name_of: Callable[[PeerId], str]) -> list[dict[str, Any]]:
    """Return alerts as plain JSON, with the names of the peers."""
    made: list[dict[str, Any]] = []
    seen: dict[str, int] = {}
    for alert in alerts:
        name = f"{alert.kind} {alert.round} {alert.subject or ''}".strip()
        seen[name] = seen.get(name, 0) + 1
        made.append(
            {
                "id": name if seen[name] == 1 else f"{name} {seen[name]}",
                "kind": alert.kind,
                "severity": alert.severity,
                "peer": alert.subject,
                "round": alert.round,
                "unix_s": alert.unix_s,
                "text": with_names(alert.text, name_of),
                "reporters": list(alert.reporters),
            }
        )
    return made
