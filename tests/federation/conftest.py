"""A small session for tests: its records, and machines in any of its roles."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from swarm.core.blobs import BlobRef
from swarm.core.canonical import sha256_hex
from swarm.core.effects import BlobArrived
from swarm.core.ids import Digest, PeerId, RoundNumber, Term
from swarm.core.machine import Effect
from swarm.core.session import SessionSpec
from swarm.federation.best_head import best_of
from swarm.federation.durations import Deadline
from swarm.federation.duty import Duty
from swarm.federation.effects import LearnerReady, Started
from swarm.federation.federation import Federation
from swarm.federation.messages import Contribution
from swarm.federation.records import Aggregate, Contributor, GlobalModel
from swarm.federation.tree import Cluster, Tree, root_succession, succession
from swarm.federation.validity import peers_below, slow_among, tree_of

PEERS = tuple(PeerId(f"peer-{k}") for k in range(6))


def sign(digest: Digest) -> bytes:
    return f"signed {digest}".encode()


def blob(name: str, size_bytes: int = 10**6) -> BlobRef:
    return BlobRef(sha256_hex(name.encode()), size_bytes)


@dataclass
class Session:
    """Six peers, clusters of three, two tiers."""

    spec: SessionSpec = field(
        default_factory=lambda: SessionSpec(starter=PEERS[0], rounds=4, num_examples_max=1000)
    )
    peers: tuple[PeerId, ...] = PEERS
    initial: str = "initial"
    """Names head 0's weights: another name, another head 0 and other successions."""

    @property
    def head0(self) -> GlobalModel:
        return self.first(blob(self.initial))

    def first(self, initial: BlobRef, **fields: Any) -> GlobalModel:
        values: dict[str, Any] = {
            "session": self.spec.id,
            "parent": None,
            "round": RoundNumber(0),
            "term": Term(0),
            "examples_before": 0,
            "blob": initial,
            "cohort": self.peers,
            "contributors": (),
            "merged": (),
            "slow": (),
            "metrics": (),
            "author": self.spec.starter,
        }
        return GlobalModel(**{**values, **fields}).signed(b"s")

    def tree(self, head: GlobalModel) -> Tree:
        return tree_of(head, self.spec)

    def ranking(self, head: GlobalModel, cluster: Cluster) -> tuple[PeerId, ...]:
        return succession(head.digest, cluster, frozenset(head.slow))

    def child(self, parent: GlobalModel, term: int = 0, **fields: Any) -> GlobalModel:
        """A valid head on `parent`, by the peer at place `term`, less what `fields` changes."""
        contributors = fields.get("contributors") or self.contributors(parent, parent.cohort)
        values: dict[str, Any] = {
            "session": self.spec.id,
            "parent": parent.digest,
            "round": RoundNumber(parent.round + 1),
            "term": Term(term),
            "examples_before": parent.examples_before + parent.weight,
            "blob": blob(f"{parent.digest} {term} {fields.get('cohort')}"),
            "cohort": parent.cohort,
            "contributors": contributors,
            "merged": (),
            "slow": (),
            "metrics": (),
            "author": root_succession(parent.digest, self.tree(parent), frozenset(parent.slow))[
                term
            ],
        }
        values["best"] = best_of(parent, fields.get("metrics", ()))
        head = GlobalModel(**{**values, **fields})
        return replace(head, slow=fields.get("slow", slow_among(head, parent))).signed(b"s")

    def chain(self, length: int) -> list[GlobalModel]:
        heads = [self.head0]
        while len(heads) <= length:
            heads.append(self.child(heads[-1]))
        return heads

    def contributors(
        self, base: GlobalModel, peers: tuple[PeerId, ...], num_examples: int = 100
    ) -> tuple[Contributor, ...]:
        return tuple(Contributor(p, base.digest, num_examples, 4.0) for p in sorted(peers))

    def contribution(self, peer: PeerId, base: GlobalModel, **fields: Any) -> Contribution:
        values: dict[str, Any] = {
            "session": self.spec.id,
            "peer": peer,
            "base": base.digest,
            "num_examples": 100,
            "blob": blob(f"{peer} on {base.digest}"),
            "duration_s": 4.0,
            "metrics": None,
        }
        return Contribution(**{**values, **fields})

    def aggregate(
        self, cluster: Cluster, base: GlobalModel, term: int = 0, **fields: Any
    ) -> Aggregate:
        values: dict[str, Any] = {
            "session": self.spec.id,
            "base": base.digest,
            "tier": cluster.tier,
            "cluster": cluster.id,
            "term": Term(term),
            "blob": blob(f"{cluster.id} by {term}"),
            "contributors": self.contributors(base, peers_below(cluster)),
            "metrics": (),
            "joiners": (),
            "author": self.ranking(base, cluster)[term],
        }
        return Aggregate(**{**values, **fields}).signed(b"s")

    def machine(
        self, me: PeerId, *heads: GlobalModel, now_s: float = 0.0, ready: bool = True
    ) -> tuple[Federation, list[Effect]]:
        """A machine that holds the last of `heads`; the effects are those of adopting it."""
        machine = Federation(me, self.spec, sign)
        machine.handle(Started(), now_s)
        if ready:
            machine.handle(LearnerReady(), now_s)
        effects: list[Effect] = []
        for head in heads:
            machine.handle(head, now_s)
            effects = machine.handle(BlobArrived(head.blob), now_s)
        return machine, effects

    def duty(self, cluster: Cluster, base: GlobalModel, term: int, deadline_s: float) -> Duty:
        ranking = self.ranking(base, cluster)
        is_root = cluster == self.tree(base).root
        deadline = Deadline(0.0, deadline_s)
        return Duty(cluster, ranking, ranking[term], deadline, is_root=is_root)


@pytest.fixture
def session() -> Session:
    return Session()


@pytest.fixture
def head0(session: Any) -> GlobalModel:
    head: GlobalModel = session.head0
    return head


@pytest.fixture
def aggregator(session: Any, head0: GlobalModel) -> PeerId:
    """Term 0 of a tier-1 cluster, but not of the root."""
    root = session.ranking(head0, session.tree(head0).root)[0]
    firsts = [session.ranking(head0, c)[0] for c in session.tree(head0).tiers[0]]
    return next(peer for peer in firsts if peer != root)
