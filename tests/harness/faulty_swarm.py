"""A swarm of real processes with roles, faults and measured outcomes."""

import contextlib
import os
import signal
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import psutil

from swarm.core.ids import PeerId
from swarm.core.session import SessionSpec
from swarm.federation.records import GlobalModel
from swarm.federation.tree import succession
from swarm.federation.validity import tree_of
from swarm.network.identity import load_or_create_identity
from swarm.peer.federation.session_folder import SessionFolder
from tests.harness.lineages import find_head
from tests.harness.swarm_processes import Line, PeerProcess, SwarmProcesses, now_s

DIGITS_SESSION = (
    *("--dataset", "digits", "--model", "cnn", "--rounds", "100000"),
    *("--local-epochs", "8", "--batch-size", "16"),
)
"""Endless rounds of a second or two, with weights too large to travel in announcements."""
ROUND_WITHIN_S = 90.0
READY_WITHIN_S = 180.0
"""Time for six TensorFlow imports at once on two busy cores."""
ATTEMPTS_MAX = 20
"""Number of rounds in which to catch a peer before it contributes."""


@dataclass(frozen=True, slots=True)
class Awaited:
    """A moment in a round: all peers have contributed except the held-back ones."""

    head: GlobalModel
    """The base of the round."""
    held_back: tuple[int, ...]
    others: tuple[int, ...]
    since_s: float
    """When the last of the other peers contributed."""


@dataclass(frozen=True, slots=True)
class Closed:
    """How a round ended."""

    first_s: float
    """When the first peer adopted the next head."""
    all_s: float
    """When all peers in question had adopted it, or a later one."""
    noticed_s: Mapping[PeerId, float]
    """By lost peer: when the last of the others gave it up during the round."""


class FaultySwarm(SwarmProcesses):
    """Peers that can be killed, frozen, held back and restarted; events time the faults."""

    def __init__(
        self,
        num_peers: int,
        session: Iterable[str] = DIGITS_SESSION,
        peer_options: Iterable[str] = (),
        *,
        start: int | None = None,
    ) -> None:
        started = num_peers if start is None else start
        min_peers = ("--min-peers", str(started))
        super().__init__(num_peers, [*session, *min_peers], [*peer_options], start=start)
        self._ids: dict[int, PeerId] = {}
        self._frozen: set[int] = set()

    # -- identities

    def peer_id(self, index: int) -> PeerId:
        """The peer id of a peer that was started."""
        if index not in self._ids:
            self._ids[index] = load_or_create_identity(self.state_dir(index)).peer_id
        return self._ids[index]

    def index_of(self, peer: PeerId) -> int:
        """The index of the peer with this id."""
        return next(i for i in range(len(self.peers)) if self.peer_id(i) == peer)

    def ids(self, indices: Iterable[int]) -> set[PeerId]:
        """The ids of several peers."""
        return {self.peer_id(index) for index in indices}

    @property
    def running(self) -> tuple[int, ...]:
        """Indices of peers whose process runs, frozen or not."""
        return tuple(p.index for p in self.peers if p.process.poll() is None)

    @property
    def spec(self) -> SessionSpec:
        """The session; known once the first peer has begun."""
        (folder,) = SessionFolder.all_in(self.state_dir(0), self.peer_id(0))
        spec = folder.load_spec()
        assert spec is not None
        return spec

    def roles(self, head: GlobalModel) -> dict[str, int]:
        """One peer for each role in the round on `head`."""
        tree, slow = tree_of(head, self.spec), frozenset(head.slow)
        root = succession(head.digest, tree.root, slow)[0]
        firsts = [succession(head.digest, cluster, slow)[0] for cluster in tree.tiers[0]]
        trainers = [peer for peer in head.cohort if peer not in firsts]
        aggregators = [peer for peer in firsts if peer != root]
        found = {"root": root, "aggregator": aggregators[0], "trainer": trainers[0]}
        return {role: self.index_of(peer) for role, peer in found.items()}

    # -- what the logs say

    def newest(self, index: int) -> Line | None:
        """The log line in which a peer adopted the head it holds."""
        adopted = [line for line in self.peers[index].lines if line.event == "adopted"]
        return adopted[-1] if adopted else None

    def wait_common_head(
        self,
        indices: Collection[int],
        cohort: Collection[int] | None = None,
        *,
        after_round: int = -1,
        timeout_s: float = ROUND_WITHIN_S,
    ) -> GlobalModel:
        """Wait until these peers hold the same head.

        Args:
            indices: The peers.
            cohort: If given, the head must name exactly these.
            after_round: The head must be of a later round.
            timeout_s: Longest time to wait.

        Raises:
            TimeoutError: It took longer.
        """
        found: list[GlobalModel] = []

        def agree() -> bool:
            newest = [self.newest(index) for index in indices]
            digests = {line.fields["head"] if line else None for line in newest}
            if len(digests) > 1 or None in digests:
                return False
            head = find_head(self.state_dir(next(iter(indices))), digests.pop())
            if cohort is not None and set(head.cohort) != self.ids(cohort):
                return False
            found[:] = [head]
            return head.round > after_round

        what = f"head common to {list(indices)} after round {after_round}"
        self.wait_until(agree, timeout_s, what if cohort is None else f"{what} of {list(cohort)}")
        return found[0]

    def wait_adopted(
        self, indices: Iterable[int], round_number: int, timeout_s: float = ROUND_WITHIN_S
    ) -> dict[int, float]:
        """Wait until each of these peers holds a head of this round or later; return the times."""
        wanted = list(indices)
        self.wait_until(
            lambda: all(self._reached(index, round_number) for index in wanted),
            timeout_s,
            f"round {round_number} at {wanted}",
        )
        return {i: line.at_s for i in wanted if (line := self._reached(i, round_number))}

    def wait_adopted_after(
        self, indices: Collection[int], at_s: float, timeout_s: float = ROUND_WITHIN_S
    ) -> int:
        """Wait until each of these peers adopted a head after a moment; return the least round."""
        rounds: dict[int, int] = {}

        def adopted() -> bool:
            for index in indices:
                newest = self.newest(index)
                if newest is not None and newest.at_s > at_s:
                    rounds[index] = newest.fields["round"]
            return len(rounds) == len(indices)

        self.wait_until(adopted, timeout_s, f"head after {at_s} at {list(indices)}")
        return min(rounds.values())

    def wait_named(self, index: int, after_round: int) -> GlobalModel:
        """Wait for a later head that names a contribution of this peer."""
        me, seen = self.peer_id(index), after_round
        while True:
            head = self.wait_common_head(self.running, after_round=seen)
            if me in {contributor.peer for contributor in head.contributors}:
                return head
            seen = head.round

    def _reached(self, index: int, round_number: int) -> Line | None:
        for line in self.peers[index].lines:
            if line.event == "adopted" and line.fields["round"] >= round_number:
                return line
        return None

    def wait_said(self, index: int, event: str, timeout_s: float, **fields: object) -> Line:
        """Wait for a log line of one peer in its current life."""
        lines = self.peers[index].lines

        def said() -> Line | None:
            return next(
                (x for x in lines if x.event == event and fields.items() <= x.fields.items()), None
            )

        self.wait_until(lambda: said() is not None, timeout_s, f"{event} from peer {index}")
        line = said()
        assert line is not None
        return line

    def wait_in_cohort(
        self, index: int, after_round: int, timeout_s: float = READY_WITHIN_S
    ) -> Line:
        """Wait until a peer, in its current life, adopted a later head that names it."""
        me, state_dir, lines = self.peer_id(index), self.state_dir(index), self.peers[index].lines
        found: list[Line] = []
        seen = 0

        def named() -> bool:
            nonlocal seen
            while seen < len(lines) and not found:
                line = lines[seen]
                seen += 1
                if line.event == "adopted" and line.fields["round"] > after_round:
                    head = find_head(state_dir, line.fields["head"])
                    found.extend([line] if me in head.cohort else [])
            return bool(found)

        self.wait_until(named, timeout_s, f"head that names peer {index}")
        return found[0]

    # -- faults

    def freeze(self, index: int) -> None:
        """SIGSTOP a peer and its worker, as if its machine hung."""
        self._frozen.add(index)
        _signal(self.peers[index].process.pid, signal.SIGSTOP)
        _signal(self.worker_pid(index), signal.SIGSTOP)

    def thaw(self, index: int) -> None:
        """Let a frozen or held-back peer continue."""
        _signal(self.worker_pid(index), signal.SIGCONT)
        _signal(self.peers[index].process.pid, signal.SIGCONT)
        self._frozen.discard(index)

    def thaw_if_frozen(self, index: int) -> None:
        """Let a peer continue that an interrupted experiment left frozen."""
        if index in self._frozen:
            self.thaw(index)

    def hold_back(self, index: int) -> None:
        """SIGSTOP only a peer's worker: the peer takes part but never finishes its training."""
        self._frozen.add(index)
        _signal(self.worker_pid(index), signal.SIGSTOP)

    def kill_worker(self, index: int) -> None:
        """SIGKILL a peer's worker."""
        _signal(self.worker_pid(index), signal.SIGKILL)

    def kill(self, index: int) -> None:
        """SIGKILL a peer; a worker that is frozen cannot see it and is killed as well."""
        pid = self.worker_pid(index) if index in self._frozen else None
        self._frozen.discard(index)
        super().kill(index)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):  # its fork server was faster
                _signal(pid, signal.SIGKILL)

    def worker_pid(self, index: int) -> int:
        """The worker of a peer that is ready."""
        ready = [line for line in self.peers[index].lines if line.event == "ready"]
        return int(ready[-1].fields["worker_pid"])

    def wait_awaited(self, roles: Collection[str]) -> Awaited:
        """Make a round in which all peers are done except those with these roles.

        They are held back from the moment when all hold its base. If one of them was faster, it
        continues, and the next round is tried.
        """
        tried = -1
        for _ in range(ATTEMPTS_MAX):
            head = self.wait_common_head(self.running, self.running, after_round=tried)
            tried = head.round
            held_back = tuple(dict.fromkeys(self.roles(head)[role] for role in roles))
            for index in held_back:
                self.hold_back(index)
            others = tuple(i for i in self.running if i not in held_back)
            done_s = self._wait_done(head, others)
            if done_s is not None and not any(self._contributed(i, head) for i in held_back):
                return Awaited(head, held_back, others, done_s)
            for index in held_back:
                self.thaw(index)
        raise TimeoutError(f"no {roles} could be held back in {ATTEMPTS_MAX} rounds")

    def _wait_done(self, head: GlobalModel, others: Collection[int]) -> float | None:
        """When all others had contributed to the round on `head`; None if it closed earlier."""
        done: list[float | None] = []

        def decided() -> bool:
            if any(self._reached(index, head.round + 1) for index in others):
                done[:] = [None]
                return True
            times = [self._contributed(index, head) for index in others]
            done[:] = [max((t for t in times if t is not None), default=None)]
            return None not in times

        self.wait_until(decided, ROUND_WITHIN_S, f"contributions of {list(others)}")
        return done[0]

    def _contributed(self, index: int, head: GlobalModel) -> float | None:
        for line in reversed(self.peers[index].lines):
            if line.event == "contributed" and line.fields["round"] == head.round + 1:
                return line.at_s
        return None

    def wait_closed(self, awaited: Awaited, indices: Collection[int] | None = None) -> Closed:
        """Wait until the round on a head is over at these peers; by default all not held back."""
        head = awaited.head
        times = self.wait_adopted(indices or awaited.others, head.round + 1)
        all_s = max(times.values())
        noticed: dict[PeerId, float] = {}
        for index in times:
            for line in self.peers[index].lines:
                if line.event == "lost" and awaited.since_s <= line.at_s <= all_s:
                    peer = PeerId(line.fields["about"])
                    noticed[peer] = max(line.at_s, noticed.get(peer, 0.0))
        return Closed(min(times.values()), all_s, noticed)

    def stop_frozen(self) -> None:
        """Kill frozen peers, which could not end by themselves."""
        for index in list(self._frozen):
            self.kill(index)

    def __exit__(self, *error: object) -> None:
        self.stop_frozen()
        super().__exit__(*error)  # type: ignore[arg-type]


def resident_bytes(pid: int) -> int:
    """Memory of one process, in bytes."""
    return int(psutil.Process(pid).memory_info().rss)


def _signal(pid: int, number: signal.Signals) -> None:
    os.kill(pid, number)


__all__ = ["Awaited", "Closed", "FaultySwarm", "PeerProcess", "now_s", "resident_bytes"]
