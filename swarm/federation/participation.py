"""Participation: this peer's part in the round on the held head, from its duties to a new head."""

from swarm.core.machine import Effect
from swarm.federation.effects import Combined, CombineFailed
from swarm.federation.heartbeats import Voice
from swarm.federation.round import Round, Sign
from swarm.federation.screening import Judging
from swarm.federation.shared_state import Situation


class Participation:
    """Gives the round what it needs to know, and takes in what the learner combined for it."""

    def __init__(self, situation: Situation, judging: Judging, voice: Voice, sign: Sign) -> None:
        self._situation = situation
        self._judging = judging
        self._voice = voice
        self._sign = sign

    def advance(self, current: Round, now_s: float) -> list[Effect]:
        """Do what is due in the current round."""
        situation, facts = self._situation, current.facts
        lineage = situation.lineage
        effects: list[Effect] = []
        facts.successors = [
            head for head in lineage.candidates() if head.parent == current.base.digest
        ]
        quarantined = self._judging.offences.all_quarantined(now_s)
        facts.quarantined = quarantined | situation.orders.removed
        if current.composing:
            effects, facts.mergeable = situation.branches.pursue(
                current.base, lineage, situation.blobs, situation.enquiries, now_s
            )
        num_duties = len(current.duties)
        effects += current.advance(situation.presence, situation.blobs, now_s)
        return effects + (self._voice.tune(current) if len(current.duties) > num_duties else [])

    def combined(self, event: Combined, now_s: float) -> list[Effect]:
        """Announce what was combined: an aggregate, or the next head."""
        situation, current = self._situation, self._situation.round
        situation.blobs.arrived(event.blob, now_s)
        if current is None or event.base != current.base.digest:
            return []
        effects = self._judging.blame(event, now_s)
        joiners = frozenset(situation.newcomers.current(now_s))
        branches = situation.branches.tell()
        more, head = current.combined(event, joiners, branches, self._sign, now_s)
        if head is not None:
            situation.lineage.add(head, trusted=False)
        return effects + more

    def combine_failed(self, event: CombineFailed, now_s: float) -> list[Effect]:
        """Go on without what failed a gate."""
        current = self._situation.round
        if current is None or event.base != current.base.digest:
            return []
        self._judging.rejections += len(event.rejected)
        return current.combine_failed(event, now_s)
