"""Metrics for Prometheus, read from the newest snapshot at each scrape."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from prometheus_client.registry import Collector

from dashboard.watching.snapshot import PeerFacts, Snapshot
from dashboard.watching.source import SnapshotSource

__all__ = ["CONTENT_TYPE", "exposition"]

PEER_STATES = ("alive", "suspect", "lost", "left", "quarantined", "removed")
_OF_A_PEER = ("peer", "name")


def exposition(source: SnapshotSource) -> bytes:
    """All metrics, in the text format."""
    registry = CollectorRegistry()
    registry.register(_Snapshots(source))
    return generate_latest(registry)


class _Snapshots(Collector):
    def __init__(self, source: SnapshotSource) -> None:
        self._source = source

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering would otherwise collect once."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Metrics of the moment."""
        snapshot = self._source.snapshot()
        yield from _of_the_run(snapshot)
        yield from _of_the_peers(snapshot["peers"])


def _of_the_run(snapshot: Snapshot) -> Iterator[Metric]:
    model, session = snapshot["global"], snapshot["session"]
    yield _gauge("swarm_round", "Round now being trained.", snapshot["round"])
    yield _gauge("swarm_rounds", "Rounds of the session.", session and session["rounds"])
    yield _gauge("swarm_finished", "1 once the session ended.", int(snapshot["finished"]))
    yield _gauge("swarm_global_accuracy", "Test accuracy, 0 to 1.", model["accuracy"])
    yield _gauge("swarm_global_loss", "Test loss, nats.", model["loss"])
    yield _gauge("swarm_global_round", "Round of the model that was tested.", model["round"])
    connected = snapshot["observer"]["connected"]
    yield _gauge("swarm_observer_connections", "Peers connected with.", connected)
    states = GaugeMetricFamily("swarm_peers", "Peers by state.", labels=["state"])
    counts: Counter[str] = Counter(peer["state"] for peer in snapshot["peers"])
    for state in PEER_STATES:
        states.add_metric([state], counts[state])
    yield states
    run = GaugeMetricFamily("swarm_run_state", "1 for what the peers do.", labels=["state"])
    for state in ("held", "running", "paused", "stopped"):
        run.add_metric([state], int(snapshot["operator"]["run_state"] == state))
    yield run
    alerts = GaugeMetricFamily(
        "swarm_alerts", "Newest alerts (200 at most).", labels=["kind", "severity"]
    )
    for (kind, severity), count in Counter(
        (alert["kind"], alert["severity"]) for alert in snapshot["alerts"]
    ).items():
        alerts.add_metric([kind, severity], count)
    yield alerts


def _of_the_peers(peers: list[PeerFacts]) -> Iterator[Metric]:
    gauges: dict[str, tuple[str, Sequence[float | None]]] = {
        "swarm_peer_accuracy": ("Test accuracy on its shard.", [p["accuracy"] for p in peers]),
        "swarm_peer_loss": ("Test loss on its shard, nats.", [p["loss"] for p in peers]),
        "swarm_peer_progress": ("Share of its phase done.", [p["progress"] for p in peers]),
        "swarm_peer_examples": ("Training examples.", [p["num_examples"] for p in peers]),
        "swarm_peer_seen_seconds": ("Since it was heard.", [p["seen_s_ago"] for p in peers]),
    }
    counters: dict[str, tuple[str, Sequence[int]]] = {
        "swarm_peer_sent_bytes": ("Bytes sent.", [p["bytes_sent"] for p in peers]),
        "swarm_peer_received_bytes": ("Bytes received.", [p["bytes_received"] for p in peers]),
        "swarm_peer_rejections": ("What it turned down.", [p["rejections"] for p in peers]),
    }
    labels = [[peer["id"], peer["name"]] for peer in peers]
    for name, (about, values) in gauges.items():
        gauge = GaugeMetricFamily(name, about, labels=_OF_A_PEER)
        for label, value in zip(labels, values, strict=True):
            if value is not None:
                gauge.add_metric(label, value)
        yield gauge
    for name, (about, numbers) in counters.items():
        counter = CounterMetricFamily(name, about, labels=_OF_A_PEER)
        for label, number in zip(labels, numbers, strict=True):
            counter.add_metric(label, number)
        yield counter


def _gauge(name: str, about: str, value: float | None) -> Metric:
    return GaugeMetricFamily(name, about, value=math.nan if value is None else value)
