"""An invented run for tests and for viewing the page: a function of the time.

`FakeRun(6).at(moment_s)` gives the same snapshot for the same arguments, always. By hand:
`python tests/dashboard/serve_fake.py --peers 100`.
"""

import hashlib
import itertools
import math
import random
from typing import Any

ROUND_S = 10.0
"""A round: 1 s waiting, 6 s training, 1 s contributions, 1 s aggregates, 1 s heads."""
LOST_AT_S = 24.0
BEGAN_UNIX_S = 1_790_000_000.0
MODEL_BYTES = 1_276_712


def peer_id(index: int) -> str:
    return "12D3KooW" + hashlib.sha256(f"peer {index}".encode()).hexdigest()[:44]


_SEVERITIES = {"lost": "error", "takeover": "warning", "rejected": "warning"}


class FakeRun:
    """`num_peers` peers in clusters of `cluster_size`; the last but one is lost at 24 s."""

    def __init__(
        self, num_peers: int = 6, cluster_size: int = 3, rounds: int = 12, stand_in: bool = True
    ) -> None:
        self.num_peers = num_peers
        self.cluster_size = cluster_size
        self.rounds = rounds
        self.stand_in = stand_in
        self.ids = [peer_id(index) for index in range(num_peers)]
        self.names = {peer: f"peer-{index + 1}" for index, peer in enumerate(self.ids)}
        self.lost = self.ids[-2]
        self.links = self._links()

    def at(self, moment_s: float) -> dict[str, Any]:
        """The snapshot at a moment; its version is the moment in milliseconds, plus one."""
        finished = moment_s >= self.rounds * ROUND_S
        round_number = min(self.rounds, int(moment_s / ROUND_S) + 1)
        within_s = ROUND_S if finished else moment_s % ROUND_S
        done = self.rounds if finished else round_number - 1
        clusters = self._clusters(round_number)
        phase = "finished" if finished else "training" if within_s < 7 else "aggregating"
        peers = self._peers(moment_s, round_number, within_s, clusters, finished)
        running = [p["train_accuracy"] for p in peers if p["phase"] == "training"]
        training = [accuracy for accuracy in running if accuracy is not None]
        curves = self._curves(done)
        return {
            "version": int(moment_s * 1000) + 1,
            "session": self._session(),
            "round": round_number,
            "phase": phase,
            "finished": finished,
            "elapsed_s": min(moment_s, self.rounds * ROUND_S),
            "head": self._head(done, clusters),
            "global": {
                "accuracy": curves["global"][-1]["accuracy"] if done else None,
                "loss": curves["global"][-1]["loss"] if done else None,
                "round": done or None,
            },
            "training": {
                "accuracy": sum(training) / len(training) if training else None,
                "points": [],
            },
            "time_left_s": None
            if finished or moment_s < 2
            else self.rounds * ROUND_S - round(moment_s),
            "peers": peers,
            "past_peers": [],
            "clusters": clusters,
            "links": [
                link
                for link in self.links
                if moment_s < LOST_AT_S or self.lost not in link.values()
            ],
            "flows": [] if finished else self._flows(moment_s, within_s, clusters),
            "curves": curves,
            "events": self._events(moment_s, finished),
            "observer": {"peer_id": peer_id(-1), "connected": self.num_peers},
            "observers": [{"id": peer_id(-1), "num_links": self.num_peers, "me": True}],
            "alerts": self.alerts(moment_s),
            "history": {"first_round": 0, "last_round": done, "complete": True},
            "operator": {
                "enabled": False,
                "operator_id": None,
                "run_state": "running",
                "agreed": True,
                "drop_threshold": 0.1,
                "removed": [],
                "commands": [],
            },
            "studies": [],
            "ensembles": [],
        }

    def alerts(self, moment_s: float) -> list[dict[str, Any]]:
        """The alerts, oldest first."""
        told: list[tuple[float, str, str, str, str]] = [
            (LOST_AT_S, "lost", "error", self.lost, f"{self.names[self.lost]} is lost"),
            (LOST_AT_S + 1, "takeover", "warning", self.ids[1], "peer-2 took over cluster 1"),
        ]
        if self.num_peers > 3:
            why = "update norm 41.2 is over 10 times the median"
            text = f"peer-4's contribution was rejected: {why}"
            told.append((41.0, "rejected", "warning", self.ids[3], text))
        return [
            {
                "id": f"{kind} {at_s}",
                "kind": kind,
                "severity": severity,
                "peer": peer,
                "round": int(at_s / ROUND_S) + 1,
                "unix_s": BEGAN_UNIX_S + at_s,
                "text": text,
                "reporters": [self.ids[0]],
            }
            for at_s, kind, severity, peer, text in told
            if at_s <= moment_s
        ]

    def past(self, moment_s: float) -> list[dict[str, Any]]:
        """The past at a moment, round 0 first."""
        done = self.rounds if moment_s >= self.rounds * ROUND_S else int(moment_s / ROUND_S)
        return [self._round(number, moment_s) for number in range(done + 1)]

    def _round(self, number: int, moment_s: float) -> dict[str, Any]:
        asked = [p for p in self.ids if p != self.lost or number <= 3]
        named = [p for p in asked if p != self.lost or number <= 2]
        points = {p: _accuracy(number, self.ids.index(p)) for p in named}
        mean = _mean_point(number, self.num_peers)
        return {
            "round": number,
            "digest": hashlib.sha256(f"head {number}".encode()).hexdigest(),
            "author": self._clusters(number)[-1]["aggregator"],
            "term": 0,
            "unix_s": BEGAN_UNIX_S + number * ROUND_S,
            "cohort": asked,
            "contributors": [
                {"peer": p, "num_examples": 8333, "duration_s": 6.0, "staleness": 0}
                for p in (named if number else [])
            ],
            "absent": [p for p in asked if p not in named] if number else [],
            "merged_examples": 0,
            "accuracy": mean["accuracy"],
            "loss": mean["loss"],
            "metrics": [
                {"peer": p, "accuracy": a, "loss": _loss(a), "num_examples": 1000}
                for p, a in points.items()
            ],
            "clusters": self._clusters(number) if number else [],
            "alerts": [a for a in self.alerts(moment_s) if a["round"] == number],
        }

    def _session(self) -> dict[str, Any]:
        return {
            "id": hashlib.sha256(b"fake session").hexdigest(),
            "model": "cnn",
            "dataset": "synthetic10" if self.stand_in else "cifar10",
            "dataset_label": "synthetic10" if self.stand_in else "CIFAR-10",
            "stand_in": self.stand_in,
            "rounds": self.rounds,
            "cluster_size": self.cluster_size,
            "min_peers": self.num_peers,
        }

    def _head(self, done: int, clusters: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "digest": hashlib.sha256(f"head {done}".encode()).hexdigest(),
            "round": done,
            "author": clusters[-1]["aggregator"],
            "num_contributors": self.num_peers - (1 if done > 2 else 0),
        }

    def _clusters(self, round_number: int) -> list[dict[str, Any]]:
        """Balanced tier-1 clusters of consecutive peers, clustered again up to one root."""
        groups: list[list[str]] = _cut(self.ids, self.cluster_size)
        clusters: list[dict[str, Any]] = []
        tier, aggregators = 1, {}
        while True:
            cut = []
            for index, members in enumerate(groups):
                cluster_id = f"tier {tier} cluster {index}"
                able = [aggregators.get(member, member) for member in members]
                able = [peer for peer in able if peer != self.lost]
                aggregators[cluster_id] = able[round_number % len(able)]
                clusters.append(
                    {
                        "id": cluster_id,
                        "tier": tier,
                        "index": index,
                        "members": members,
                        "aggregator": aggregators[cluster_id],
                    }
                )
                cut.append(cluster_id)
            if len(cut) == 1:
                return clusters
            tier, groups = tier + 1, _cut(cut, self.cluster_size)

    def _links(self) -> list[dict[str, str]]:
        """Connect all peers with each other if they are few; else six connections per peer."""
        seeded = random.Random(7)  # noqa: S311 -- the same links every time
        links = set()
        for index, peer in enumerate(self.ids):
            others = self.ids[index + 1 :]
            chosen = others if self.num_peers <= 12 else seeded.sample(others, min(6, len(others)))
            links.update((peer, other) for other in chosen)
        return [{"source": source, "target": target} for source, target in sorted(links)]

    def _peers(
        self,
        moment_s: float,
        round_number: int,
        within_s: float,
        clusters: list[dict[str, Any]],
        finished: bool,
    ) -> list[dict[str, Any]]:
        tiers: dict[str, int] = {}
        for cluster in clusters:
            tiers[cluster["aggregator"]] = cluster["tier"]
        top = max(cluster["tier"] for cluster in clusters)
        home = {m: c["index"] for c in clusters if c["tier"] == 1 for m in c["members"]}
        standbys = {
            next(m for m in c["members"] if m != c["aggregator"] and m != self.lost)
            for c in clusters
            if c["tier"] == 1 and len(set(c["members"]) - {self.lost}) > 1
        }
        peers = []
        for index, peer in enumerate(self.ids):
            lost = peer == self.lost and moment_s >= LOST_AT_S
            speed = 1 + 0.25 * math.sin(index * 2.3)
            progress = 0.0 if within_s < 1 else min(1.0, (within_s - 1) / 6 * speed)
            phase = _peer_phase(within_s, progress, tiers.get(peer, 0), finished)
            role = "standby" if peer in standbys else "trainer"
            if peer in tiers:
                role = "root" if tiers[peer] == top else "aggregator"
            accuracy = _accuracy(round_number - 1 + (1 if finished else 0), index)
            state = "suspect" if peer == self.lost and moment_s >= LOST_AT_S - 2 else "alive"
            peers.append(
                {
                    "id": peer,
                    "name": self.names[peer],
                    "role": "trainer" if lost else role,
                    "tier": tiers.get(peer, 0),
                    "cluster": home.get(peer),
                    "state": "lost" if lost else state,
                    "phase": phase,
                    "progress": progress,
                    "round": 3 if lost else round_number,
                    "train_accuracy": None
                    if within_s < 1.2
                    else round(_accuracy(round_number - 0.6 + progress * 0.6, index) + 0.02, 4),
                    "train_loss": round(2.3 * math.exp(-0.13 * round_number), 4),
                    "accuracy": accuracy if round_number > 1 or finished else None,
                    "accuracy_round": round_number - (0 if finished else 1)
                    if round_number > 1 or finished
                    else None,
                    "loss": _loss(accuracy) if round_number > 1 or finished else None,
                    "num_examples": 8333 + index % 2,
                    "bytes_sent": int((round_number - 1) * MODEL_BYTES * (1 + tiers.get(peer, 0))),
                    "bytes_received": int((round_number - 1) * MODEL_BYTES * 1.2),
                    "seen_s_ago": round(moment_s - LOST_AT_S + 5) if lost else 0,
                    "rejections": 1 if index == 3 and round_number > 4 else 0,
                    "site": ("Bern", "Utrecht")[home[peer] % 2],
                    "addresses": [f"/ip4/10.0.0.{index % 250 + 1}/tcp/7001"],
                    "blob_bytes_sent": int((round_number - 1) * MODEL_BYTES * 0.9),
                    "data": {"label": "CIFAR-10", "num_train": 8333, "num_test": 1000},
                    "run_state": "running",
                    "refused_commands": 0,
                }
            )
        return peers

    def _flows(
        self, moment_s: float, within_s: float, clusters: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        aggregators = {cluster["id"]: cluster["aggregator"] for cluster in clusters}
        flows = []
        for cluster in clusters:
            for position, member in enumerate(cluster["members"]):
                peer = aggregators.get(member, member)
                if peer in (cluster["aggregator"], self.lost):
                    continue
                kind, up_s = "aggregate", 7.6 + 0.4 * cluster["tier"]
                if cluster["tier"] == 1:
                    kind, up_s = "contribution", 7.0 + 0.13 * position
                flows.append((up_s, peer, cluster["aggregator"], kind))
                down_s = 9.6 - 0.3 * cluster["tier"] + 0.05 * position
                flows.append((down_s, cluster["aggregator"], peer, "head"))
        base = int(moment_s / ROUND_S) * 10_000
        return [
            {
                "seq": base + number,
                "source": source,
                "target": target,
                "kind": kind,
                "size_bytes": MODEL_BYTES,
                "elapsed_s": round(moment_s - within_s + at_s, 3),
            }
            for number, (at_s, source, target, kind) in enumerate(sorted(flows))
            if 0 <= within_s - at_s <= 3
        ]

    def _curves(self, done: int) -> dict[str, Any]:
        def points(index: int) -> list[dict[str, Any]]:
            last = min(done, 2) if self.ids[index] == self.lost else done
            return [
                {"round": r, "accuracy": _accuracy(r, index), "loss": _loss(_accuracy(r, index))}
                for r in range(1, last + 1)
            ]

        everyone = [_mean_point(r, self.num_peers) for r in range(1, done + 1)]
        return {
            "global": everyone,
            "peers": {self.ids[i]: points(i) for i in range(self.num_peers)} if done else {},
        }

    def _events(self, moment_s: float, finished: bool) -> list[dict[str, Any]]:
        events: list[tuple[float, str, str]] = [
            (0.1 + index * 0.01, "joined", f"{self.names[peer]} joined")
            for index, peer in enumerate(self.ids)
        ]
        for number in range(1, self.rounds + 1):
            author = self.names[self._clusters(number)[-1]["aggregator"]]
            text = f"Round {number} is done: new global model by {author}"
            events.append((number * ROUND_S - 0.9, "head", text))
        events.append((LOST_AT_S, "lost", f"{self.names[self.lost]} is lost: no sign for 5 s"))
        events.append((LOST_AT_S + 1, "takeover", "peer-2 took over cluster 1 from peer-3"))
        if self.num_peers > 3:
            why = "update norm 41.2 is over 10 times the median"
            events.append((41.0, "rejected", f"peer-4's contribution to round 5: {why}"))
        if finished:
            events.append((self.rounds * ROUND_S, "finished", f"{self.rounds} rounds are done"))
        return [
            {
                "seq": seq,
                "elapsed_s": at_s,
                "kind": kind,
                "text": text,
                "severity": _SEVERITIES.get(kind, "info"),
                "peer": self.lost if kind == "lost" else None,
                "round": int(at_s / ROUND_S) + 1,
            }
            for seq, (at_s, kind, text) in enumerate(sorted(events))
            if at_s <= moment_s
        ][-200:]


def _cut(items: list[str], size: int) -> list[list[str]]:
    count = math.ceil(len(items) / size)
    bounds = [round(index * len(items) / count) for index in range(count + 1)]
    return [items[a:b] for a, b in itertools.pairwise(bounds)]


def _peer_phase(within_s: float, progress: float, tier: int, finished: bool) -> str:
    if finished:
        return "finished"
    if within_s < 1:
        return "waiting"
    if within_s < 7 and progress < 1:
        return "training"
    if within_s < 7.2:
        return "evaluating"
    return "aggregating" if tier else "waiting"


def operated(snapshot: dict[str, Any], state: str, **command: Any) -> dict[str, Any]:
    """The operator's part of a snapshot with one command and its state."""
    ids = [peer["id"] for peer in snapshot["peers"]]
    given = {
        "id": "a",
        "action": "pause",
        "peer": None,
        "value": None,
        "sequence": 1,
        "unix_s": 1_790_000_000.0,
        "expires_unix_s": 1_790_000_600.0,
        "state": state,
        "confirmed_by": ids if state == "confirmed" else ids[:2],
        "waiting_for": [] if state == "confirmed" else ids[2:],
    }
    return snapshot["operator"] | {"enabled": True, "commands": [given | command]}


def _accuracy(round_number: float, index: int) -> float:
    spread = 0.02 * math.sin(index * 1.7 + round_number)
    return round(0.1 + 0.62 * (1 - math.exp(-0.28 * max(0.0, round_number))) + spread, 4)


def _loss(accuracy: float) -> float:
    return round(2.4 * (1.02 - accuracy) ** 1.1, 4)


def _mean_point(round_number: int, num_peers: int) -> dict[str, Any]:
    values = [_accuracy(round_number, index) for index in range(num_peers)]
    accuracy = round(sum(values) / len(values), 4)
    return {"round": round_number, "accuracy": accuracy, "loss": _loss(accuracy)}
