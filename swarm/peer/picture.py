"""picture(): an observation as plain JSON, for pages and programs."""

from collections import Counter
from typing import Any

from swarm.core.ids import PeerId
from swarm.core.session import dataset_label, is_stand_in
from swarm.federation.alerts import Alert
from swarm.federation.command_book import DROP_THRESHOLD
from swarm.federation.messages import Status
from swarm.federation.observing import Observation
from swarm.federation.operating import Given
from swarm.federation.past import Point
from swarm.federation.sights import FLOW_SHOWN_S
from swarm.federation.signed_records import Metrics
from swarm.federation.tree import Cluster
from swarm.peer.past_picture import alerts_json, history_facts

PEERS_SHOWN_MAX = 512
ALERTS_SHOWN_MAX = 200
OBSERVERS_SHOWN_MAX = 64
_SEVERITIES = {"lost": "error", "quarantined": "error", "disk": "error"}
_SEVERITIES |= {"takeover": "warning", "rejected": "warning"}


def empty_picture(
    peer_id: str, connected: int, elapsed_s: float, operator: PeerId | None = None
) -> dict[str, Any]:
    """What is known before a session was found."""
    return {
        "version": 0,
        "session": None,
        "round": 0,
        "phase": "connecting",
        "finished": False,
        "elapsed_s": round(elapsed_s, 1),
        "head": None,
        "global": {"accuracy": None, "loss": None, "round": None},
        "training": {"accuracy": None},
        "peers": [],
        "clusters": [],
        "links": [],
        "flows": [],
        "curves": {"global": [], "peers": {}},
        "events": [],
        "observer": {"peer_id": peer_id, "connected": connected},
        "observers": [{"id": peer_id, "num_links": connected, "me": True}] if peer_id else [],
        "alerts": [],
        "history": {"first_round": None, "last_round": None, "complete": False},
        "operator": {
            "enabled": operator is not None,
            "operator_id": operator,
            "run_state": "running",
            "agreed": True,
            "drop_threshold": DROP_THRESHOLD,
            "removed": [],
            "commands": [],
        },
        "studies": [],
    }


class Painter:
    """Paints pictures, and keeps what did not change since the one before.

    Invariant: what was painted is never changed.
    """

    def __init__(self) -> None:
        self._curves: dict[PeerId | None, tuple[list[Point], list[dict[str, float]]]] = {}
        self._alerts: tuple[list[Alert], int, list[dict[str, Any]]] | None = None

    def curve(
        self, seen: Observation, newest: tuple[Metrics, ...], peer: PeerId | None = None
    ) -> list[dict[str, float]]:
        """Points of a curve as JSON; those painted before are the same objects."""
        points = seen.past.curve(newest, peer)
        before, painted = self._curves.get(peer, ([], []))
        if points is before or points == before:
            return painted
        kept = len(before) if points[: len(before)] == before else 0
        painted = [*painted[:kept], *(_point(p) for p in points[kept:])]
        self._curves[peer] = (points, painted)
        return painted

    def forget(self, peers: set[PeerId]) -> None:
        """Keep the curves of these peers only."""
        self._curves = {p: c for p, c in self._curves.items() if p is None or p in peers}

    def alerts(self, seen: Observation) -> list[dict[str, Any]]:
        """The newest alerts."""
        alerts, num_names = seen.alerts(), len(seen.names())
        if self._alerts is None or self._alerts[0] is not alerts or self._alerts[1] != num_names:
            shown = alerts_json(alerts, seen.name_of)[-ALERTS_SHOWN_MAX:]
            self._alerts = (alerts, num_names, shown)
        return self._alerts[2]


def picture(
    seen: Observation,
    connected: int,
    now_s: float,
    elapsed_s: float,
    operator: PeerId | None = None,
    painter: Painter | None = None,
) -> dict[str, Any]:
    """Everything a page shows, at one moment.

    Args:
        seen: The observation.
        connected: Peers the observer is connected with.
        now_s: The observation's clock.
        elapsed_s: Seconds since the observer started.
        operator: Whose commands this observer can give.
        painter: Who painted the picture before.
    """
    painter = painter or Painter()
    spec, head = seen.spec, seen.head
    ordered = _operator(seen, operator, now_s)
    finished = head is not None and (
        head.round >= spec.rounds or ordered["run_state"] == "stopped"
    )
    measured = seen.newest_metrics()
    curve = seen.past.curve(measured)
    shown = list(seen.sightings)[:PEERS_SHOWN_MAX]
    painter.forget(set(shown))
    newest = curve[-1] if curve else None
    return {
        **empty_picture(seen.me, connected, elapsed_s),
        "session": {
            "id": spec.id,
            "model": spec.model,
            "dataset": spec.dataset,
            "dataset_label": dataset_label(spec.dataset),
            "stand_in": is_stand_in(spec.dataset),
            "rounds": spec.rounds,
            "strategy": spec.strategy,
            "cluster_size": spec.cluster_size,
            "min_peers": spec.min_peers,
        },
        "round": min(head.round + 1, spec.rounds) if head is not None else 0,
        "phase": _phase(seen, finished),
        "finished": finished,
        "head": None
        if head is None
        else {
            "digest": head.digest,
            "round": head.round,
            "author": head.author,
            "num_contributors": len(head.contributors),
        },
        "global": {
            "accuracy": newest.accuracy if newest else None,
            "loss": newest.loss if newest else None,
            "round": newest.round if newest else None,
        },
        "training": {"accuracy": _training_accuracy(seen)},
        "peers": _peers(seen, now_s),
        "clusters": _clusters(seen, now_s),
        "links": _links(seen),
        "flows": [
            {
                "seq": flow.seq,
                "source": flow.source,
                "target": flow.target,
                "kind": flow.kind,
                "size_bytes": flow.size_bytes,
                "age_s": round(now_s - flow.at_s, 2),
            }
            for flow in seen.flows.recent
            if now_s - flow.at_s <= FLOW_SHOWN_S
        ],
        "curves": {
            "global": painter.curve(seen, measured),
            "peers": {peer: painter.curve(seen, measured, peer) for peer in shown},
        },
        "events": [
            {
                "seq": line.seq,
                "elapsed_s": round(elapsed_s - (now_s - line.at_s), 1),
                "kind": line.kind,
                "text": line.text,
                "severity": _SEVERITIES.get(line.kind, "info"),
                "peer": line.peer,
                "round": line.round,
            }
            for line in seen.log.lines
        ],
        "observers": _observers(seen, connected),
        "alerts": painter.alerts(seen),
        "history": history_facts(seen.past.chain),
        "operator": ordered,
    }


def command_json(given: Given, unix_s: float) -> dict[str, Any]:
    """A command that was given, and what became of it."""
    command = given.command
    return {
        "id": command.digest,
        "action": command.action,
        "peer": command.subject,
        "value": command.value,
        "sequence": command.sequence,
        "unix_s": given.unix_s,
        "expires_unix_s": command.expires_unix_s,
        "state": given.state(unix_s),
        "confirmed_by": sorted(given.confirmed_by),
        "waiting_for": sorted(given.waiting_for),
    }


def _operator(seen: Observation, operator: PeerId | None, now_s: float) -> dict[str, Any]:
    states = Counter(status.run_state for status in seen.live(now_s).values())
    if seen.head is None and states["held"]:
        state = "held"  # only the first peer knows
    else:
        state = states.most_common(1)[0][0] if states else "running"
    return {
        "enabled": operator is not None,
        "operator_id": operator,
        "run_state": state,
        "agreed": len(states) <= 1,
        "drop_threshold": seen.operating.drop_threshold,
        "removed": sorted(seen.operating.removed),
        "commands": [command_json(g, seen.unix_s(now_s)) for g in seen.operating.given],
    }


def _observers(seen: Observation, connected: int) -> list[dict[str, Any]]:
    """Ids that peers are connected with and that take no part, this observer among them."""
    members = seen.head.members if seen.head is not None else frozenset()
    links = Counter(
        other
        for sighting in seen.sightings.values()
        if sighting.status is not None and not sighting.gone
        for other in sighting.status.links
        if other not in seen.sightings and other not in members
    )
    links[seen.me] = max(links[seen.me], connected)
    return [
        {"id": peer, "num_links": count, "me": peer == seen.me}
        for peer, count in links.most_common(OBSERVERS_SHOWN_MAX)
    ]


def _phase(seen: Observation, finished: bool) -> str:
    if finished:
        return "finished"
    if seen.head is None:
        return "gathering"
    all_in = seen.contributed >= set(seen.head.cohort)
    return "aggregating" if seen.acting or all_in else "training"


def _training_accuracy(seen: Observation) -> float | None:
    known = [
        s.status.train_accuracy
        for s in seen.sightings.values()
        if s.status is not None and not s.gone and s.status.train_accuracy is not None
    ]
    return sum(known) / len(known) if known else None


def _peers(seen: Observation, now_s: float) -> list[dict[str, Any]]:
    roles = _roles(seen, now_s)
    cohort = seen.head.cohort if seen.head is not None else ()
    peers = dict.fromkeys([*seen.sightings, *cohort])
    rows = [_peer(seen, peer, roles.get(peer), now_s) for peer in list(peers)[:PEERS_SHOWN_MAX]]
    return sorted(rows, key=lambda row: str(row["name"]))


def _peer(
    seen: Observation, peer: PeerId, role: tuple[str, int, int] | None, now_s: float
) -> dict[str, Any]:
    sighting = seen.sightings.get(peer)
    status = sighting.status if sighting is not None else None
    shard = status.evaluation if status is not None else None
    name, tier, cluster = role or ("joining" if seen.head is not None else "waiting", 0, None)
    return {
        "id": peer,
        "name": seen.name_of(peer),
        "role": name,
        "tier": tier,
        "cluster": cluster,
        "state": seen.state_of(peer, now_s),
        "phase": status.phase if status is not None else "starting",
        "progress": status.progress if status is not None else 0.0,
        "round": status.round if status is not None else 0,
        "train_accuracy": status.train_accuracy if status is not None else None,
        "train_loss": status.train_loss if status is not None else None,
        "accuracy": shard.accuracy if shard is not None else None,
        "loss": shard.loss if shard is not None else None,
        "num_examples": status.num_examples if status is not None else 0,
        "bytes_sent": status.bytes_sent if status is not None else 0,
        "bytes_received": status.bytes_received if status is not None else 0,
        "seen_s_ago": round(now_s - sighting.heard_s) if sighting is not None else 0,
        "rejections": status.rejections if status is not None else 0,
        "site": status.site if status is not None else "",
        "addresses": list(status.addresses) if status is not None else [],
        "blob_bytes_sent": status.blob_bytes_sent if status is not None else 0,
        "data": _data(status),
        "run_state": status.run_state if status is not None else "running",
        "refused_commands": status.num_refused if status is not None else 0,
    }


def _data(status: Status | None) -> dict[str, Any] | None:
    if status is None or not status.data_label:
        return None
    return {
        "label": status.data_label,
        "num_train": status.num_examples,
        "num_test": status.num_test,
    }


def _roles(seen: Observation, now_s: float) -> dict[PeerId, tuple[str, int, int]]:
    """Role, highest tier with a duty, and index of the home cluster, by peer of the cohort."""
    tree = seen.tree
    if tree is None:
        return {}
    roles = {
        peer: ("trainer", 1, cluster.index) for cluster in tree.tiers[0] for peer in cluster.peers
    }
    for tier in tree.tiers:
        for cluster in tier:
            peer = seen.aggregator_of(cluster, now_s)
            if peer in roles:
                name = "root" if cluster == tree.root else "aggregator"
                roles[peer] = (name, cluster.tier, roles[peer][2])
    return roles


def _clusters(seen: Observation, now_s: float) -> list[dict[str, Any]]:
    tree = seen.tree
    clusters: list[Cluster] = [c for tier in tree.tiers for c in tier] if tree is not None else []
    return [
        {
            "id": cluster.id,
            "tier": cluster.tier,
            "index": cluster.index,
            "members": list(cluster.peers) or [child.id for child in cluster.children],
            "aggregator": seen.aggregator_of(cluster, now_s),
        }
        for cluster in clusters
    ]


def _links(seen: Observation) -> list[dict[str, str]]:
    pairs = {
        tuple(sorted((peer, other)))
        for peer, s in seen.sightings.items()
        if s.status is not None and not s.gone
        for other in s.status.links
        if other in seen.sightings and not seen.sightings[other].gone
    }
    return [{"source": a, "target": b} for a, b in sorted(pairs)]


def _point(point: Point) -> dict[str, float]:
    return {
        "round": point.round,
        "accuracy": round(point.accuracy, 5),
        "loss": round(point.loss, 5),
    }
