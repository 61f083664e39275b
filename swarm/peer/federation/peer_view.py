"""PeerView: one peer's run at a moment, as text, as a line that is redrawn, and as HTML."""

import html
from collections.abc import Mapping
from dataclasses import dataclass

WIDTH, HEIGHT = 240, 60


@dataclass(frozen=True, slots=True)
class PeerView:
    """What a script or notebook shows of its peer."""

    name: str
    address: str
    round: int | None
    """Round of the current global model; None if there is none."""
    rounds: int | None
    """Rounds of the session; None if there is no session."""
    num_peers: int
    accuracies: Mapping[int, float]
    """By round, on this peer's test data."""
    phase: str
    progress: float
    """Finished share of this round's training, 0 to 1."""
    train_accuracy: float | None
    score: str = "accuracy"
    """The word for the session's score; see `swarm.core.session.score_name`."""
    uses: str = ""
    """Which cores and GPUs train, in words."""
    error: str | None = None
    """What ended the peer."""
    ended: bool = False

    @property
    def accuracy(self) -> str:
        """The newest accuracy and the round that it belongs to; empty if there is none."""
        measured = max(self.accuracies, default=0)
        if measured < 1:  # round 0 is the untrained model
            return ""
        return f"{self.score} {self.accuracies[measured]:.1%} (round {measured})"

    @property
    def state(self) -> str:
        """Where the run is, in a few words."""
        if self.error is not None:
            return f"ended: {self.error}"
        at = "no model yet" if self.round is None else f"round {self.round} of {self.rounds}"
        at = "no session yet" if self.rounds is None else at
        return f"{at}, ended" if self.ended else at

    def __str__(self) -> str:
        peers = f"{self.num_peers} peers" if self.num_peers != 1 else "1 peer"
        parts = [self.state, self.accuracy, peers]
        join = "" if self.ended or self.error is not None else f"; join at {self.address}"
        return f"<RunningPeer {self.name}: {', '.join(part for part in parts if part)}{join}>"

    @property
    def line(self) -> str:
        """The run as one line of progress."""
        parts = [self.state]
        if self.round is not None and self.round < (self.rounds or 0):
            parts = [f"round {self.round + 1} of {self.rounds}: {self.phase}"]
            if self.phase == "training":
                parts[0] += f" {self.progress:.0%}"
        if self.train_accuracy is not None:
            parts.append(f"training {self.score} {self.train_accuracy:.1%}")
        parts += [self.accuracy, f"{self.num_peers} peers" if self.num_peers > 1 else ""]
        return ", ".join(part for part in parts if part)

    def html(self) -> str:
        """A small table, and the curve of the accuracy once it has two points."""
        rows = {
            "round": self.state,
            self.score: self.accuracy.removeprefix(f"{self.score} ") or "not measured yet",
            "peers": str(self.num_peers),
            "machine": self.uses or "not ready yet",
            "join at": self.address,
        }
        cells = "".join(
            f"<tr><th style='text-align:left'>{key}</th>"
            f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
            for key, value in rows.items()
        )
        return (
            f"<table><caption><b>{html.escape(self.name)}</b></caption>{cells}</table>"
            f"{self._curve()}"
        )

    def _curve(self) -> str:
        points = sorted(self.accuracies.items())
        if len(points) < 2:
            return ""
        last = max(points[-1][0], 1)
        line = " ".join(
            f"{WIDTH * number / last:.1f},{HEIGHT * (1 - value):.1f}" for number, value in points
        )
        label = f"{self.score} by round, 0 to 100 %, rounds {points[0][0]} to {last}"
        return (
            f"<svg width='{WIDTH}' height='{HEIGHT}' role='img' aria-label='{label}' "
            f"style='border:1px solid #8888'><polyline points='{line}' fill='none' "
            "stroke='#2a7' stroke-width='2'/></svg>"
        )
