"""PeerStatus: what this peer is doing in a session, for observers and for its report file."""

import math
from dataclasses import dataclass, field
from typing import Any

from swarm.core.data_summary import DataSummary
from swarm.core.ids import Digest, RoundNumber
from swarm.federation.best_head import ending
from swarm.federation.federation import Federation
from swarm.federation.messages import ADDRESSES_MAX, STATUS_TEXT_MAX, Status
from swarm.federation.records import Metrics
from swarm.learning.progress import Progress
from swarm.network.statistics import NetworkSnapshot
from swarm.peer.federation.best_model import best_model

LINKS_MAX = 64


@dataclass(slots=True)
class PeerStatus:
    """The newest progress and measurements of this peer in one session."""

    name: str
    phase: str = "starting"
    progress: float = 0.0
    train_accuracy: float | None = None
    train_loss: float | None = None
    num_examples: int = 0
    evaluated: Digest | None = None
    evaluated_round: int | None = None
    evaluation: Metrics | None = None
    site: str = ""
    data_label: str = ""
    num_test: int = 0
    data: DataSummary | None = None
    uses: str = ""
    """Which cores and GPUs train, in words; empty until the learner is ready."""
    accuracies: dict[int, float] = field(default_factory=dict)
    """Accuracy of each round's head that was measured here, on this peer's test data."""

    def take_progress(self, progress: Progress) -> None:
        """Note the progress of the learner's job."""
        self.phase = (
            "starting" if progress.phase in ("preparing", "downloading") else progress.phase
        )
        self.progress = min(1.0, max(0.0, progress.fraction))
        if progress.train_accuracy is not None:
            accuracy = _finite(progress.train_accuracy)
            self.train_accuracy = min(1.0, max(0.0, accuracy)) if accuracy is not None else None
            self.train_loss = _finite(progress.train_loss)

    def rest(self, phase: str) -> None:
        """Note a phase without progress of its own."""
        self.phase, self.progress = phase, 0.0

    def evaluate(self, head: Digest, head_round: int, metrics: Metrics) -> None:
        """Note how a head scored on this peer's test data."""
        self.evaluated, self.evaluated_round, self.evaluation = head, head_round, metrics
        self.accuracies[head_round] = metrics.accuracy

    def message(
        self, machine: Federation, network: NetworkSnapshot, addresses: tuple[str, ...] = ()
    ) -> Status:
        """The status message for observers."""
        held = machine.held
        worked_on = held.round if held is not None and machine.finished else next_round(machine)
        return Status(
            session=machine.spec.id,
            sender=machine.me,
            name=self.name,
            phase=self.phase,
            round=RoundNumber(worked_on),
            progress=round(self.progress, 3),
            head=held.key if held is not None else None,
            train_accuracy=self.train_accuracy,
            train_loss=self.train_loss,
            evaluated=self.evaluated,
            evaluation=self.evaluation,
            num_examples=self.num_examples,
            bytes_sent=network.bytes_sent,
            bytes_received=network.bytes_received,
            rejections=machine.rejections + sum(network.rejected.values()),
            links=network.connected[:LINKS_MAX],
            blob_bytes_sent=network.blob_bytes_sent,
            site=self.site,
            addresses=tuple(a[:STATUS_TEXT_MAX] for a in addresses[:ADDRESSES_MAX]),
            data_label=self.data_label,
            num_test=self.num_test,
            data=self.data,
            run_state=machine.registers.run_state,
            obeyed=tuple(sorted(c.digest[:16] for c in machine.registers.commands)),
            num_refused=machine.registers.num_refused,
        )

    def report(self, machine: Federation, network: NetworkSnapshot) -> dict[str, Any]:
        """This peer's results so far, for `summary.json`."""
        held, shard, best = machine.held, self.evaluation, best_model(machine)
        return {
            "name": self.name,
            "peer_id": machine.me,
            "session": machine.spec.id,
            "head_digest": held.digest if held is not None else None,
            "round": held.round if held is not None else None,
            "accuracy": shard.accuracy if shard is not None else None,
            "loss": shard.loss if shard is not None else None,
            "evaluated_round": self.evaluated_round,
            "best_round": best.round if best is not None else None,
            "best_accuracy": best.accuracy if best is not None else None,
            "ending": ending(held, machine.spec) if held is not None else "",
            "num_test_examples": shard.num_examples if shard is not None else 0,
            "bytes_sent": network.bytes_sent,
            "bytes_received": network.bytes_received,
            "blob_bytes_sent": network.blob_bytes_sent,
            "num_examples": self.num_examples,
        }


def _finite(value: float | None) -> float | None:
    """None for the infinite or undefined numbers of a diverging training: JSON has no such."""
    return value if value is not None and math.isfinite(value) else None


def next_round(machine: Federation) -> int:
    """The round being worked on; 0 while there is no head."""
    return machine.held.round + 1 if machine.held is not None else 0
