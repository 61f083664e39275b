"""An observer follows the ensembles that are offered, asks them, and shows both as plain JSON."""

import subprocess
import sys
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
import trio

from dashboard.watching.api_schemas import schema_of
from dashboard.watching.ensemble_types import EnsembleAnswer, EnsembleInfo
from swarm.core.errors import ConfigurationError, DataError, NoQuorumError
from swarm.core.ids import PeerId
from swarm.ensemble.messages import EnsembleOffer
from swarm.ensemble.spec import EnsembleSpec
from swarm.peer.observer.watched_ensembles import ENSEMBLES_MAX, WatchedEnsembles
from tests.peer.ensemble.asked_members import SPEC, FakeHost, Member, version_of

ADA, BOB, CYD = (PeerId(f"12D3KooW{name}") for name in ("Ada111", "Bob222", "Cyd333"))
NAMES = {ADA: "Ada", BOB: "Bob", CYD: "Cyd"}
CLASSES = EnsembleSpec(
    "signs", "classification", (), (2,), classes=("minus", "plus"), metric="log-loss"
)


def name_of(peer):
    return NAMES[peer]


def members(spec=SPEC):
    def formula(add):
        if spec.classes:
            return lambda rows: [[0.25, 0.75]] * len(rows)
        return lambda rows: rows.sum(axis=1) + add

    return [Member(peer, formula(add), spec) for add, peer in enumerate(NAMES)]


@asynccontextmanager
async def watched_by(folder, known):
    """An observer's part, on a host whose network is these members."""
    async with trio.open_nursery() as nursery:
        host = FakeHost(folder, known, nursery)
        host.network.snapshot = lambda: SimpleNamespace(connected=())
        watched = WatchedEnsembles(host)
        host.driver = watched
        nursery.start_soon(watched.run)
        await trio.testing.wait_all_tasks_blocked()
        yield watched
        nursery.cancel_scope.cancel()


async def meet(watched, known):
    """The members offer their ensemble and send their cards."""
    watched.handle(EnsembleOffer(ADA, known[0].spec))
    await trio.testing.wait_all_tasks_blocked()
    for member in known:
        watched.handle(member.card([one.peer for one in known]))


async def test_an_offered_ensemble_is_shown_with_its_members_and_matrix(tmp_path, autojump_clock):
    known = members()
    async with watched_by(tmp_path, known) as watched:
        assert watched.snapshot(0.0, name_of) == []
        await meet(watched, known)

        (shown,) = watched.snapshot(0.0, name_of)

    assert schema_of(EnsembleInfo)().validate(shown) == {}
    assert (shown["name"], shown["num_needed"], shown["ready"]) == ("sums", 2, True)
    assert [member["name"] for member in shown["members"]] == ["Ada", "Bob", "Cyd"]
    assert shown["members"][0]["skill"] == pytest.approx(8 / 9)
    assert len(shown["matrix"]) == 9


@pytest.mark.parametrize("spec", [SPEC, CLASSES], ids=["regression", "classification"])
async def test_an_answer_names_its_members_and_is_logged(tmp_path, autojump_clock, spec):
    known = members(spec)
    known[2].refuses = "busy"
    async with watched_by(tmp_path, known) as watched:
        await meet(watched, known)

        answer = await watched.ask(spec.id, [[1, 2]], 0.8, detail=True, name_of=name_of)
        (shown,) = watched.snapshot(0.0, name_of)

    assert schema_of(EnsembleAnswer)().validate(answer) == {}
    assert answer["values"] == (["plus"] if spec.classes else [3.5])
    assert answer["coverage"] == 0.8
    assert [member["name"] for member in answer["members"]] == ["Ada", "Bob"]
    assert answer["members"][0]["version"] == version_of(ADA)
    own = answer["members"][1]["probabilities" if spec.classes else "values"]
    assert own == ([[0.25, 0.75]] if spec.classes else [4.0])
    assert [one["name"] for one in answer["missing"]] == ["Cyd"]
    (question,) = shown["questions"]
    assert question["answered"] == [ADA, BOB]
    assert question["missing"][0]["name"] == "Cyd"
    assert shown["latency"]["num_questions"] == 1


async def test_members_own_answers_are_left_out_unless_asked_for(tmp_path, autojump_clock):
    known = members()
    async with watched_by(tmp_path, known) as watched:
        await meet(watched, known)

        answer = await watched.ask(SPEC.id, [[1, 2]], 0.9, detail=False, name_of=name_of)

    assert {member["values"] for member in answer["members"]} == {None}


async def test_a_question_without_a_quorum_is_logged_with_its_reason(tmp_path, autojump_clock):
    known = members()
    for member in known[1:]:
        member.refuses = "no-model"
    async with watched_by(tmp_path, known) as watched:
        await meet(watched, known)

        with pytest.raises(NoQuorumError, match="at least 2 must"):
            await watched.ask(SPEC.id, [[1, 2], [3, 4]], 0.9, detail=False, name_of=name_of)
        (shown,) = watched.snapshot(0.0, name_of)

    assert (shown["num_asked"], shown["num_failed"], shown["latency"]) == (1, 1, None)
    assert shown["questions"][0]["num_rows"] == 2
    assert "at least 2 must" in shown["questions"][0]["error"]


async def test_rows_that_break_a_rule_are_no_question(tmp_path, autojump_clock):
    known = members()
    async with watched_by(tmp_path, known) as watched:
        await meet(watched, known)

        with pytest.raises(DataError, match="must be"):
            await watched.ask(SPEC.id, [[1, 2, 3]], 0.9, detail=False, name_of=name_of)
        with pytest.raises(ConfigurationError, match="no ensemble with the id"):
            await watched.ask("nothing", [[1, 2]], 0.9, detail=False, name_of=name_of)
        (shown,) = watched.snapshot(0.0, name_of)

    assert shown["questions"] == []
    assert [len(member.questions) for member in known] == [0, 0, 0]


async def test_only_so_many_ensembles_are_followed(tmp_path, autojump_clock):
    async with watched_by(tmp_path, []) as watched:
        for number in range(ENSEMBLES_MAX + 1):
            spec = EnsembleSpec(f"number {number}", "regression", (), (2,))
            watched.handle(EnsembleOffer(ADA, spec))
            await trio.testing.wait_all_tasks_blocked()

        shown = watched.snapshot(0.0, name_of)

    assert [one["name"] for one in shown] == [f"number {n}" for n in range(ENSEMBLES_MAX)]
    assert not any(one["ready"] for one in shown)


def test_an_observer_loads_no_machine_learning_library():
    program = (
        "import sys, swarm.peer.observer.observer\n"
        "heavy = {'sklearn', 'keras', 'tensorflow', 'torch', 'skops', 'river', 'optuna'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()\n"
    )

    subprocess.run([sys.executable, "-c", program], check=True)
