"""What the page knows of a hyperparameter study: a part of the snapshot's schema."""

from typing import Literal, TypedDict


class TrialPoint(TypedDict):
    """One trial of a study, as its history shows it."""

    number: int
    state: Literal["running", "done", "pruned", "failed"]
    """`running`: asked for, and without a result; it may still wait at its worker."""
    value: float | None
    """The objective; None until the trial is over, and if it failed."""
    peer: str | None
    """Who ran it, or was last heard to; a trial without epochs is not heard of before its end."""


class BestTrial(TypedDict):
    """The best trial so far."""

    number: int
    value: float
    model: str
    params: dict[str, str | int | float | bool | None]


class StudyWorker(TypedDict):
    """A peer that runs trials of a study, or has run some."""

    peer: str
    name: str
    trial: int | None
    """Of the trials it runs, the newest it told of; None if it told of none."""
    num_done: int


class StudyFacts(TypedDict):
    """One hyperparameter study of the swarm, for the Search tab."""

    id: str
    name: str
    strategy: str
    direction: Literal["maximize", "minimize"]
    metric: str
    """What the objective measures, such as `accuracy`."""
    finished: bool
    """Also if it was cancelled."""
    complete: bool
    """Whether the dashboard has read all that is known of it; if not, it reads on, or it is one of
    those that are too long for it."""
    num_trials: int
    """To be tried in all, as far as that is known."""
    num_running: int
    """Asked for and without a result: running, or waiting at a worker."""
    num_done: int
    """With a value, those that were pruned included."""
    num_failed: int
    best: BestTrial | None
    history: list[TrialPoint]
    """By number; at most the newest 1,000."""
    workers: list[StudyWorker]
