"""EnsembleSimulator: the members and askers of one ensemble in a simulated world."""

from collections.abc import Callable

from swarm.core.ids import Digest, PeerId
from swarm.core.machine import Effect, Event, Machine, TimerFired
from swarm.ensemble.asker import Asker
from swarm.ensemble.effects import (
    AskerStarted,
    FitRequested,
    LeaveRequested,
    MemberStarted,
    PromoteRequested,
    RollbackRequested,
    RowsChanged,
)
from swarm.ensemble.member import Member
from swarm.ensemble.member_settings import MemberSettings
from swarm.ensemble.messages import Payload, Question
from swarm.ensemble.records import Drift
from swarm.ensemble.spec import EnsembleSpec
from swarm.simulation.ensemble.agreement import disagreement
from swarm.simulation.ensemble.asker_work import STARTS_S, AskerWork, asker_names
from swarm.simulation.ensemble.faults import (
    ANY,
    DRIFT,
    FIT,
    FIT_ALL,
    LEAVE,
    PROMOTE,
    ROLLBACK,
    ROWS,
    EnsembleFaults,
    UserAction,
)
from swarm.simulation.ensemble.hostile import LyingMember
from swarm.simulation.ensemble.member_work import MemberWork
from swarm.simulation.ensemble.peers import AskerPeer, EnsemblePeer, MemberPeer
from swarm.simulation.world import SimulatedWorld

ROWS_ADDED = 20
QUIET_S = 20.0
"""Seconds after the last fault before a history may be over: time for what was missed."""
ASKED_UNTIL_S = 30.0
"""A history with askers is not over earlier: they know all members by then, and still ask."""
STRANGERS = (PeerId("stranger-0"), PeerId("stranger-1"))
"""They ask members; what is sent to them goes nowhere."""


class EnsembleSimulator(SimulatedWorld[EnsemblePeer]):
    """Runs an ensemble until no fault is left and all live members agree on all scores."""

    plan: EnsembleFaults

    def __init__(
        self,
        spec: EnsembleSpec,
        num_peers: int,
        plan: EnsembleFaults,
        seed: int,
        settings: MemberSettings,
    ) -> None:
        super().__init__(plan, num_peers, seed)
        self.check: Callable[[MemberPeer, Event, list[Effect]], None] = lambda *_: None
        """Called after each event of a member, with the effects that it asked for."""
        self.check_asker: Callable[[AskerPeer, Event, list[Effect]], None] = lambda *_: None
        """Called after each event of an asker."""
        self.spec = spec
        self.settings = settings
        self.delivery.by_name = True
        self.work = MemberWork(plan, self.clock, self._random, self._answer)
        self.asker_work = AskerWork(plan, self.clock, self._random, self._answer)
        self._carriers |= {**self.work.carriers, **self.asker_work.carriers}
        self._num_questions = 0
        self._event: Event | None = None
        for name in self.names:
            self.peers[name] = MemberPeer(name, self._member(name))
        self._begin([self._random.uniform(0.0, 2.0) for _ in range(num_peers)])
        for action in plan.actions:
            self._num_scheduled += 1
            self.clock.at(action.at_s, self._act, action)
        if plan.questions_per_s:
            self.clock.at(1.0, self._ask)
        for name in asker_names(plan.num_askers):
            self.peers[name] = AskerPeer(name, Asker(name, spec))
            self.clock.at(self._random.uniform(*STARTS_S), self._start, self.peers[name])

    @property
    def over(self) -> bool:
        """Whether no fault is left, and all live members know all of each other."""
        is_quiet = self.now_s >= self.faults_over_s + QUIET_S
        is_quiet = is_quiet and (not self.plan.num_askers or self.now_s >= ASKED_UNTIL_S)
        return is_quiet and not disagreement(self.members, self.spec)

    @property
    def members(self) -> list[MemberPeer]:
        """Live members that are not astray and have not left."""
        live = self.live.values()
        return [peer for peer in live if isinstance(peer, MemberPeer) and not peer.left]

    def _find_role(self, role: str) -> EnsemblePeer | None:
        if role == ANY:
            return self._random.choice(self.members) if self.members else None
        return self.peers.get(PeerId(role))

    # -- lives of peers

    def _machine(self, name: PeerId) -> Machine:
        if isinstance(self.peers[name], AskerPeer):
            return Asker(name, self.spec)
        return self._member(name)

    def _member(self, name: PeerId) -> Member:
        kind = LyingMember if name == self.plan.liar else Member
        return kind(name, self.spec, self.settings)

    def _start(self, peer: EnsemblePeer) -> None:
        self._revive(peer)
        self.links.start(peer.name)
        if isinstance(peer, MemberPeer):
            self._start_member(peer)
        elif isinstance(peer, AskerPeer):
            self._handle(peer, AskerStarted())
            self.asker_work.begin(peer)

    def _start_member(self, peer: MemberPeer) -> None:
        saved = peer.saved
        if saved is None:
            self._handle(peer, MemberStarted(peer.num_rows))
            return
        peer.store |= peer.files
        started = MemberStarted(
            peer.num_rows,
            saved.card,
            saved.champion,
            saved.challenger,
            saved.previous,
            saved.orders,
            saved.scores,
        )
        self._handle(peer, started)

    def _handle(self, peer: EnsemblePeer, event: Event) -> None:
        self._event = event
        super()._handle(peer, event)

    def _handled(self, peer: EnsemblePeer, effects: list[Effect]) -> None:
        event, lies = self._event, peer.name == self.plan.liar
        if event is not None and isinstance(peer, AskerPeer):
            self.check_asker(peer, event, effects)
        elif event is not None and isinstance(peer, MemberPeer) and not lies:
            self.check(peer, event, effects)
        self.progress = self.work.num_fitted
        self._schedule_due_faults()
        if isinstance(self._event, TimerFired) and self.over:
            self.clock.stop()

    # -- users

    def _act(self, action: UserAction) -> None:
        self._num_scheduled -= 1
        members = self.members
        peer = next((each for each in members if each.name == action.peer), None)
        if action.peer is None and members:
            peer = self._random.choice(members)
        if peer is not None and not peer.frozen:
            self._answer(peer, peer.life, self._action_event(peer, action.kind))
        self._note_faults_over()

    def _action_event(self, peer: MemberPeer, kind: str) -> Event:
        if kind in {ROWS, DRIFT}:
            peer.num_rows += ROWS_ADDED if kind == ROWS else 1
            drift = Drift(2.0, 1.0, "SalePrice") if kind == DRIFT else Drift()
            return RowsChanged(peer.num_rows, drift)
        if kind == LEAVE:
            peer.left = True
        return _EVENTS[kind]

    def _ask(self) -> None:
        """Let a stranger ask a member, until the faults are over."""
        members = self.members
        if members:
            peer = self._random.choice(members)
            owner = self._random.choice(members).name if self.spec.keep_models else peer.name
            self._num_questions += 1
            question = Question(
                self.spec.id,
                self._random.choice(STRANGERS),
                self._num_questions,
                owner,
                self._version_of(owner) if owner != peer.name else None,
                self._random.uniform(0.1, 2.0),
                Payload(self._random.randint(1, self.plan.question_rows_max), b"rows"),
            )
            self.delivery.transmit(peer, question)
        if not self.faults_over:
            self.clock.after(self._random.expovariate(self.plan.questions_per_s), self._ask)

    def _version_of(self, owner: PeerId) -> Digest | None:
        peer = self.peers[owner]
        champion = peer.machine.models.champion if isinstance(peer, MemberPeer) else None
        return champion.version if champion is not None else None


_EVENTS: dict[str, Event] = {
    FIT_ALL: FitRequested(everyone=True),
    FIT: FitRequested(),
    PROMOTE: PromoteRequested(),
    ROLLBACK: RollbackRequested(),
    LEAVE: LeaveRequested(),
}
