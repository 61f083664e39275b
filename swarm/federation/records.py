"""Records: heads and aggregates, and what they name.

Peers relay them, so they carry their author's signature over their digest.
"""

import statistics
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from swarm.core.blobs import BlobRef
from swarm.core.canonical import digest_of
from swarm.core.ids import ClusterId, Digest, PeerId, RoundNumber, SessionId, Term, Tier, is_digest
from swarm.core.machine import Event
from swarm.core.session import COHORT_MAX

CONTRIBUTORS_MAX = COHORT_MAX * 3 // 2
"""Most contributions that one record may name: the cohort's, and stale ones."""
SITE_MAX = 16
"""Characters of a site; a head repeats it for every contributor of the site."""
BRANCHES_MAX = 4
"""Most branches in one message; the others are announced later."""
_UNSIGNED = frozenset({"signature"})
_Record = TypeVar("_Record", "GlobalModel", "Aggregate")


@dataclass(frozen=True, slots=True)
class Metrics:
    """How the base head did on one peer's test shard."""

    peer: PeerId
    accuracy: float
    """Share of test examples classified correctly, 0 to 1."""
    loss: float
    """Mean cross-entropy, in nats."""
    num_examples: int

    def __post_init__(self) -> None:
        if not 0 <= self.accuracy <= 1:
            raise ValueError(f"accuracy must be in [0, 1], got {self.accuracy}")
        if not 0 <= self.loss < float("inf"):
            raise ValueError(f"loss must be finite and at least 0, got {self.loss}")
        if self.num_examples < 1:
            raise ValueError(f"num_examples must be at least 1, got {self.num_examples}")


@dataclass(frozen=True, slots=True)
class Contributor:
    """One contribution as an aggregate or a head names it; (peer, base) is its key."""

    peer: PeerId
    base: Digest
    num_examples: int
    duration_s: float
    """Seconds that the peer trained."""
    transfer_s: float = 0.0
    """Seconds that weights were on the network: its base's to it, and its own to the peer that
    combined them."""
    site: str = ""
    """The site that the peer names; peers of one site are clustered together."""

    def __post_init__(self) -> None:
        _check_digest("base", self.base)
        check_site(self.site)
        if self.num_examples < 1:
            raise ValueError(f"num_examples must be at least 1, got {self.num_examples}")
        if not 0 <= self.duration_s < float("inf"):
            raise ValueError(f"duration_s must be finite and at least 0, got {self.duration_s}")
        if not 0 <= self.transfer_s < float("inf"):
            raise ValueError(f"transfer_s must be finite and at least 0, got {self.transfer_s}")

    @property
    def key(self) -> tuple[PeerId, Digest]:
        """Identifies the contribution, which may count at most once in a lineage."""
        return self.peer, self.base


@dataclass(frozen=True, slots=True, order=True)
class HeadKey:
    """Place of a head in the head order: the greater key is newer or has more examples."""

    examples_before: int
    term: int
    digest: Digest

    def __post_init__(self) -> None:
        _check_digest("digest", self.digest)
        if self.examples_before < 0 or self.term < 0:
            raise ValueError("examples_before and term must be at least 0")


@dataclass(frozen=True, slots=True)
class Branch:
    """The last head of a lineage that was left for a greater one, and a peer that has it."""

    head: Digest
    holder: PeerId

    def __post_init__(self) -> None:
        _check_digest("head", self.head)


@dataclass(frozen=True, slots=True)
class Merged:
    """A branch as named by the head that merges it."""

    head: Digest
    num_examples: int
    """Its examples since the fork of the two lineages, or since the last merge."""

    def __post_init__(self) -> None:
        _check_digest("head", self.head)
        if self.num_examples < 1:
            raise ValueError(f"num_examples must be at least 1, got {self.num_examples}")


@dataclass(frozen=True, slots=True)
class Best:
    """The best measured model behind a head; see `best_head`."""

    round: RoundNumber
    accuracy: float
    """Over all test shards that measured it, 0 to 1."""
    blob: BlobRef
    num_since: int = 0
    """Models of later rounds that were measured; none was better."""

    def __post_init__(self) -> None:
        if self.round < 1 or self.num_since < 0:
            raise ValueError("round must be at least 1, num_since at least 0")
        if not 0 <= self.accuracy <= 1:
            raise ValueError(f"accuracy must be in [0, 1], got {self.accuracy}")


@dataclass(frozen=True)
class GlobalModel(Event):
    """A head: one global model, and what it was made of."""

    session: SessionId
    parent: Digest | None
    round: RoundNumber
    term: Term
    examples_before: int
    """Examples behind the parent in its lineage."""
    blob: BlobRef
    cohort: tuple[PeerId, ...]
    """The peers of the next round."""
    contributors: tuple[Contributor, ...]
    merged: tuple[Merged, ...]
    """The branch that was merged into this head; at most one."""
    slow: tuple[PeerId, ...]
    """Peers of the cohort that take no duty: slow ones, and ones that were not timed yet."""
    metrics: tuple[Metrics, ...]
    """How the parent did on the contributors' test shards."""
    author: PeerId
    admission: float = 1.0
    """Share of the peers outside the cohort that may ask to join; under 1 in large swarms."""
    best: Best | None = None
    """The best measured model of its lineage, its parent included."""
    signature: bytes = b""

    def __post_init__(self) -> None:
        if (self.parent is None) != (self.round == 0):
            raise ValueError(f"only head 0 has no parent, got round {self.round}")
        if self.round < 0 or self.term < 0 or self.examples_before < 0:
            raise ValueError("round, term and examples_before must be at least 0")
        for name in ("cohort", "metrics", "slow"):
            if len(getattr(self, name)) > COHORT_MAX:
                raise ValueError(f"{name} must have at most {COHORT_MAX} entries")
        if len(self.contributors) > CONTRIBUTORS_MAX:
            raise ValueError(f"contributors must have at most {CONTRIBUTORS_MAX} entries")
        if not self.cohort or len(self.members) < len(self.cohort):
            raise ValueError("cohort must be distinct peers, at least one")
        if len(self.keys) < len(self.contributors):
            raise ValueError("contributors must be distinct")
        if len(self.merged) > 1:
            raise ValueError(f"merged must have at most one entry, got {len(self.merged)}")
        if not 0 < self.admission <= 1:
            raise ValueError(f"admission must be in (0, 1], got {self.admission}")

    @cached_property
    def digest(self) -> Digest:
        """Digest of the record without its signature: the head's name."""
        return digest_of(self, without=_UNSIGNED)

    @cached_property
    def key(self) -> HeadKey:
        """Place in the head order."""
        return HeadKey(self.examples_before, self.term, self.digest)

    @cached_property
    def members(self) -> frozenset[PeerId]:
        """The cohort as a set."""
        return frozenset(self.cohort)

    @cached_property
    def keys(self) -> frozenset[tuple[PeerId, Digest]]:
        """Contributions that this head itself names."""
        return frozenset(c.key for c in self.contributors)

    @cached_property
    def weight(self) -> int:
        """Examples this head adds to its lineage; at least 1, so that a child beats its parent."""
        merged = sum(m.num_examples for m in self.merged)
        return max(1, merged + sum(c.num_examples for c in self.contributors))

    @cached_property
    def durations_s(self) -> dict[PeerId, float]:
        """Seconds of training and transfers by contributor.

        The longer one where the head names two contributions of a peer.
        """
        durations_s: dict[PeerId, float] = {}
        for c in self.contributors:
            whole_s = c.duration_s + c.transfer_s
            durations_s[c.peer] = max(whole_s, durations_s.get(c.peer, 0.0))
        return durations_s

    @cached_property
    def transfers_s(self) -> dict[PeerId, float]:
        """Seconds on the network by contributor; a part of `durations_s`."""
        transfers_s: dict[PeerId, float] = {}
        for c in self.contributors:
            transfers_s[c.peer] = max(c.transfer_s, transfers_s.get(c.peer, 0.0))
        return transfers_s

    @cached_property
    def sites(self) -> frozenset[tuple[PeerId, str]]:
        """The site of each peer of the cohort that contributed and named one; one site a peer."""
        said = sorted((c.peer, c.site) for c in self.contributors if c.site)
        return frozenset({peer: (peer, s) for peer, s in said if peer in self.members}.values())

    @cached_property
    def typical_duration_s(self) -> float | None:
        """Low median of the durations: half of the peers or fewer cannot stretch it."""
        return statistics.median_low(self.durations_s.values()) if self.contributors else None

    @property
    def total(self) -> int:
        """Examples in its lineage, its own included."""
        return self.examples_before + self.weight

    def signed(self, signature: bytes) -> "GlobalModel":
        """The same record with its author's signature."""
        return _with_signature(self, signature)


@dataclass(frozen=True)
class Aggregate(Event):
    """The combined weights of one cluster, announced one tier up."""

    session: SessionId
    base: Digest
    tier: Tier
    cluster: ClusterId
    term: Term
    blob: BlobRef
    contributors: tuple[Contributor, ...]
    metrics: tuple[Metrics, ...]
    joiners: tuple[PeerId, ...]
    author: PeerId
    branches: tuple[Branch, ...] = ()
    signature: bytes = b""

    def __post_init__(self) -> None:
        _check_digest("base", self.base)
        if not 1 <= len(self.contributors) <= CONTRIBUTORS_MAX:
            raise ValueError(f"contributors must be 1 to {CONTRIBUTORS_MAX}")
        if len(self.metrics) > COHORT_MAX or len(self.joiners) > COHORT_MAX:
            raise ValueError(f"metrics and joiners must have at most {COHORT_MAX} entries")
        check_branches(self.branches)
        if self.tier < 1 or self.term < 0:
            raise ValueError("tier must be at least 1, term at least 0")
        if len({c.key for c in self.contributors}) < len(self.contributors):
            raise ValueError("contributors must be distinct")

    @cached_property
    def digest(self) -> Digest:
        """Digest of the record without its signature."""
        return digest_of(self, without=_UNSIGNED)

    def signed(self, signature: bytes) -> "Aggregate":
        """The same record with its author's signature."""
        return _with_signature(self, signature)


def _with_signature(record: _Record, signature: bytes) -> _Record:
    signed = replace(record, signature=signature)
    vars(signed)["digest"] = record.digest  # it does not cover the signature, so it is still right
    return signed


def check_site(site: str) -> None:
    """Raise `ValueError` unless this is a site's label."""
    if len(site) > SITE_MAX or not (site.isascii() and site.isprintable()):
        raise ValueError(
            f"site must be at most {SITE_MAX} printable ASCII characters, got {site!r:.80}"
        )


def _check_digest(name: str, digest: str) -> None:
    if not is_digest(digest):
        raise ValueError(f"{name} must be 64 hexadecimal characters, got {digest!r:.80}")


def check_branches(branches: tuple[Branch, ...]) -> None:
    """Raise `ValueError` if these are too many for one message."""
    if len(branches) > BRANCHES_MAX:
        raise ValueError(f"branches must have at most {BRANCHES_MAX} entries")
