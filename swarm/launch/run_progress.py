"""Progress: what has happened in a run so far, from the peers' log lines alone.

Deciding what is worth a sentence is its job too. It does no input or output and reads no clock.
"""

from dataclasses import dataclass, field

from swarm.launch.log_lines import LogLine

LAST_WORDS_MAX = 500


@dataclass(slots=True)
class PeerProgress:
    """One peer at this moment."""

    name: str
    phase: str = "starting"
    peer_id: str = ""
    fraction: float = 0.0
    """How far the training of this round is."""
    train_accuracy: float | None = None
    num_train: int = 0
    finished: bool = False
    """It has evaluated the last head."""
    exit_code: int | None = None
    last_words: str = ""
    """The newest line that tells of a fault."""

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self.exit_code is None


@dataclass(slots=True)
class _Evaluations:
    """Who evaluated one head: accuracy and number of examples, by peer."""

    by_peer: dict[str, tuple[float, int]] = field(default_factory=dict)
    told: bool = False


class Progress:
    """Takes log lines in; gives sentences for people out."""

    def __init__(self, names: list[str], rounds: int) -> None:
        self.peers = {name: PeerProgress(name) for name in names}
        self.rounds = rounds
        self.session: str | None = None
        self.head_round: int | None = None
        """Of the newest head; None while there is none."""
        self._evaluations: dict[int, _Evaluations] = {}
        self._names: dict[str, str] = {}
        self._told: set[str] = set()
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
        }

    # -- how far it is

    @property
    def alive(self) -> list[PeerProgress]:
        """The peers whose processes run."""
        return [peer for peer in self.peers.values() if peer.alive]

    @property
    def finished(self) -> bool:
        """Whether every peer that runs has evaluated the last head."""
        return bool(self.alive) and all(peer.finished for peer in self.alive)

    @property
    def train_accuracy(self) -> float | None:
        """Mean over the peers of the newest running accuracy on training examples."""
        known = [p.train_accuracy for p in self.peers.values() if p.train_accuracy is not None]
        return sum(known) / len(known) if known else None

    # -- what goes in

    def take(self, name: str, line: LogLine) -> list[str]:
        """Take one log line of a peer.

        Returns:
            What is worth telling.
        """
        peer = self.peers[name]
        if line.level in ("error", "critical") or line.event in ("job failed", "worker died"):
            peer.last_words = f"{line.event}: {line.text('reason') or line.text('detail')}"
        handle = self._handlers.get(line.event, self._other)
        return handle(peer, line)

    def take_words(self, name: str, words: str) -> None:
        """Take a line that is no log line: the last one of a traceback says what was wrong."""
        if words.strip():
            self.peers[name].last_words = words.strip().removeprefix("error: ")[:LAST_WORDS_MAX]

    def end(self, name: str, exit_code: int) -> list[str]:
        """Take the end of a peer's process."""
        peer = self.peers[name]
        peer.exit_code = exit_code
        if exit_code == 0:
            peer.phase = "left"
            return self._accuracies_complete()
        peer.phase = "died"
        how = f"killed by signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
        reason = f": {peer.last_words}" if peer.last_words else ""
        rest = len(self.alive)
        others = f"the other {rest} go on" if rest > 1 else "one peer is left" if rest else ""
        told = [f"{name} has died ({how}){reason}" + (f"; {others}" if others else "")]
        return told + self._accuracies_complete()

    def restart(self, name: str) -> list[str]:
        """Take a further life of a peer that had ended."""
        peer = self.peers[name]
        peer.exit_code, peer.phase, peer.last_words = None, "starting", ""
        return [f"{name} was started again"]

    # -- one event each

    def _listening(self, peer: PeerProgress, line: LogLine) -> list[str]:
        peer.phase, peer.peer_id = "listening", line.text("peer_id")
        self._names[peer.peer_id] = peer.name
        port = line.text("address").split("/tcp/")[-1].split("/")[0]
        text = f"{peer.name} listens on port {port}"
        return [text]

    def _session(self, peer: PeerProgress, line: LogLine) -> list[str]:
        peer.phase = "loading"
        self.session = self.session or line.text("id")
        told = []
        if self._first("session"):
            what = (
                f"{line.text('model')} on {line.text('dataset')}, {counted(self.rounds, 'round')}"
            )
            told.append(f"session {line.text('id')[:12]} is open: {what}")
        outside = ("starting", "listening")
        if all(other.phase not in outside for other in self.alive) and self._first("all in"):
            told.append(
                f"all {len(self.alive)} peers are in the session; "
                "their workers load TensorFlow and data, which takes a while"
            )
        return told

    def _preparing(self, peer: PeerProgress, line: LogLine) -> list[str]:
        return [f"{peer.name}: {line.text('detail')} ({line.text('percent')} %)"]

    def _ready(self, peer: PeerProgress, line: LogLine) -> list[str]:
        peer.phase, peer.num_train = "ready", int(line.number("num_train") or 0)
        num_ready = sum(other.phase == "ready" for other in self.peers.values())
        text = f"{peer.name} is ready with {peer.num_train:,} training examples"
        told: list[str] = [f"{text} ({num_ready} of {len(self.peers)})"]
        if line.number("num_parameters") and self._first("parameters"):
            told.append(f"the model has {int(line.number('num_parameters') or 0):,} parameters")
        return told

    def _training(self, peer: PeerProgress, line: LogLine) -> list[str]:
        peer.phase, peer.fraction = "training", (line.number("percent") or 0.0) / 100
        peer.train_accuracy = line.number("train_accuracy") or peer.train_accuracy
        mean = sum(other.fraction for other in self.alive) / len(self.alive)
        quarter = int(4 * mean)
        if quarter == 0 or not self._first(f"quarter {quarter} of {line.text('round')}"):
            return []
        text = f"round {line.text('round')} of {self.rounds}: {mean:.0%} trained"
        return [f"{text}, training accuracy {_percent(self.train_accuracy)}"]

    def _trained(self, peer: PeerProgress, line: LogLine) -> list[str]:
        peer.phase, peer.fraction = "waiting", 1.0
        peer.train_accuracy = line.number("train_accuracy")
        told: list[str] = self._take_evaluation(peer, line)
        seconds, share = line.number("seconds") or 0.0, _percent(peer.train_accuracy)
        text = f"{peer.name} has trained for round {line.text('round')} in {seconds:.1f} s"
        told.append(f"{text}: training accuracy {share}")
        return told

    def _evaluated(self, peer: PeerProgress, line: LogLine) -> list[str]:
        peer.phase = "finished"
        peer.finished = (line.number("evaluated_round") or 0) >= self.rounds
        return self._take_evaluation(peer, line)

    def _adopted(self, peer: PeerProgress, line: LogLine) -> list[str]:
        number, author = int(line.number("round") or 0), line.text("author")
        if peer.alive:
            peer.phase = "evaluating" if number >= self.rounds else "training"
            peer.fraction = 0.0
        if self.head_round is not None and number <= self.head_round:
            return []
        self.head_round = number
        told: list[str] = []
        if number > 0:
            told.append(
                f"round {number} is done: {line.text('contributors')} of {line.text('cohort')} "
                f"contributions, combined by {self._name(author)}"
            )
        told += self._accuracies_before(number - 1)
        if number < self.rounds:
            told.append(f"round {number + 1} of {self.rounds} begins")
        return told

    def _other(self, peer: PeerProgress, line: LogLine) -> list[str]:
        detail = line.text("detail") or line.text("reason")
        match line.event:
            case "lost" if self.finished:
                return []
            case "lost" if self._first(f"lost {detail}"):
                return [f"{peer.name} has lost {self._name(detail)}"]
            case "takeover" | "rejected" | "job failed" | "worker died" | "not exported":
                return [f"{peer.name}: {line.event}: {detail}"]
            case "resumed":
                return [f"{peer.name} resumes at round {line.text('round')}"]
        return []

    # -- accuracies

    def _take_evaluation(self, peer: PeerProgress, line: LogLine) -> list[str]:
        accuracy, number = line.number("accuracy"), line.number("evaluated_round")
        if accuracy is None or number is None:
            return []
        evaluations = self._evaluations.setdefault(int(number), _Evaluations())
        num_examples = int(line.number("num_test_examples") or 0)
        evaluations.by_peer[peer.name] = (accuracy, num_examples)
        return self._accuracies_complete()

    def _accuracies_complete(self) -> list[str]:
        """Tell the accuracy of each head that everyone who runs has evaluated."""
        alive = {peer.name for peer in self.alive}
        return [
            self._tell_accuracy(number)
            for number, evaluations in sorted(self._evaluations.items())
            if not evaluations.told and alive <= evaluations.by_peer.keys()
        ]

    def _accuracies_before(self, round_number: int) -> list[str]:
        """Tell what is known of older heads: who has not evaluated them will not do so."""
        return [
            self._tell_accuracy(number)
            for number, evaluations in sorted(self._evaluations.items())
            if not evaluations.told and number < round_number
        ]

    def _tell_accuracy(self, number: int) -> str:
        evaluations = self._evaluations[number]
        evaluations.told = True
        num_examples = sum(n for _, n in evaluations.by_peer.values())
        total = sum(accuracy * n for accuracy, n in evaluations.by_peer.values())
        mean = total / max(num_examples, 1)
        what = "the untrained model" if number == 0 else f"the model of round {number}"
        peers = counted(len(evaluations.by_peer), "peer")
        whose = f"on {num_examples:,} test examples of {peers}"
        return f"test accuracy of {what}: {mean:.1%} ({whose})"

    def _name(self, peer_id: str) -> str:
        return self._names.get(peer_id, peer_id[-8:])

    def _first(self, what: str) -> bool:
        """Whether this is asked for the first time."""
        is_first = what not in self._told
        self._told.add(what)
        return is_first


def counted(number: int, what: str) -> str:
    """A number of things.

    Example:
        >>> counted(1, "round"), counted(2, "round")
        ('1 round', '2 rounds')
    """
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{share:.1%}"
