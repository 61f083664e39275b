"""One contract for all strategies, and the promises of each."""

import sys
from collections import Counter
from typing import Any

import pytest

from swarm.core.ids import PeerId
from swarm.core.machine import TimerFired
from swarm.search.effects import Started
from swarm.search.search import Search
from swarm.search.strategies import make_strategy
from swarm.search.strategies.random import RandomStrategy
from swarm.search.strategies.strategy import Strategy, Suggestion
from swarm.search.study import StudySpec
from swarm.search.study_ledger import Asked, Entry, Recorded, Reported, StudyLedger
from swarm.search.trial import EpochPoint, Trial, TrialReport, TrialResult, failed
from tests.search.conftest import ME, OTHER, make_study

DISCRETE = {"knn": {"n": {"integer": [1, 3]}, "w": ["a", "b"]}, "dtree": {"depth": [1, 2, 3]}}
STRATEGIES: list[Any] = [
    {"name": "grid", "points": 3},
    "random",
    {"name": "bayesian", "startup_trials": 4},
    "halving",
]


class Play:
    """Asks a strategy for trials and invents their results."""

    def __init__(self, spec: StudySpec) -> None:
        self.spec = spec
        self.ledger = StudyLedger(spec)
        self.strategy: Strategy = make_strategy(spec)

    def tell(self, entry: Entry) -> None:
        assert self.ledger.add(entry)
        self.strategy.tell(entry)

    def ask(self, coordinator: PeerId = ME) -> Trial | None:
        suggested = self.strategy.ask(self.ledger)
        if suggested is None:
            return None
        number = len(self.ledger.trials)
        trial = Trial(self.spec.id, number, suggested.model, suggested.params, 1, coordinator)
        self.tell(Asked(trial))
        return trial

    def finish(self, trial: Trial) -> None:
        if trial.number % 5 == 4:
            self.tell(Recorded(failed(trial.id, "made up", 0.1, ME)))
        else:
            value = trial.values.get("n_neighbors", trial.values.get("C", 0.0))
            assert isinstance(value, int | float)
            self.tell(Recorded(TrialResult(trial.id, "complete", float(value), 0.1, peer=ME)))

    def asked(self, number: int, at_once: int = 1) -> list[Trial]:
        trials: list[Trial] = []
        waiting: list[Trial] = []
        for _ in range(number):
            trial = self.ask()
            assert trial is not None
            trials.append(trial)
            waiting.append(trial)
            if len(waiting) == at_once:
                self.finish(waiting.pop(0))
        return trials


@pytest.mark.parametrize(
    "strategy", STRATEGIES, ids=lambda s: s if isinstance(s, str) else s["name"]
)
class TestContract:
    def test_suggestions_lie_in_the_space_with_what_is_fixed(self, strategy: Any) -> None:
        for trial in Play(make_study(strategy=strategy)).asked(12):
            values = trial.values
            if trial.model == "knn":
                assert values.keys() == {"n_neighbors", "weights"}
                assert values["n_neighbors"] in range(1, 10)
                assert type(values["n_neighbors"]) is int
            else:
                conditional = {"gamma"} if values["kernel"] == "rbf" else set()
                assert values.keys() == {"kernel", "C", "max_iter"} | conditional
                assert 0.1 <= values["C"] <= 10.0  # type: ignore[operator]
                assert values["max_iter"] == 500

    def test_the_same_seed_gives_the_same_sequence(self, strategy: Any) -> None:
        spec = make_study(strategy=strategy, seed=3)

        first, second = (Play(spec).asked(12, at_once=3) for _ in range(2))

        assert first == second

    def test_a_coordinator_that_takes_over_continues_the_same_sequence(
        self, strategy: Any
    ) -> None:
        play = Play(make_study(strategy=strategy, seed=3))
        play.asked(9, at_once=3)

        successor = Play(play.spec)
        for entry in play.ledger.entries:
            successor.tell(entry)

        expected, taken_over = (
            play.strategy.ask(play.ledger),
            successor.strategy.ask(successor.ledger),
        )
        assert expected == taken_over

    def test_asking_without_taking_changes_nothing(self, strategy: Any) -> None:
        play = Play(make_study(strategy=strategy))

        assert play.strategy.ask(play.ledger) == play.strategy.ask(play.ledger)

    def test_trials_of_other_coordinators_and_failures_can_be_learned(self, strategy: Any) -> None:
        play = Play(make_study(strategy=strategy))
        params = (("n_neighbors", 1), ("weights", "uniform"))
        foreign = Trial(play.spec.id, 0, "knn", params, 1, OTHER)
        play.tell(Asked(foreign))
        play.tell(Recorded(failed(foreign.id, "no luck", 0.1, OTHER)))

        assert play.ask() is not None

    def test_an_unknown_option_is_refused_by_name(self, strategy: Any) -> None:
        name = strategy if isinstance(strategy, str) else strategy["name"]

        with pytest.raises(ValueError, match=r"^strategy\.temperature: unknown"):
            make_strategy(make_study(strategy={"name": name, "temperature": 3}))


def test_other_seeds_give_other_sequences() -> None:
    first, second = (Play(make_study(seed=seed)).asked(5) for seed in (1, 2))

    assert [t.params for t in first] != [t.params for t in second]


@pytest.mark.parametrize("strategy", ["grid", "random"])
def test_a_discrete_space_is_tried_once_and_then_exhausted(strategy: str) -> None:
    play = Play(make_study(strategy=strategy, models=DISCRETE, num_trials=100))
    settings: Counter[Any] = Counter()

    while (trial := play.ask()) is not None:
        settings[trial.model, trial.params] += 1

    assert len(settings) == 9
    assert set(settings.values()) == {1}


def test_a_grid_goes_through_the_file_in_order() -> None:
    play = Play(make_study(strategy="grid", models=DISCRETE))

    values = [trial.values for trial in play.asked(4)]

    assert values == [{"n": n, "w": w} for n, w in ((1, "a"), (1, "b"), (2, "a"), (2, "b"))]


@pytest.mark.parametrize(
    ("space", "points", "values"),
    [
        ({"float": [3.0, 3.3], "step": 0.1}, 0, [3.0, 3.1, 3.2, 3.3]),
        ({"float": [1e-5, 1.0], "log": True}, 6, [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0]),
        ({"float": [0.123456789012345, 1.0]}, 2, [0.123456789012345, 1.0]),
        ({"float": [1.0, 1.0000000000000004]}, 2, [1.0, 1.0000000000000004]),
        ({"integer": [1, 100], "log": True}, 3, [1, 10, 100]),
    ],
)
def test_a_grid_has_the_values_that_a_user_would_write_down(
    space: dict[str, Any], points: int, values: list[float]
) -> None:
    strategy = {"name": "grid", "points": points} if points else "grid"
    play = Play(make_study(strategy=strategy, models={"svm": {"C": space}}))

    assert [trial.values["C"] for trial in play.asked(len(values))] == values


def test_a_grid_needs_steps_or_a_number_of_points() -> None:
    with pytest.raises(ValueError, match=r"^models\.svm\.C: a grid needs a step"):
        make_strategy(make_study(strategy="grid"))


def test_bayesian_search_learns_where_to_look() -> None:
    space = {"svm": {"C": {"float": [0.0, 1.0]}}}
    errors: dict[str, float] = {}
    for strategy in ("random", "bayesian"):
        play = Play(make_study(strategy=strategy, models=space, num_trials=60))
        late = []
        for number in range(50):
            trial = play.ask()
            assert trial is not None
            error = abs(float(trial.values["C"]) - 0.7)
            play.tell(Recorded(TrialResult(trial.id, "complete", -error, 0.1, peer=ME)))
            if number >= 30:
                late.append(error)
        errors[strategy] = sum(late) / len(late)

    assert errors["bayesian"] < errors["random"] / 2


def test_halving_stops_only_trials_that_fall_behind_at_a_rung() -> None:
    play = Play(make_study(strategy={"name": "halving", "reduction": 2, "epochs_min": 2}))
    trials = [play.ask() for _ in range(4)]
    stopped = []
    for epoch in (1, 2):
        for place, trial in enumerate(trials):
            assert trial is not None
            report = TrialReport(trial.id, EpochPoint(epoch, [0.9, 0.5, 0.7, 0.6][place]), peer=ME)
            play.tell(Reported(report))
            if play.strategy.stops(report, play.ledger):
                stopped.append((epoch, place))

    assert stopped == [(2, 1), (2, 3)]  # of 0.9, 0.5 the better half; of all four the best two


def test_a_grid_tries_every_choice_whatever_its_type() -> None:
    choices = [0.1, 1.0, 10.0, "scale", 3]
    spec = make_study(strategy="grid", models={"svm": {"gamma": choices, "kernel": "rbf"}})

    assert [trial.values["gamma"] for trial in Play(spec).asked(5)] == choices


def test_a_user_s_strategy_runs_only_if_code_is_allowed() -> None:
    spec = make_study(strategy="mine:Strategy")

    with pytest.raises(ValueError, match="only on peers that were started with --allow-code"):
        make_strategy(spec)
    allowed = make_strategy(spec, lambda name: lambda spec: RandomStrategy(make_study()))
    assert allowed.ask(StudyLedger(spec)) == RandomStrategy(make_study()).ask(
        StudyLedger(make_study())
    )


class Mute(Exception):  # noqa: N818 (a user's class)
    """An error whose text raises."""

    def __str__(self) -> str:
        raise ValueError


class Faulty(RandomStrategy):
    """Fails in the way that its class attributes name."""

    fault = ""
    answer: Any = None

    def __init__(self, spec: StudySpec) -> None:
        if self.fault == "init":
            raise KeyError("x")
        super().__init__(make_study())

    def ask(self, history: StudyLedger) -> Any:
        if self.fault == "ask" and len(history.trials) == 2:
            raise RuntimeError("kaputt\nlate")
        if self.fault == "exit":
            sys.exit(3)
        if self.fault == "surrogate":
            raise RuntimeError("a\udcffb")
        if self.fault == "mute":
            raise Mute
        return self.answer if self.answer is not None else super().ask(history)

    def tell(self, entry: Entry) -> None:
        if self.fault == "tell":
            raise ZeroDivisionError("by zero")
        super().tell(entry)


def _searching(name: str, **attributes: Any) -> Search:
    """A peer that has just begun a study with a user's strategy."""
    kind = type(name, (Faulty,), attributes)
    search = Search(ME, make_study(strategy=f"mine:{name}"), lambda _: kind)
    search.handle(Started(4, submits=True), 0.0)
    return search


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"fault": "ask"}, "strategy mine:Late: RuntimeError: kaputt late"),
        ({"fault": "tell"}, "strategy mine:Late: ZeroDivisionError: by zero"),
        (
            {"answer": 3},
            "strategy mine:Late: TypeError: ask must return a Suggestion or None, got 3",
        ),
        (
            {"answer": Suggestion("dtree", ())},
            "strategy mine:Late: ValueError: model must be one of knn, svm, got 'dtree'",
        ),
        (
            {"answer": Suggestion("knn", (("n_neighbors", 31), ("weights", "uniform")))},
            "strategy mine:Late: ValueError: n_neighbors must be between 1 and 9, got 31",
        ),
        ({"answer": Suggestion("knn", 3)}, "strategy mine:Late: TypeError: "),  # type: ignore[arg-type]
        ({"answer": Suggestion(["knn"], ())}, "strategy mine:Late: "),  # type: ignore[arg-type]
        ({"fault": "exit"}, "strategy mine:Late: SystemExit: 3"),
        ({"fault": "surrogate"}, "strategy mine:Late: RuntimeError: a?b"),
        ({"fault": "mute"}, "strategy mine:Late: Mute: no text (ValueError)"),
    ],
)
def test_a_strategy_that_fails_ends_the_study_and_no_peer(
    attributes: dict[str, Any], reason: str
) -> None:
    search = _searching("Late", **attributes)

    closed = search.ledger.closed
    assert closed is not None
    assert closed.reason == "failed"
    assert closed.error.startswith(reason)


def test_a_strategy_that_cannot_be_made_is_refused_with_its_error() -> None:
    kind = type("Late", (Faulty,), {"fault": "init"})

    with pytest.raises(ValueError, match="strategy mine:Late: KeyError: 'x'"):
        make_strategy(make_study(strategy="mine:Late"), lambda _: kind)


def test_a_strategy_that_cannot_learn_the_ledger_at_a_takeover_ends_the_study() -> None:
    before = _searching("Good")
    assert before.ledger.closed is None
    kind = type("Late", (Faulty,), {"fault": "tell"})

    successor = Search(OTHER, before.spec, lambda _: kind)
    successor.handle(Started(1, tuple(before.ledger.entries), 1), 0.0)
    for tenths in range(200):
        successor.handle(TimerFired("tick"), tenths / 10)

    assert successor.ledger.closed is not None
    assert successor.ledger.closed.error == "strategy mine:Good: ZeroDivisionError: by zero"
