"""picture(): an observation as plain JSON, for pages and programs."""

from typing import Any

from swarm.core.ids import PeerId
from swarm.core.session import dataset_label, is_stand_in
from swarm.federation.observing import FLOW_SHOWN_S, Observation, Point
from swarm.federation.tree import Cluster

PEERS_SHOWN_MAX = 512


def empty_picture(peer_id: str, connected: int, elapsed_s: float) -> dict[str, Any]:
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
            "enabled": False,
            "operator_id": None,
            "run_state": "running",
            "agreed": True,
            "drop_threshold": 0.1,
            "removed": [],
            "commands": [],
        },
    }


def picture(seen: Observation, connected: int, now_s: float, elapsed_s: float) -> dict[str, Any]:
    """Everything a page shows, at one moment.

    Args:
        seen: The observation.
        connected: Peers the observer is connected with.
        now_s: The observation's clock.
        elapsed_s: Seconds since the observer started.
    """
    spec, head = seen.spec, seen.head
    finished = head is not None and head.round >= spec.rounds
    curve = seen.curve()
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
            for flow in seen.flows
            if now_s - flow.at_s <= FLOW_SHOWN_S
        ],
        "curves": {
            "global": [_point(p) for p in curve],
            "peers": {
                peer: [_point(p) for p in seen.curve(peer)]
                for peer in list(seen.sightings)[:PEERS_SHOWN_MAX]
            },
        },
        "events": [
            {
                "seq": line.seq,
                "elapsed_s": round(elapsed_s - (now_s - line.at_s), 1),
                "kind": line.kind,
                "text": line.text,
            }
            for line in seen.occurrences
        ],
    }


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
