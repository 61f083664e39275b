"""The types of an ensemble in a snapshot, and of an answer to a question."""

from typing import Literal, TypedDict


class EnsembleColumn(TypedDict):
    """One column that members predict from."""

    name: str
    kind: Literal["number", "date", "category"]
    categories: list[str]
    """Of a `category`: the ones that the founder knew; others may be given."""
    typical: float | None
    """Mean at the founder; a date is days since 1970-01-01. None for a category."""


class EnsembleModel(TypedDict):
    """One fitted model of one member."""

    version: str
    learner: str
    num_rows: int
    fitted_unix_s: float
    """By the member's own clock."""
    fit_s: float
    stays_home: bool
    """Whether its file is not given to others."""


class ShadowComparison(TypedDict):
    """Champion and challenger so far, as mean losses; 0 where there are no such rows yet."""

    champion_validation: float
    challenger_validation: float
    champion_recent: float
    challenger_recent: float
    num_recent: int
    num_shadow: int
    """Rows that the challenger answered in the shadow."""
    disagreement: float
    """Mean absolute difference of their answers to those rows."""


class DriftInfo(TypedDict):
    """How far a member's recent rows are from those that it was fitted on."""

    value: float
    threshold: float
    """0 while nothing is known."""
    drifting: bool
    detail: str


class EnsembleMember(TypedDict):
    """One member, by its newest card."""

    peer: str
    name: str
    present: bool
    distrusted: bool
    """Whether it lost its weight at this dashboard, because it answered nonsense."""
    state: Literal["waiting", "fitting", "serving"]
    progress: float
    num_rows: int
    """Labelled rows that it has; a model's own number is in `champion`."""
    champion: EnsembleModel | None
    """The model that answers."""
    challenger: EnsembleModel | None
    """The model that answers in the shadow."""
    previous: EnsembleModel | None
    """The model that `rollback` brings back."""
    skill: float | None
    """1 - loss / loss of the best constant, on the rows of all members that scored it."""
    metric: float | None
    """The ensemble's metric on the same rows."""
    num_scorers: int
    drift: DriftInfo
    comparison: ShadowComparison | None
    detail: str


class EnsembleScore(TypedDict):
    """One cell of the cross-validation matrix."""

    scorer: str
    owner: str
    version: str
    metric: float | None
    """None if the scorer refused the model."""
    num_rows: int
    own: bool
    """Whether it is the scorer's own model, scored out of fold."""
    refusal: str


class MissingMember(TypedDict):
    """A member without a part in an answer, and why."""

    peer: str
    name: str
    reason: str


class EnsembleQuestion(TypedDict):
    """A question that was asked through this dashboard."""

    seq: int
    elapsed_s: float
    """When it was over, on the clock of the snapshot's `elapsed_s`."""
    num_rows: int
    seconds: float
    answered: list[str]
    """Ids of the members whose answers are in it."""
    missing: list[MissingMember]
    error: str


class EnsembleLatency(TypedDict):
    """Seconds from question to answer, over the newest answered questions of this dashboard."""

    num_questions: int
    p50_s: float
    p99_s: float


class EnsembleInfo(TypedDict):
    """One ensemble of the swarm, for the Ensemble tab."""

    id: str
    name: str
    task: Literal["classification", "regression"]
    target: str | None
    """Name of the predicted column; None if examples are arrays."""
    columns: list[EnsembleColumn]
    """Empty if examples are arrays."""
    input_shape: list[int]
    classes: list[str]
    transform: str
    metric: str
    """What members are scored by, lower is better."""
    combination: str
    deadline_s: float
    quorum: float
    num_needed: int
    """Answers that a question needs now."""
    ready: bool
    """Whether enough present members have a model."""
    members: list[EnsembleMember]
    matrix: list[EnsembleScore]
    num_asked: int
    num_failed: int
    latency: EnsembleLatency | None
    questions: list[EnsembleQuestion]
    """Newest last, at most 50."""


class AnsweringMember(TypedDict):
    """A member whose answer is in a combined answer."""

    peer: str
    name: str
    version: str
    learner: str
    fitted_unix_s: float
    num_rows: int
    weight: float
    """Share of the combination, 0 to 1."""
    answered_by: str
    """Another peer than `peer` if that one answered with a copy of its model."""
    values: list[float] | None
    """Its own answers to a regression, if details were asked for."""
    probabilities: list[list[float]] | None
    """Its own answers to a classification, if details were asked for."""


class EnsembleAnswer(TypedDict):
    """The combined answer to n rows, in their order."""

    ensemble: str
    values: list[float | str]
    """Numbers in the target's unit, or labels of classes."""
    spread: list[float]
    """Standard deviation of the members' answers; for classes the share that is for another."""
    lower: list[float] | None
    """Ends of the intervals; None for classes, or while nothing is calibrated."""
    upper: list[float] | None
    probabilities: list[list[float]] | None
    """In the order of `classes`; None for a regression."""
    sets: list[list[str]] | None
    """Classes that the truth is among, with the coverage; None for a regression, or while
    nothing is calibrated."""
    classes: list[str]
    coverage: float
    combination: str
    members: list[AnsweringMember]
    missing: list[MissingMember]
    notes: list[str]
    """What falls short of the ensemble's rules, in words."""
    seconds: float
