"""make_snapshot(): an observation as plain JSON, for pages and programs."""

import math
from collections import Counter
from typing import Any

from swarm.commanding.registers import DROP_THRESHOLD
from swarm.core.ids import PeerId
from swarm.core.session import dataset_label, is_stand_in
from swarm.federation.best_head import is_last
from swarm.federation.tree import Cluster
from swarm.peer.observer.run_history import history_extent
from swarm.peer.observer.snapshot_cache import SnapshotCache
from swarm.watching.federation.command_tracking import Given
from swarm.watching.federation.observation import Observation


def empty_snapshot(
    peer_id: str, connected: int, elapsed_s: float, operator: PeerId | None = None
) -> dict[str, Any]:
    """Return the snapshot before a session is found."""
    return {
        "version": 0,
        "session": None,
        "round": 0,
        "phase": "connecting",
        "finished": False,
        "elapsed_s": round(elapsed_s, 1),
        "head": None,
        "global": {"accuracy": None, "loss": None, "round": None},
        "training": {"accuracy": None, "points": []},
        "time_left_s": None,
        "peers": [],
        "past_peers": [],
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
        "ensembles": [],
    }


def make_snapshot(
    seen: Observation,
    connected: int,
    now_s: float,
    elapsed_s: float,
    operator: PeerId | None = None,
    cache: SnapshotCache | None = None,
) -> dict[str, Any]:
    """Return everything that the page shows, at one moment.

    Args:
        seen: The observation.
        connected: Number of peers that the observer is connected to.
        now_s: Time on the clock of the observation.
        elapsed_s: Seconds since the observer started.
        operator: Operator whose commands this observer can give.
        cache: Cache that made the previous snapshot.
    """
    cache = cache or SnapshotCache()
    spec, head = seen.spec, seen.head
    operator_json = _operator(seen, operator, now_s)
    finished = head is not None and (
        is_last(head, spec) or operator_json["run_state"] == "stopped"
    )
    measured = seen.newest_metrics()
    curve = seen.past.curve(measured)
    newest = curve[-1] if curve else None
    return {
        **empty_snapshot(seen.me, connected, elapsed_s),
        "session": {
            "id": spec.id,
            "model": spec.model,
            "dataset": spec.dataset,
            "dataset_label": dataset_label(spec.dataset),
            "stand_in": is_stand_in(spec.dataset),
            "rounds": spec.rounds,
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
        "training": {"accuracy": _training_accuracy(seen), "points": _training_points(seen)},
        "time_left_s": None if finished else _rounded(seen.seconds_left(now_s)),
        "peers": cache.rows.snapshot(seen, now_s),
        "past_peers": cache.past_peers(seen),
        "clusters": _clusters(seen, now_s),
        "links": cache.links(seen),
        "flows": cache.flows(seen, now_s, now_s - elapsed_s),
        "curves": {
            "global": cache.curve(seen, measured),
            "peers": cache.curves(seen, measured),
        },
        "events": cache.events(seen, now_s - elapsed_s),
        "observers": cache.observers(seen, connected),
        "alerts": cache.alerts(seen),
        "history": history_extent(seen.past.chain),
        "operator": operator_json,
    }


def command_json(given: Given, unix_s: float) -> dict[str, Any]:
    """Return a command that was given, with its state."""
    command = given.command
    return {
        "id": command.digest,
        "action": command.action,
        "peer": command.subject,
        "value": command.value,
        "session": command.session,
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
        state = "held"  # only the first peer knows and reports it
    else:
        state = states.most_common(1)[0][0] if states else "running"
    return {
        "enabled": operator is not None,
        "operator_id": operator,
        "run_state": state,
        "agreed": len(states) <= 1,
        "drop_threshold": seen.command_tracking.drop_threshold,
        "removed": sorted(seen.command_tracking.removed),
        "commands": [command_json(g, seen.unix_s(now_s)) for g in seen.command_tracking.given],
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
        for s in seen.registry.values()
        if s.status is not None and not s.gone and s.status.train_accuracy is not None
    ]
    return sum(known) / len(known) if known else None


def _training_points(seen: Observation) -> list[dict[str, float]]:
    return [{"at": p.at, "accuracy": round(p.accuracy, 4)} for p in seen.training_curve.points]


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None or not math.isfinite(seconds) else float(round(seconds))


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
