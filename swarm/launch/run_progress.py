"""RunProgress: the state of a run, derived from the peers' log lines alone.

It also decides which events become messages for users, so that a terminal and a plain pipe show
the same. It does no input or output and reads no clock.
"""

import math
from dataclasses import dataclass, field
from itertools import pairwise

from swarm.core.ids import with_names
from swarm.core.session import dataset_label
from swarm.launch.log_lines import LogLine
from swarm.peer.processes.cores import used
from swarm.watching.federation.pace import seconds_left

LAST_WORDS_MAX = 500


class Detail(str):
    """A message that a live view leaves out, because the view shows the same."""

    __slots__ = ()


@dataclass(slots=True)
class PeerProgress:
    """One peer at this moment."""

    name: str
    phase: str = "starting"
    peer_id: str = ""
    fraction: float = 0.0
    """Finished share of this round's training, 0 to 1."""
    train_accuracy: float | None = None
    accuracy: float | None = None
    """Accuracy of the newest head that it evaluated, on its own test examples."""
    accuracy_round: int = 0
    """Round of that head; 0 is the untrained model."""
    num_train: int = 0
    finished: bool = False
    """Whether it has evaluated the last head."""
    exit_code: int | None = None
    last_words: str = ""
    """The newest line about an error."""

    @property
    def alive(self) -> bool:
        """Whether its process is running."""
        return self.exit_code is None


@dataclass(frozen=True, slots=True)
class GlobalAccuracy:
    """Accuracy of a round's head on the peers' test examples; each example counts once."""

    round: int
    accuracy: float
    num_peers: int
    num_examples: int


@dataclass(slots=True)
class _Evaluations:
    """The evaluations of one head: accuracy and number of examples, by peer."""

    by_peer: dict[str, tuple[float, int]] = field(default_factory=dict)
    announced: bool = False

    def mean(self, round_number: int) -> GlobalAccuracy:
        num_examples = sum(n for _, n in self.by_peer.values())
        total = sum(accuracy * n for accuracy, n in self.by_peer.values())
        return GlobalAccuracy(
            round_number, total / max(num_examples, 1), len(self.by_peer), num_examples
        )


class RunProgress:
    """Turns log lines into messages for users and into the state of a live view."""

    def __init__(self, names: list[str], rounds: int) -> None:
        self.peers = {name: PeerProgress(name) for name in names}
        self.rounds = self._planned_rounds = rounds
        self.session: str | None = None
        self.head_round: int | None = None
        """Round of the newest head; None before the first head."""
        self.page = ""
        """The dashboard's address, once it is live."""
        self._now_s = 0.0
        self._began_s: list[float] = []
        """When each round began: when its base was first adopted."""
        self._evaluations: dict[int, _Evaluations] = {}
        self._names: dict[str, str] = {}
        self._seen: set[str] = set()
        self._handlers = {
            "listening": self._listening,
            "session": self._session,
            "preparing": self._preparing,
            "downloading": self._preparing,
            "ready": self._ready,
            "training": self._training,
            "trained": self._trained,
            "evaluated": self._evaluated,
            "adopted": self._adopted,
            "ends": self._ends,
        }

    # -- what a view shows

    @property
    def alive(self) -> list[PeerProgress]:
        """The peers whose processes are running."""
        return [peer for peer in self.peers.values() if peer.alive]

    @property
    def finished(self) -> bool:
        """Whether all running peers have evaluated the last head."""
        return bool(self.alive) and all(peer.finished for peer in self.alive)

    @property
    def newest_accuracy(self) -> GlobalAccuracy | None:
        """The newest accuracy that was announced."""
        rounds = [r for r, evaluations in self._evaluations.items() if evaluations.announced]
        return self._evaluations[max(rounds)].mean(max(rounds)) if rounds else None

    @property
    def train_accuracy(self) -> float | None:
        """Mean of the peers' newest running accuracy on training examples."""
        known = [p.train_accuracy for p in self.peers.values() if p.train_accuracy is not None]
        return sum(known) / len(known) if known else None

    @property
    def stage(self) -> str:
        """The current stage of the run, in a few words."""
        if self.head_round is not None:
            if self.head_round >= self.rounds:
                busy = any(not peer.finished for peer in self.alive)
                return "evaluating the final model" if busy else "done"
            return f"round {self.head_round + 1} of {self.rounds}"
        phases = [peer.phase for peer in self.alive]
        num_ready = sum(phase == "ready" for phase in phases)
        if num_ready or "loading" in phases:
            return f"workers load TensorFlow and the data: {num_ready} of {len(self.peers)} ready"
        return "peers are starting"

    # -- what goes in

    def seconds_left(self, now_s: float) -> float | None:
        """Estimated seconds until the last round is done; None while the pace is unknown.

        Args:
            now_s: Seconds on the clock of `take_line`.
        """
        if self.head_round is None or not self.alive:
            return None
        progress = sum(peer.fraction for peer in self.alive) / len(self.alive)
        began = self._began_s
        durations_s = [later - earlier for earlier, later in pairwise(began)]
        num_left = self.rounds - self.head_round
        return seconds_left(num_left, durations_s, now_s - began[-1], progress)

    def take_line(self, name: str, line: LogLine, now_s: float = 0.0) -> list[str]:
        """Process one log line of a peer.

        Args:
            name: The peer.
            line: Its line.
            now_s: When the line came, in seconds on any clock that does not go back.

        Returns:
            Messages for the user.
        """
        peer = self.peers[name]
        if line.level in ("error", "critical") or line.event in ("job failed", "worker died"):
            peer.last_words = f"{line.event}: {line.text('reason') or line.text('detail')}"
        self._now_s = now_s
        handle = self._handlers.get(line.event, self._other)
        return handle(peer, line)

    def take_words(self, name: str, words: str) -> None:
        """Process another line than a log line: the last line of a traceback names the error."""
        if words.strip():
            self.peers[name].last_words = words.strip().removeprefix("error: ")[:LAST_WORDS_MAX]

    def end_peer(self, name: str, exit_code: int) -> list[str]:
        """Process the end of a peer's process; return messages for the user."""
        peer = self.peers[name]
        peer.exit_code = exit_code
        if exit_code == 0:
            peer.phase = "left"
            return self._accuracies_complete()
        peer.phase = "died"
        how = f"killed by signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
        reason = f": {peer.last_words}" if peer.last_words else ""
        rest = len(self.alive)
        others = (
            f"; the other {rest} continue" if rest > 1 else "; one peer is left" if rest else ""
        )
        return [f"{name} has died ({how}){reason}{others}", *self._accuracies_complete()]

    def restart_peer(self, name: str) -> list[str]:
        """Process the restart of a peer that had ended; return messages for the user."""
        peer = self.peers[name]
        peer.exit_code, peer.phase, peer.last_words = None, "starting", ""
        return [f"{name} was started again"]

    # -- one event each

    def _listening(self, peer: PeerProgress, line: LogLine) -> list[str]:
        peer.phase, peer.peer_id = "listening", line.text("peer_id")
        self._names[peer.peer_id] = peer.name
        port = line.text("address").split("/tcp/")[-1].split("/")[0]
        text = f"{peer.name} listens on port {port}"
        return [text if self._first("listening") else Detail(text)]

    def _session(self, peer: PeerProgress, line: LogLine) -> list[str]:
        peer.phase = "loading"
        self.session = self.session or line.text("id")
        messages = []
        if self._first("session"):
            what = (
                f"{line.text('model')} on {line.text('dataset')}, {counted(self.rounds, 'round')}"
            )
            messages.append(f"session {line.text('id')[:12]} is open: {what}")
        outside = ("starting", "listening")
        if all(other.phase not in outside for other in self.alive) and self._first("all in"):
            messages.append(
                f"all {len(self.alive)} peers have joined the session; "
                "their workers now load TensorFlow and the data, which takes a while"
            )
        return messages

    def _preparing(self, peer: PeerProgress, line: LogLine) -> list[str]:
        return [f"{peer.name}: {line.text('detail')} ({line.text('percent')} %)"]

    def _ready(self, peer: PeerProgress, line: LogLine) -> list[str]:
        peer.phase, peer.num_train = "ready", int(line.number("num_train") or 0)
        num_ready = sum(other.phase == "ready" for other in self.peers.values())
        text = f"{peer.name} is ready with {peer.num_train:,} training examples"
        messages: list[str] = [Detail(f"{text} ({num_ready} of {len(self.peers)})")]
        if line.number("num_parameters") and self._first("parameters"):
            number = int(line.number("num_parameters") or 0)
            messages.append(f"the model has {number:,} parameters")
        if line.number("threads") and self._first("threads"):
            uses = used(int(line.number("threads") or 1), line.fields.get("gpus") or ())
            messages.append(f"each peer trains on {uses}; --threads N changes that")
        return messages

    def _training(self, peer: PeerProgress, line: LogLine) -> list[str]:
        peer.phase, peer.fraction = "training", (line.number("percent") or 0.0) / 100
        peer.train_accuracy = line.number("train_accuracy") or peer.train_accuracy
        mean = sum(other.fraction for other in self.alive) / len(self.alive)
        quarter = int(4 * mean)
        if quarter == 0 or not self._first(f"quarter {quarter} of {line.text('round')}"):
            return []
        accuracy = _percent(self.train_accuracy)
        text = f"{self.stage}: {mean:.0%} trained, training accuracy {accuracy}"
        left_s = self.seconds_left(self._now_s)
        return [Detail(text + (f", about {rough_duration(left_s)} left" if left_s else ""))]

    def _trained(self, peer: PeerProgress, line: LogLine) -> list[str]:
        peer.phase, peer.fraction = "waiting", 1.0
        peer.train_accuracy = line.number("train_accuracy")
        seconds, share = line.number("seconds") or 0.0, _percent(peer.train_accuracy)
        text = f"{peer.name} has trained for round {line.text('round')} in {seconds:.1f} s"
        return [Detail(f"{text}: training accuracy {share}")]

    def _evaluated(self, peer: PeerProgress, line: LogLine) -> list[str]:
        if (line.number("evaluated_round") or 0) >= self.rounds:
            peer.phase, peer.finished = "finished", True
        return self._take_evaluation(peer, line)

    def _ends(self, _peer: PeerProgress, line: LogLine) -> list[str]:
        """Note that the session ends with a head, which is adopted next."""
        number = int(line.number("round") or 0)
        early = number < self.rounds
        self.rounds = min(self.rounds, number)
        return [line.text("detail")] if early else []

    def _adopted(self, peer: PeerProgress, line: LogLine) -> list[str]:
        number, author = int(line.number("round") or 0), line.text("author")
        if number > self.rounds:  # a greater head took back that the session ended early
            self.rounds = self._planned_rounds
            for other in self.peers.values():
                other.finished = False
        if peer.alive:
            peer.phase = "evaluating" if number >= self.rounds else "training"
            peer.fraction = 0.0
        if self.head_round is not None and number <= self.head_round:
            return []
        self.head_round = number
        self._began_s.append(self._now_s)
        messages: list[str] = []
        if number > 0:
            messages.append(
                f"round {number} is done: {line.text('contributors')} of {line.text('cohort')} "
                f"contributions, combined by {self._name(author)}"
            )
        messages += self._accuracies_before(number - 1)
        if number < self.rounds:
            messages.append(Detail(f"round {number + 1} of {self.rounds} begins"))
        return messages

    def _other(self, peer: PeerProgress, line: LogLine) -> list[str]:
        detail = line.text("detail") or line.text("reason")
        match line.event:
            case "lost" if self.finished:
                return []
            case "lost" if self._first(f"lost {line.text('about')}"):
                return [f"{with_names(detail, self._name)}; the others go on without it"]
            case "takeover" | "rejected":
                return [with_names(detail, self._name)]
            case "job failed" | "worker died" | "not exported":
                return [f"{peer.name}: {line.event}: {detail}"]
            case "resumed":
                return [f"{peer.name} resumes at round {line.text('round')}"]
        return []

    # -- accuracies

    def _take_evaluation(self, peer: PeerProgress, line: LogLine) -> list[str]:
        accuracy, number = line.number("accuracy"), line.number("evaluated_round")
        if accuracy is None or number is None:
            return []
        peer.accuracy, peer.accuracy_round = accuracy, int(number)
        evaluations = self._evaluations.setdefault(int(number), _Evaluations())
        num_examples = int(line.number("num_test_examples") or 0)
        evaluations.by_peer[peer.name] = (accuracy, num_examples)
        return self._accuracies_complete()

    def _accuracies_complete(self) -> list[str]:
        """Announce the accuracy of each head that all running peers have evaluated."""
        alive = {peer.name for peer in self.alive}
        return [
            self._announce_accuracy(number)
            for number, evaluations in sorted(self._evaluations.items())
            if not evaluations.announced and alive <= evaluations.by_peer.keys()
        ]

    def _accuracies_before(self, round_number: int) -> list[str]:
        """Announce what is known about older heads: no further peer will evaluate them."""
        return [
            self._announce_accuracy(number)
            for number, evaluations in sorted(self._evaluations.items())
            if not evaluations.announced and number < round_number
        ]

    def _announce_accuracy(self, number: int) -> str:
        evaluations = self._evaluations[number]
        evaluations.announced = True
        mean = evaluations.mean(number)
        what = "the untrained model" if number == 0 else f"the model of round {number}"
        peers = counted(mean.num_peers, "peer")
        examples = f"on {mean.num_examples:,} test examples of {peers}"
        return f"test accuracy of {what}: {mean.accuracy:.1%} ({examples})"

    def _name(self, peer_id: str) -> str:
        return self._names.get(peer_id, peer_id[-8:])

    def _first(self, what: str) -> bool:
        """Return whether this is the first call with `what`."""
        is_first = what not in self._seen
        self._seen.add(what)
        return is_first


def session_title(model: str, dataset: str) -> str:
    """Describe which model is trained on which data set.

    Example:
        >>> session_title("cnn", "cifar10")
        'cnn on CIFAR-10'
    """
    return f"{model} on {dataset_label(dataset)}"


def counted(number: int, what: str) -> str:
    """Write a number with its noun.

    Example:
        >>> counted(1, "round"), counted(2, "round")
        ('1 round', '2 rounds')
    """
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def rough_duration(seconds: float) -> str:
    """Seconds in words that do not change at each look.

    Example:
        >>> rough_duration(42), rough_duration(150), rough_duration(7200)
        ('45 s', '3 min', '2.0 h')
    """
    if seconds < 90:
        return f"{5 * math.ceil(seconds / 5):.0f} s"
    return f"{math.ceil(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{share:.1%}"
