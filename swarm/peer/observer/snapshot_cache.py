"""SnapshotCache: the parts of a snapshot that are reused in the next one."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from swarm.core.ids import PeerId
from swarm.federation.records import Metrics
from swarm.peer.observer.connection_rows import ConnectionRows
from swarm.peer.observer.peer_rows import PEERS_SHOWN_MAX, PeerRows
from swarm.peer.observer.run_history import alerts_json
from swarm.watching.federation.alerts import Alert
from swarm.watching.federation.head_history import Point
from swarm.watching.federation.live_state import FLOW_SHOWN_S, Flow, Line
from swarm.watching.federation.observation import Observation

ALERTS_SHOWN_MAX = 200
OBSERVERS_SHOWN_MAX = 64
_SEVERITIES = {"lost": "error", "quarantined": "error", "disk": "error", "failed": "error"}
_SEVERITIES |= {"takeover": "warning", "rejected": "warning", "learning": "warning"}
_Curve = list[dict[str, float]]


class _CachedCurve(NamedTuple):
    """A curve, and the points that it was made from."""

    known: list[Point]
    newest: tuple[Metrics, ...]
    points: list[Point]
    curve: _Curve


_EMPTY = _CachedCurve([], (), [], [])


class SnapshotCache:
    """Makes the parts of a snapshot that grow with the swarm, and keeps what did not change.

    Invariant: a returned value is never changed, and an unchanged value is the same object as
    before. So the cost to compare two snapshots depends on their differences only.
    """

    def __init__(self) -> None:
        self.rows = PeerRows()
        self._connections = ConnectionRows()
        self._curves: dict[PeerId | None, _CachedCurve] = {}
        self._past_peers: list[dict[str, str]] = []
        self._flows: dict[int, dict[str, Any]] = {}
        self._lines: dict[int, dict[str, Any]] = {}
        self._alerts: tuple[list[Alert], Mapping[PeerId, str], list[dict[str, Any]]] | None = None

    def curves(self, seen: Observation, measured: tuple[Metrics, ...]) -> dict[PeerId, _Curve]:
        """Return the curve of each present or past peer.

        Args:
            seen: The observation.
            measured: Metrics of the newest head, once it was evaluated on all test shards.
        """
        newest = {metrics.peer: (metrics,) for metrics in measured}
        shown = list(dict.fromkeys([*seen.registry, *seen.past.peers]))[:PEERS_SHOWN_MAX]
        curves = {peer: self.curve(seen, newest.get(peer, ()), peer) for peer in shown}
        self._curves = {p: c for p, c in self._curves.items() if p is None or p in curves}
        return curves

    def curve(
        self, seen: Observation, newest: tuple[Metrics, ...], peer: PeerId | None = None
    ) -> _Curve:
        """Return the points of a curve as JSON. Earlier points are the same objects as before.

        Args:
            seen: The observation.
            newest: Metrics of the newest head on the test shards that count for this curve.
            peer: Peer of the curve, or None for the global curve.
        """
        known = seen.past.curve((), peer)
        before = self._curves.get(peer, _EMPTY)
        if known is before.known and newest == before.newest:
            return before.curve
        points = seen.past.curve(newest, peer)
        kept = len(before.points) if points[: len(before.points)] == before.points else 0
        curve = [*before.curve[:kept], *(_point(p) for p in points[kept:])]
        if curve == before.curve:
            curve = before.curve
        self._curves[peer] = _CachedCurve(known, newest, points, curve)
        return curve

    def past_peers(self, seen: Observation) -> list[dict[str, str]]:
        """Return peers that are gone and known only from heads and ledgers."""
        rows = {row["id"] for row in self.rows.shown}
        gone = [p for p in {**dict.fromkeys(seen.past.peers), **seen.names()} if p not in rows]
        past = [
            {"id": peer, "name": seen.name_of(peer), "site": seen.site_of(peer)}
            for peer in gone[-PEERS_SHOWN_MAX:]
        ]
        if past != self._past_peers:
            self._past_peers = past
        return self._past_peers

    def alerts(self, seen: Observation) -> list[dict[str, Any]]:
        """Return the newest alerts."""
        alerts, names = seen.alerts(), seen.names()
        if self._alerts is None or self._alerts[0] is not alerts or self._alerts[1] != names:
            shown = alerts_json(alerts, seen.name_of)[-ALERTS_SHOWN_MAX:]
            self._alerts = (alerts, names, shown)
        return self._alerts[2]

    def flows(self, seen: Observation, now_s: float, started_s: float) -> list[dict[str, Any]]:
        """Return what moves now or moved a moment ago.

        Args:
            seen: The observation.
            now_s: Time on its clock.
            started_s: Time on its clock when the observer started.
        """
        recent = [flow for flow in seen.flows.recent if now_s - flow.at_s <= FLOW_SHOWN_S]
        known = self._flows
        self._flows = {f.seq: known.get(f.seq) or _flow(f, started_s) for f in recent}
        return list(self._flows.values())

    def events(self, seen: Observation, started_s: float) -> list[dict[str, Any]]:
        """Return the newest lines of the log."""
        known = self._lines
        self._lines = {x.seq: known.get(x.seq) or _line(x, started_s) for x in seen.log.lines}
        return list(self._lines.values())

    def links(self, seen: Observation) -> list[dict[str, PeerId]]:
        """Return the connections between peers."""
        self._connections.update(seen.registry)
        return self._connections.links

    def observers(self, seen: Observation, connected: int) -> list[dict[str, Any]]:
        """Return the peers that take no part but have connections, including this observer."""
        members: Collection[PeerId] = seen.head.members if seen.head is not None else ()
        links = {
            peer: count
            for peer, count in self._connections.others(seen.registry)
            if peer not in members
        }
        links[seen.me] = max(links.get(seen.me, 0), connected)
        most = sorted(links.items(), key=lambda item: -item[1])[:OBSERVERS_SHOWN_MAX]
        return [{"id": peer, "num_links": count, "me": peer == seen.me} for peer, count in most]


def _point(point: Point) -> dict[str, float]:
    return {
        "round": point.round,
        "accuracy": round(point.accuracy, 5),
        "loss": round(point.loss, 5),
    }


def _flow(flow: Flow, started_s: float) -> dict[str, Any]:
    return {
        "seq": flow.seq,
        "source": flow.source,
        "target": flow.target,
        "kind": flow.kind,
        "size_bytes": flow.size_bytes,
        "elapsed_s": round(flow.at_s - started_s, 2),
    }


def _line(line: Line, started_s: float) -> dict[str, Any]:
    return {
        "seq": line.seq,
        "elapsed_s": round(line.at_s - started_s, 1),
        "kind": line.kind,
        "text": line.text,
        "severity": _SEVERITIES.get(line.kind, "info"),
        "peer": line.peer,
        "round": line.round,
    }
