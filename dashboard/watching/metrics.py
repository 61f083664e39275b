"""Metrics for Prometheus, read from the newest snapshot at each scrape."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import get_args

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from prometheus_client.registry import Collector

from dashboard.watching.snapshot_source import SnapshotSource
from dashboard.watching.snapshot_types import PeerInfo, PeerState, RunState, Snapshot

__all__ = ["CONTENT_TYPE", "exposition"]

_PEER_LABELS = ("peer", "name")


def exposition(source: SnapshotSource) -> bytes:
    """Return all metrics in the text format."""
    registry = CollectorRegistry()
    registry.register(_Snapshots(source))
    return generate_latest(registry)


class _Snapshots(Collector):
    def __init__(self, source: SnapshotSource) -> None:
        self._source = source

    def describe(self) -> Iterable[Metric]:
        """Return nothing; otherwise registering would already collect the metrics."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of the newest snapshot."""
        snapshot = self._source.snapshot()
        yield from _run_metrics(snapshot)
        yield from _peer_metrics(snapshot["peers"])


def _run_metrics(snapshot: Snapshot) -> Iterator[Metric]:
    model, session = snapshot["global"], snapshot["session"]
    yield _gauge("swarm_round", "Round that is trained now.", snapshot["round"])
    yield _gauge("swarm_rounds", "Rounds of the session.", session and session["rounds"])
    yield _gauge("swarm_finished", "1 once the session has ended.", int(snapshot["finished"]))
    yield _gauge("swarm_global_accuracy", "Test accuracy, 0 to 1.", model["accuracy"])
    yield _gauge("swarm_global_loss", "Test loss, nats.", model["loss"])
    yield _gauge("swarm_global_round", "Round of the model that was tested.", model["round"])
    connected = snapshot["observer"]["connected"]
    yield _gauge("swarm_observer_connections", "Peers connected to the dashboard.", connected)
    states = GaugeMetricFamily("swarm_peers", "Peers by state.", labels=["state"])
    counts: Counter[str] = Counter(peer["state"] for peer in snapshot["peers"])
    for state in get_args(PeerState):
        states.add_metric([state], counts[state])
    yield states
    run = GaugeMetricFamily("swarm_run_state", "1 for the state of the run.", labels=["state"])
    for state in get_args(RunState):
        run.add_metric([state], int(snapshot["operator"]["run_state"] == state))
    yield run
    alerts = GaugeMetricFamily(
        "swarm_alerts", "The newest alerts, at most 200.", labels=["kind", "severity"]
    )
    for (kind, severity), count in Counter(
        (alert["kind"], alert["severity"]) for alert in snapshot["alerts"]
    ).items():
        alerts.add_metric([kind, severity], count)
    yield alerts


def _peer_metrics(peers: list[PeerInfo]) -> Iterator[Metric]:
    gauges: dict[str, tuple[str, Sequence[float | None]]] = {
        "swarm_peer_accuracy": ("Accuracy on its test shard.", [p["accuracy"] for p in peers]),
        "swarm_peer_loss": ("Loss on its test shard, nats.", [p["loss"] for p in peers]),
        "swarm_peer_progress": ("Progress of its phase.", [p["progress"] for p in peers]),
        "swarm_peer_examples": ("Training examples.", [p["num_examples"] for p in peers]),
        "swarm_peer_seen_seconds": ("Seconds of silence.", [p["seen_s_ago"] for p in peers]),
    }
    counters: dict[str, tuple[str, Sequence[int]]] = {
        "swarm_peer_sent_bytes": ("Bytes sent.", [p["bytes_sent"] for p in peers]),
        "swarm_peer_received_bytes": ("Bytes received.", [p["bytes_received"] for p in peers]),
        "swarm_peer_rejections": ("Messages it rejected.", [p["rejections"] for p in peers]),
    }
    labels = [[peer["id"], peer["name"]] for peer in peers]
    for name, (about, values) in gauges.items():
        gauge = GaugeMetricFamily(name, about, labels=_PEER_LABELS)
        for label, value in zip(labels, values, strict=True):
            if value is not None:
                gauge.add_metric(label, value)
        yield gauge
    for name, (about, numbers) in counters.items():
        counter = CounterMetricFamily(name, about, labels=_PEER_LABELS)
        for label, number in zip(labels, numbers, strict=True):
            counter.add_metric(label, number)
        yield counter


def _gauge(name: str, about: str, value: float | None) -> Metric:
    return GaugeMetricFamily(name, about, value=math.nan if value is None else value)
