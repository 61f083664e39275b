"""Mutants of what keeps rounds coming, with a bounded share of the work for everybody."""

from tests.simulation.mutants.mutant import Mutant

GOING_ON = (
    # G5: rounds keep coming while a quorum lives
    Mutant(
        "no-takeover-from-the-lost",
        "G5",
        "duty.py",
        "            peer in facts.given_up\n            or (now_s >= patience_s",
        "            False\n            or (now_s >= patience_s + 1000",
        ("root-dies", "aggregator-dies"),
    ),
    Mutant(
        "the-lost-are-waited-for",
        "G5",
        "presence.py",
        "return peer in self._unreachable or self._silent_s(peer, now_s) >= LOST_AFTER_S",
        "return False",
        ("half-dies", "trainer-dies", "root-dies"),
    ),
    Mutant(
        "no-deadline",
        "G5",
        "duty.py",
        "return not waiting or (now_s >= self._deadline_s and len(settled) >= quorum)",
        "return not waiting",
        ("very-slow-peer", "one-way-loss", "everything"),
    ),
    Mutant(
        "nothing-is-repeated",
        "G5",
        "round.py",
        "return [Publish(effect.topic, effect.message) for effect in self._announced]",
        "return []",
        ("lossy", "churn"),
    ),
    Mutant(
        "absent-weights-count-as-output",
        "G5",
        "duty.py",
        "output.author == peer and not blobs.absent(output.blob, now_s) for output in outputs",
        "output.author == peer for output in outputs",
        ("hostile-peer", "everything", "root-dies"),
    ),
    # G8: nothing a peer sends, receives or keeps grows with the swarm
    Mutant(
        "everybody-may-ask",
        "G8",
        "records.py",
        "return min(1.0, max(ADMISSION_MIN, spec.cohort_max / max(1.0, crowd)))",
        "return 1.0",
        ("calm",),
        ("--peers", "3000", "--rounds", "4"),
    ),
    Mutant(
        "weights-never-deleted",
        "G8",
        "weights.py",
        "recent = itertools.islice(lineage.ancestors(head), 2)",
        "recent = itertools.islice(lineage.ancestors(head), 2000)",
        ("calm",),
        ("--rounds", "150"),
    ),
)
