"""Checkers: what must hold after every event of a simulated study, and at its end."""

from collections import Counter
from dataclasses import dataclass

from swarm.core.effects import Send
from swarm.core.ids import PeerId
from swarm.core.machine import Effect
from swarm.search import messages
from swarm.search.effects import Note, RunTrial
from swarm.search.study_ledger import CANCELLED, DONE
from swarm.search.trial import FAILED, TrialId, TrialResult
from swarm.simulation.checks import CheckError
from swarm.simulation.search.execution import true_value
from swarm.simulation.search.peers import StudyPeer
from swarm.simulation.search.simulator import StudySimulator

TAKEOVER_S = 5.0
"""Seconds after a coordinator's death within which another peer coordinates."""

KILLED_MAX = 16
"""Most peers that one trial may kill: five workers, and sometimes the coordinator."""


@dataclass(frozen=True, slots=True)
class StudyLimits:
    """What a scenario promises beyond what always holds."""

    takeover_s: float | None = None
    """A dead coordinator is succeeded within this many seconds."""
    losses_max: int | None = 0
    """At most this number of leases is lost; None for no limit."""
    closes_within_s: float | None = None
    """Some peer knows that the study is over, this many seconds after its start."""
    resumes: bool = False
    """Trials of dead peers go on elsewhere, from their checkpoints."""
    prunes: bool = False
    """Some trial is stopped before its last epoch."""


class StudyCheckers:
    """Watches a study while it runs."""

    def __init__(self, simulator: StudySimulator, limits: StudyLimits) -> None:
        self.used: dict[str, int] = {}
        """Empty: a study has no bounds of which shares are reported."""
        self._simulator = simulator
        self._limits = limits
        self._recorded: dict[tuple[PeerId, int], dict[TrialId, TrialResult]] = {}
        self._inherited: dict[tuple[PeerId, int], set[TrialId]] = {}
        """Results that a peer restarted with; trials whose result it alone had are done again."""
        self._num_seen: Counter[tuple[PeerId, int]] = Counter()
        self._lost: Counter[TrialId] = Counter()
        self._leased_to: dict[TrialId, set[PeerId]] = {}
        self._closed = False
        self._coordinates_since_s: dict[tuple[PeerId, int], float] = {}
        """When each life of a peer last began to coordinate."""
        self._duel = False
        """Whether two live peers ever coordinated at the same time."""
        simulator.check = self.check

    def check(self, peer: StudyPeer, effects: list[Effect]) -> None:
        """Check a peer that has just handled an event.

        Raises:
            CheckError: A promise was broken.
        """
        self._note(peer, effects)
        if peer.name == self._simulator.plan.hostile:
            return
        self._check_recorded_once(peer)
        self._check_slots(peer)
        limit_s, now_s = self._limits.closes_within_s, self._simulator.now_s
        self._closed = self._closed or peer.machine.closed
        if limit_s is not None and now_s > limit_s and not self._closed:
            raise CheckError(f"the study is not over after {limit_s:.0f} s")

    def check_end(self) -> None:
        """Check that the study is over everywhere, nothing was lost, and no work was needless.

        Raises:
            CheckError: A promise was broken.
        """
        simulator = self._simulator
        if not simulator.over:
            raise CheckError(f"the study was not over everywhere: {self._states()}")
        ledger = next(iter(simulator.live.values())).machine.ledger
        spec, closed = simulator.spec, ledger.closed
        if closed is None:  # what `over` excludes
            raise CheckError("the ledger is open")
        expected = CANCELLED if simulator.plan.cancel_after_results is not None else DONE
        if closed.reason != expected:
            raise CheckError(f"the study was {closed.reason}, not {expected}")
        missing = [trial.number for trial in ledger.open_trials]
        if closed.reason == DONE and missing and not self._parted:
            raise CheckError(f"trials {missing} were proposed and have no result")
        number = len(ledger.results)
        if closed.reason == DONE and number < spec.num_trials:
            raise CheckError(f"{number} results of {spec.num_trials} trials")
        if number > spec.num_trials and not self._parted:
            raise CheckError(f"{number} results of only {spec.num_trials} trials")
        self._check_executions()
        self._check_promises()

    @property
    def _parted(self) -> bool:
        """Whether a peer may have proposed trials that others learned of only later."""
        came_back = any(peer.life > 1 for peer in self._simulator.peers.values())
        return self._duel or came_back

    def _note(self, peer: StudyPeer, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Note(kind="expired" | "orphaned", text=text):
                    self._lost[TrialId(text.split()[0])] += 1
                case Note(kind="coordinates"):
                    self._check_takeover(peer)
                case Send(target, messages.Leases() as message) if message.sender == peer.name:
                    for lease in message.leases:
                        self._leased_to.setdefault(lease.trial.id, set()).add(target)
                case RunTrial(trial) if peer.machine.coordinating is not None:
                    self._leased_to.setdefault(trial.id, set()).add(peer.name)

    def _check_takeover(self, peer: StudyPeer) -> None:
        simulator = self._simulator
        others = [p for p in simulator.live.values() if p is not peer]
        if not simulator.plan.parts_peers:
            self._check_needed(peer, others)
        self._duel = self._duel or any(p.machine.coordinating is not None for p in others)
        self._coordinates_since_s[peer.name, peer.life] = simulator.now_s
        lost_s, simulator.coordinator_lost_s = simulator.coordinator_lost_s, None
        limit_s = self._limits.takeover_s
        if lost_s is not None and limit_s is not None and simulator.now_s - lost_s > limit_s:
            late_s = simulator.now_s - lost_s
            raise CheckError(f"{peer.name} took over {late_s:.1f} s after the coordinator died")

    def _check_needed(self, peer: StudyPeer, others: list[StudyPeer]) -> None:
        """Check that no peer begins a term while all can hear the present coordinator.

        A coordinator of an older term does not count: it restarted without knowing the newer one.
        """
        now_s, heard_within_s = self._simulator.now_s, self._simulator.spec.lease_s
        before = peer.machine.coordinators.term - 1
        for other in others:
            since_s = self._coordinates_since_s.get((other.name, other.life), now_s)
            coordinates = other.machine.coordinating is not None
            if not coordinates or other.machine.coordinators.term < before:
                continue
            if now_s - since_s > heard_within_s:
                raise CheckError(
                    f"{peer.name} took over from {other.name}, which coordinated for "
                    f"{now_s - since_s:.1f} s"
                )

    def _check_recorded_once(self, peer: StudyPeer) -> None:
        ledger = peer.machine.ledger
        life = (peer.name, peer.life)
        if life not in self._recorded:
            self._inherited[life] = set(ledger.results)
        seen = self._recorded.setdefault(life, {})
        if len(ledger) == self._num_seen[life] and not self._simulator.plan.parts_peers:
            return
        self._num_seen[life] = len(ledger)
        for trial, result in ledger.results.items():
            former = seen.get(trial)
            if former is None:
                self._check_true(peer, result)
            elif former != result and not self._duel and trial not in self._inherited[life]:
                raise CheckError(f"{peer.name} changed the result of {trial}")
            seen[trial] = result
        if len(seen) > len(ledger.results):
            raise CheckError(f"{peer.name} forgot a result")

    def _check_true(self, peer: StudyPeer, result: TrialResult) -> None:
        """Check that a result is what an honest peer measures, or a liar's own leased trial."""
        if result.peer == self._simulator.plan.hostile:
            if result.peer not in self._leased_to.get(result.trial, set()):
                raise CheckError(
                    f"{peer.name} recorded {result.trial} of a peer that never had it"
                )
            return
        trial = peer.machine.ledger.trials[result.trial]
        epoch = max((point.epoch for point in result.curve), default=1)
        if result.state != FAILED and result.value != true_value(trial, epoch):
            raise CheckError(f"{peer.name} recorded {result.value} for {result.trial}")

    def _check_slots(self, peer: StudyPeer) -> None:
        if len(peer.running) > peer.slots:
            raise CheckError(f"{peer.name} runs {len(peer.running)} trials at once")

    def _check_executions(self) -> None:
        lost = self._lost.total()
        most = self._limits.losses_max
        if most is not None and lost > most and not self._duel:
            raise CheckError(f"{lost} leases were lost, at most {most} can have been")
        for trial, number in self._simulator.execution.starts.items():
            if number > 1 + self._lost[trial] and not self._duel:
                raise CheckError(
                    f"{trial} began {number} times, and {self._lost[trial]} leases were lost"
                )

    def _check_promises(self) -> None:
        ledger = next(iter(self._simulator.live.values())).machine.ledger
        lost = [r.trial for r in ledger.results.values() if "lost with" in r.error]
        given_up = {ledger.trials[trial].number for trial in lost}
        if given_up != {self._simulator.plan.poison_trial} - {None}:
            raise CheckError(f"trials {sorted(given_up)} were given up")
        starts = self._simulator.execution.starts
        poison_trials = [
            t for t in ledger.trials.values() if t.number == self._simulator.plan.poison_trial
        ]
        if any(starts[poison_trial.id] > KILLED_MAX for poison_trial in poison_trials):
            raise CheckError(f"one trial killed {[starts[k.id] for k in poison_trials]} peers")
        wasted = self._simulator.execution.wasted
        if self._limits.resumes and wasted:
            raise CheckError(f"{wasted} began anew in spite of their checkpoints")
        if self._limits.prunes and not any(r.state == "pruned" for r in ledger.results.values()):
            raise CheckError("no trial was stopped early")

    def _states(self) -> str:
        return "; ".join(
            f"{name}: {len(p.machine.ledger.results)} results, "
            f"{'closed' if p.machine.closed else 'open'}, term {p.machine.coordinators.term}"
            f"{', coordinates' if p.machine.coordinating is not None else ''}"
            for name, p in self._simulator.live.items()
        )
