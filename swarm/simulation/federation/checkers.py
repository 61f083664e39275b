"""Checkers: what must hold after every event of a simulated session, and at its end."""

import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from swarm.core.ids import Digest, PeerId
from swarm.federation.records import GlobalModel
from swarm.federation.validity import tree_of
from swarm.simulation.checks import CheckError, require
from swarm.simulation.federation.arithmetic import Heads, WrongHeadError
from swarm.simulation.federation.command_checks import CommandChecks
from swarm.simulation.federation.peers import SessionPeer
from swarm.simulation.federation.simulator import SessionSimulator
from swarm.simulation.federation.traffic import budget
from swarm.watching.federation.alerts import alerts_of

TIMED_BY_ROUND = 4
"""Round by which the weights of each peer have been timed on its link."""
FAILURES_MAX = 3
TICK_S = 1.0
"""Seconds between checks that nothing takes too long."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a scenario promises beyond what always holds, and how long things may take."""

    round_s: float = 120.0
    """Some peer adopts a greater head within this many seconds."""
    agreement_s: float = 60.0
    """This many seconds after the last fault, all live peers have held one head ..."""
    agreement_rounds: int = 5
    """... and at most this number of rounds has passed."""
    typical_round_s: float | None = None
    """Half of the rounds take at most this long, once each peer has been timed."""
    sites: bool = False
    """Clusters hold peers of one site, except for one cluster at each border between sites."""
    quarantines: bool = False
    """Some peer quarantines the hostile peer before the end."""
    obedience_s: float = 0.0
    """Seconds after a command by which each peer follows it."""
    all_contribute: bool = False
    """Each head names a contribution of every member of its cohort."""
    undisturbed: bool = False
    """All peers live and work: no peer takes over, and no alert is more than a note."""
    only_silent_lost: bool = False
    """No peer says of another that it is lost, unless that one died or stood still."""
    first_round_whole: bool = False
    """The first round names a contribution of every member of its cohort."""
    merging_rounds: int | None = None
    """This many rounds after the last fault, all work that live peers held then is merged."""


@dataclass(slots=True)
class _Window:
    """Traffic counts of one peer when it adopted its head."""

    since_s: float
    num_sent: int
    num_received: int


class SessionCheckers:
    """Watches a session while it runs."""

    def __init__(self, simulator: SessionSimulator, limits: Limits | None = None) -> None:
        self.used: Counter[str] = Counter()
        """Greatest share of each bound on traffic that was used, in percent."""
        self._simulator = simulator
        self._limits = limits or Limits()
        self._heads = Heads(simulator.learner, simulator.spec)
        self._held: dict[PeerId, GlobalModel] = {}
        self._windows: dict[PeerId, _Window] = {}
        self._newest: GlobalModel | None = None
        self._newest_s = 0.0
        self._rounds_s: list[float] = []
        """Durations of rounds, without the first ones."""
        self._known_at_last_fault: frozenset[Digest] | None = None
        self._held_at_last_fault: dict[PeerId, GlobalModel] = {}
        self._agreed = False
        self._commands = CommandChecks(simulator, self._limits.obedience_s)
        simulator.check = self.check
        simulator.clock.after(TICK_S, self._tick)

    def check(self, peer: SessionPeer) -> None:
        """Check a peer that has just started, died, adopted or measured a head.

        Raises:
            CheckError: A promise was broken.
        """
        head = peer.machine.held
        if head is not None and peer.name == self._simulator.plan.hostile:
            self._heads.remember(head)
        elif peer.name in self._simulator.astray:
            pass  # it had a liar as its only contact, and has no defence
        elif head is not None and head is not self._held.get(peer.name):
            self._check_adopted(peer, head)
            self._held[peer.name] = head
        self._agreed = self._agreed or (
            self._simulator.faults_over and self._simulator.census.agreed
        )

    def _tick(self) -> None:
        self._simulator.clock.after(TICK_S, self._tick)
        self._check_progress()
        for broken in self._commands.broken_now(self._newest_s):
            raise CheckError(broken)
        if self._simulator.faults_over:
            self._check_agreement()

    def check_end(self) -> None:
        """Check that every live peer is done, and that all hold one head.

        No honest peer ever announced two results of training from one base. No honest peer
        quarantines another.

        Raises:
            CheckError: A promise was broken.
        """
        simulator = self._simulator
        for broken in self._commands.broken_at_end(self._newest):
            raise CheckError(broken)
        for (name, _), blobs in simulator.announced.items():
            honest = name != simulator.plan.hostile
            require(
                not honest or len(blobs) <= 1,
                f"{name} announced {len(blobs)} results for one base",
            )
        for name, peer in simulator.live.items():
            accused = {str(n.about) for _, n in peer.notes if n.kind == "quarantined"}
            accused.discard(str(simulator.plan.hostile))
            require(not accused, f"{name} quarantines {', '.join(sorted(accused))}")
        if self._limits.quarantines:
            hostile = simulator.plan.hostile
            notes = [n for p in simulator.live.values() for _, n in p.notes]
            caught = any(n.kind == "quarantined" and n.about == hostile for n in notes)
            require(caught, f"no peer quarantines {hostile}")
        self._check_failing()
        undone = ", ".join(sorted(simulator.census.unsettled))
        require(not undone, f"not done by {simulator.now_s:.0f} s: {undone}")
        require(
            simulator.census.agreed,
            f"live peers hold {len(simulator.census.holders)} different heads",
        )
        if self._limits.only_silent_lost:
            said = {
                n.about for p in simulator.live.values() for _, n in p.notes if n.kind == "lost"
            }
            innocent = said - simulator.stood_still
            require(not innocent, f"lost, but always there: {', '.join(map(str, innocent))}")
        if self._limits.undisturbed and self._newest is not None:
            self._check_undisturbed(self._newest)
        typical_s = self._limits.typical_round_s
        if typical_s is not None:
            median_s = statistics.median(self._rounds_s)
            require(median_s <= typical_s, f"most rounds take over {median_s:.1f} s")
        if self._limits.merging_rounds is not None and self._newest is not None:
            self._check_merged(self._newest, self._limits.merging_rounds)

    def _check_failing(self) -> None:
        """Check that a peer whose training fails leaves after the third attempt, and says so."""
        name = self._simulator.plan.failing
        if name is None:
            return
        num_failures = self._simulator.peers[name].num_failures
        require(num_failures == FAILURES_MAX, f"{name} trained {num_failures} times in vain")
        require(name not in self._simulator.live, f"{name} cannot train, and stays")
        notes = [n for p in self._simulator.live.values() for _, n in p.notes]
        told = any(n.kind == "failed" and n.about == name for n in notes)
        require(told, f"no peer knows that {name} cannot train")

    def _check_undisturbed(self, last: GlobalModel) -> None:
        """Check that nothing is shown as wrong, as an observer of the whole run would see it."""
        live = self._simulator.live.values()
        chain = sorted(self._heads.past(last).values(), key=lambda head: -head.round)
        entries = [entry for peer in live for entry in peer.machine.ledger_entries]
        alerts = alerts_of(entries, chain, (), 1.0, self._simulator.spec)
        wrong = [alert.text for alert in alerts if alert.severity != "info"]
        require(not wrong, f"{len(wrong)} alerts, the first: {', '.join(wrong[:1])}")

    def _check_merged(self, last: GlobalModel, rounds: int) -> None:
        """Check that nothing is lost that can be merged.

        A branch cannot be merged if some contribution would then count twice, or if it merged a
        head that the lineage has merged too.
        """
        known = self._known_at_last_fault
        if known is None or self._heads.num_since(last, known) < rounds:
            return
        past = self._heads.past(last)
        for head in self._vouched_for():
            behind = self._heads.past(head)
            branch = [behind[digest] for digest in behind.keys() - past.keys()]
            keys = {c.key for step in branch for c in step.contributors}
            there = {c.key for step in past.values() for c in step.contributors}
            taken = {merged.head for step in branch for merged in step.merged}
            require(
                not branch or keys & there or taken & past.keys(),
                f"the last head lacks {len(branch)} heads behind {head.round} of {head.author}",
            )

    def _vouched_for(self) -> Iterator[GlobalModel]:
        """Heads held at the last fault that another peer than their author vouches for.

        If only its author held a head, its parent counts instead. A head that names only its
        author's contribution counts as it is: it cannot claim the work of others.
        """
        for name, head in self._held_at_last_fault.items():
            holders = {n for n, other in self._held_at_last_fault.items() if other == head}
            alone = {c.peer for c in head.contributors} == {head.author}
            if holders == {head.author} == {name} and not alone and head.parent is not None:
                yield self._heads.past(head)[head.parent]
            else:
                yield head

    def _check_adopted(self, peer: SessionPeer, head: GlobalModel) -> None:
        name, before = peer.name, self._held.get(peer.name)
        require(before is None or head.key >= before.key, f"{name} went down the head order")
        require(head.blob.digest in peer.store, f"{name} lacks the weights of its head")
        try:
            self._heads.admit(head)
        except WrongHeadError as error:
            raise CheckError(f"{error} (adopted by {name})") from error
        if self._limits.sites:
            self._check_sites(head)
        parent = self._heads.parent(head)
        whole = self._limits.all_contribute or (self._limits.first_round_whole and head.round == 1)
        if whole and parent is not None:
            missing = parent.members - {c.peer for c in head.contributors}
            require(not missing, f"head {head.round} is without {', '.join(sorted(missing))}")
        if before is not None or head.round == 0:
            self._check_traffic(peer, before or head)
        now_s = self._simulator.now_s
        self._windows[name] = _Window(now_s, peer.num_sent, peer.num_received)
        peer.contacts.clear()
        if self._simulator.spec.partition_policy == "majority" and name == head.author:
            self._check_majority(name, head)
        if self._newest is None or head.key > self._newest.key:
            if head.round > TIMED_BY_ROUND:
                self._rounds_s.append(now_s - self._newest_s)
            self._newest, self._newest_s = head, now_s

    def _check_majority(self, name: PeerId, head: GlobalModel) -> None:
        """Check that only the part with most of the cohort goes on during a partition.

        Contributions that came before the cut count, wherever their peers are now.
        """
        simulator, now_s = self._simulator, self._simulator.now_s
        cut = any(p.start_s <= now_s < p.end_s for p in simulator.plan.partitions)
        parent = self._heads.parent(head)
        if not cut or parent is None:
            return
        island = simulator.links.island(name)
        heard = {c.peer for c in head.contributors}
        heard |= {peer for peer in parent.cohort if simulator.links.island(peer) == island}
        votes = 2 * len(heard) + (min(parent.cohort) in heard)
        require(
            votes > len(parent.cohort),
            f"{name} composed head {head.round} with {len(heard)} of {len(parent.cohort)} peers",
        )

    def _check_sites(self, head: GlobalModel) -> None:
        """Check that sites are correct, and that few clusters hold peers of several sites."""
        simulator = self._simulator
        site_of = {c.peer: c.site for c in head.contributors}
        for peer, site in site_of.items():
            require(site == simulator.site_of(peer), f"{peer} is said to be at {site!r}")
        sites = [
            {site_of.get(peer, "") for peer in cluster.peers}
            for cluster in tree_of(head, simulator.spec).tiers[0]
        ]
        num_mixed, num_sites = sum(len(s) > 1 for s in sites), len(set().union(*sites))
        mixed = f"{num_mixed} clusters of head {head.round} hold peers of several sites"
        require(num_mixed < num_sites, f"{mixed}, of {num_sites}")

    def _check_traffic(self, peer: SessionPeer, base: GlobalModel) -> None:
        """Check the scale rule: nothing grows with the swarm."""
        simulator = self._simulator
        allowed = budget(base, simulator.spec)
        window = self._windows.get(peer.name) or _Window(0.0, 0, 0)
        elapsed_s = simulator.now_s - window.since_s
        used = {
            "sent": (peer.num_sent - window.num_sent, allowed.sent(elapsed_s)),
            "contacts": (len(peer.contacts), allowed.contacts),
            "blobs": (len(peer.store), allowed.blobs),
        }
        # Before head 0 only the starter can answer, so every peer asks it.
        if peer.name in self._windows or peer.name != simulator.starter:
            received = peer.num_received - window.num_received
            used["received"] = (received, allowed.received(elapsed_s))
        for what, (number, most) in used.items():
            self.used[what] = max(self.used[what], round(100 * number / most))
            require(
                number <= most,
                f"{peer.name}, {what}: {number} in a round of {elapsed_s:.1f} s, not {most:.0f}",
            )

    def _check_progress(self) -> None:
        """Check that some peer adopts a greater head in time, until the last round is done."""
        newest = self._newest
        done = newest is not None and newest.round >= self._simulator.spec.rounds
        done = done or (newest is not None and self._heads.is_stopped(newest))
        done = done or self._commands.stopped
        waited_s = self._simulator.now_s - self._newest_s
        if not done and waited_s > self._limits.round_s:
            number = self._newest.round + 1 if self._newest is not None else 0
            raise CheckError(f"round {number} takes {waited_s:.0f} s")

    def _check_agreement(self) -> None:
        """Check that all live peers hold one head soon after the last fault."""
        simulator = self._simulator
        if self._known_at_last_fault is None:
            self._known_at_last_fault = self._heads.known
            self._held_at_last_fault = {
                name: peer.machine.held
                for name, peer in simulator.live.items()
                if peer.machine.held
            }
        if self._agreed:
            return
        waited_s = simulator.now_s - simulator.faults_over_s
        # Not by round numbers: the lineage that loses may have more rounds, of fewer examples.
        rounds = (
            self._heads.num_since(self._newest, self._known_at_last_fault) if self._newest else 0
        )
        late = waited_s > self._limits.agreement_s or rounds > self._limits.agreement_rounds
        require(
            not late,
            f"{waited_s:.0f} s and {rounds} rounds after the last fault live peers hold "
            f"{len(simulator.census.holders)} different heads",
        )
