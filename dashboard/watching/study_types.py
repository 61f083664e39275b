"""The types of a hyperparameter study in a snapshot."""

from typing import Literal, TypedDict


class TrialPoint(TypedDict):
    """One trial in the history of a study."""

    number: int
    state: Literal["running", "done", "pruned", "failed"]
    """`running`: proposed and without a result; it may still wait at its worker."""
    value: float | None
    """The objective; None until the trial is over, and if it failed."""
    peer: str | None
    """Peer that runs or ran it; unknown until the end of a trial without epochs."""


class BestTrial(TypedDict):
    """The best trial so far."""

    number: int
    value: float
    model: str
    params: dict[str, str | int | float | bool | None]


class StudyWorker(TypedDict):
    """A peer that runs or ran trials of a study."""

    peer: str
    name: str
    trial: int | None
    """The newest trial that it reported to run; None if it reported none."""
    num_done: int


class StudyInfo(TypedDict):
    """One hyperparameter study of the swarm, for the Search tab."""

    id: str
    name: str
    strategy: str
    direction: Literal["maximize", "minimize"]
    metric: str
    """What the objective measures, such as `accuracy`."""
    finished: bool
    """True also for a cancelled study."""
    complete: bool
    """Whether the dashboard has read everything known about it. If not, it is still reading, or
    the study is too long for it."""
    num_trials: int
    """Trials to run in total, as far as that is known."""
    num_running: int
    """Trials that were proposed and have no result: running, or waiting at a worker."""
    num_done: int
    """Trials with a value, including pruned ones."""
    num_failed: int
    best: BestTrial | None
    history: list[TrialPoint]
    """The newest trials in the order of their numbers, at most 1,000."""
    workers: list[StudyWorker]
