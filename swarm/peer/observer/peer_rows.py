"""PeerRows: the peers in a snapshot. The row of an unchanged peer is the same object as before."""

from typing import Any

from swarm.core.ids import PeerId
from swarm.federation.messages import Status
from swarm.watching.federation.observation import Observation
from swarm.watching.federation.peer_registry import SUSPECT_AFTER_S

PEERS_SHOWN_MAX = 512
Role = tuple[str, int, int | None]
"""Role, highest tier in which the peer has a duty, and index of its tier-1 cluster."""
_Sources = tuple[Status | None, str, Role, str, str, int, int | None]


class PeerRows:
    """Makes a row for each peer.

    Invariant: rows and the list of rows are replaced, never changed.
    """

    def __init__(self) -> None:
        self.shown: list[dict[str, Any]] = []
        """The rows of the newest snapshot."""
        self._rows: dict[PeerId, tuple[_Sources, dict[str, Any]]] = {}

    def snapshot(self, seen: Observation, now_s: float) -> list[dict[str, Any]]:
        """Return all rows, sorted by name."""
        roles = roles_of(seen, now_s)
        outside: Role = ("joining" if seen.head is not None else "waiting", 0, None)
        cohort = seen.head.cohort if seen.head is not None else ()
        shown = list(dict.fromkeys([*seen.registry, *cohort]))[:PEERS_SHOWN_MAX]
        self._rows = {p: self._row(seen, p, roles.get(p, outside), now_s) for p in shown}
        rows = sorted((row for _, row in self._rows.values()), key=lambda row: str(row["name"]))
        if rows != self.shown:
            self.shown = rows
        return self.shown

    def _row(
        self, seen: Observation, peer: PeerId, role: Role, now_s: float
    ) -> tuple[_Sources, dict[str, Any]]:
        seen_peer = seen.registry.get(peer)
        silent_s = now_s - seen_peer.heard_s if seen_peer is not None else 0.0
        sources: _Sources = (
            seen_peer.status if seen_peer is not None else None,
            seen.state_of(peer, now_s),
            role,
            seen.name_of(peer),
            seen.site_of(peer),
            # A healthy peer is heard every second; that alone must not change its row.
            round(silent_s) if silent_s > SUSPECT_AFTER_S else 0,
            _evaluated_round(seen, seen_peer.status if seen_peer is not None else None),
        )
        before = self._rows.get(peer)
        if before is not None and before[0] == sources:
            return before
        return sources, _row_json(peer, sources)


def roles_of(seen: Observation, now_s: float) -> dict[PeerId, Role]:
    """Return the roles of the peers in the cohort."""
    tree = seen.tree
    if tree is None:
        return {}
    roles: dict[PeerId, Role] = {
        peer: ("trainer", 1, cluster.index) for cluster in tree.tiers[0] for peer in cluster.peers
    }
    for tier in tree.tiers:
        for cluster in tier:
            peer = seen.aggregator_of(cluster, now_s)
            if peer in roles:
                name = "root" if cluster == tree.root else "aggregator"
                roles[peer] = (name, cluster.tier, roles[peer][2])
    return roles


def _row_json(peer: PeerId, sources: _Sources) -> dict[str, Any]:
    status, state, (role, tier, cluster), name, site, silent_s, measured = sources
    shard = status.evaluation if status is not None else None
    return {
        "id": peer,
        "name": name,
        "role": role,
        "tier": tier,
        "cluster": cluster,
        "state": state,
        "phase": status.phase if status is not None else "starting",
        "progress": status.progress if status is not None else 0.0,
        "round": status.round if status is not None else 0,
        "train_accuracy": status.train_accuracy if status is not None else None,
        "train_loss": status.train_loss if status is not None else None,
        "accuracy": shard.accuracy if shard is not None else None,
        "accuracy_round": measured,
        "loss": shard.loss if shard is not None else None,
        "num_examples": status.num_examples if status is not None else 0,
        "bytes_sent": status.bytes_sent if status is not None else 0,
        "bytes_received": status.bytes_received if status is not None else 0,
        "seen_s_ago": silent_s,
        "rejections": status.rejections if status is not None else 0,
        "site": site,
        "addresses": list(status.addresses) if status is not None else [],
        "blob_bytes_sent": status.blob_bytes_sent if status is not None else 0,
        "data": _data(status),
        "run_state": status.run_state if status is not None else "running",
        "refused_commands": status.num_refused if status is not None else 0,
    }


def _evaluated_round(seen: Observation, status: Status | None) -> int | None:
    """The round of the head that a peer measured last, if that head is known."""
    if status is None or status.evaluated is None:
        return None
    head = seen.lineage.get(status.evaluated)
    return head.round if head is not None else None


def _data(status: Status | None) -> dict[str, Any] | None:
    if status is None or not status.data_label:
        return None
    return {
        "label": status.data_label,
        "num_train": status.num_examples,
        "num_test": status.num_test,
    }
