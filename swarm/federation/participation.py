"""Participation: this peer's part in the round on the held head, from its duties to a new head."""

from swarm.core.machine import Effect
from swarm.federation.effects import Combined, CombineFailed
from swarm.federation.heartbeats import Heartbeats
from swarm.federation.round import Round, Sign
from swarm.federation.round_view import RoundView
from swarm.federation.screening import Screening
from swarm.federation.shared_state import SharedState


class Participation:
    """Builds the round's view of what is known, and takes what the learner combined for it."""

    def __init__(
        self, shared: SharedState, screening: Screening, heartbeats: Heartbeats, sign: Sign
    ) -> None:
        self._shared = shared
        self._screening = screening
        self._heartbeats = heartbeats
        self._sign = sign

    def advance(self, current: Round, now_s: float) -> list[Effect]:
        """Do what is due in the current round."""
        shared = self._shared
        effects: list[Effect] = []
        if current.composing:
            effects = shared.branches.prepare_merge(
                current.base, shared.lineage, shared.blobs, shared.head_holders, now_s
            )
        num_duties = len(current.duties)
        view = self._view(current, now_s)
        effects += current.advance(view, shared.presence, shared.blobs, now_s)
        return effects + (
            self._heartbeats.listen(current) if len(current.duties) > num_duties else []
        )

    def combined(self, event: Combined, now_s: float) -> list[Effect]:
        """Announce what was combined: an aggregate, or the next head."""
        shared, current = self._shared, self._shared.round
        if current is None or event.base != current.base.digest:
            return []
        effects = self._screening.blame(event, now_s)
        joiners = frozenset(shared.joiners.current(now_s))
        branches = shared.branches.to_announce()
        more, head = current.combined(event, joiners, branches, self._sign, now_s)
        if head is not None:
            effects += shared.exchange.learn(head, shared.me, now_s)
        return effects + more

    def combine_failed(self, event: CombineFailed, now_s: float) -> list[Effect]:
        """Go on without the inputs that failed a gate."""
        current = self._shared.round
        if current is None or event.base != current.base.digest:
            return []
        self._screening.count(len(event.rejected))
        return current.combine_failed(event, now_s)

    def _view(self, current: Round, now_s: float) -> RoundView:
        shared, base = self._shared, current.base.digest
        quarantined = self._screening.violations.all_quarantined(now_s)
        return RoundView(
            window=current.window,
            contributions=current.announced.contributions,
            stale=current.announced.stale,
            aggregates=current.announced.aggregates,
            stragglers=current.stragglers,
            given_up=current.given_up,
            quarantined=quarantined | shared.registers.removed,
            successors=tuple(h for h in shared.lineage.candidates() if h.parent == base),
            claimed=shared.branches.claimed,
            mergeable=shared.branches.mergeable,
            efforts=current.efforts,
            overtaken=shared.overtaken,
        )
