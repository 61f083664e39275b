"""The real processes of a member: fits, answers, limits, deaths."""

import math
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
import trio.testing

from swarm.core.errors import LearningError, SwarmError, WorkerDiedError
from swarm.core.ids import PeerId
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble.labelled import read_labelled, write_labelled
from swarm.learning.ensemble.payloads import decode_answers, encode_rows
from swarm.learning.ensemble.proposing import propose_spec
from swarm.peer.processes import member_worker
from swarm.peer.processes.member_frames import (
    Answered,
    FitModel,
    FittedModel,
    LoadModel,
    Open,
    PredictRows,
    ScoreOf,
    ScoreOrRefusal,
    Shadowed,
)
from swarm.peer.processes.member_worker import MemberWorker, Role
from tests.harness.house_rows import write_houses

pytestmark = pytest.mark.slow
ME = PeerId("me")
NUM_ROWS = 5


class Bench:
    """A member's folder, and workers that work in it."""

    def __init__(self, nursery: trio.Nursery, folder: Path) -> None:
        self.nursery = nursery
        self.folder = folder
        for name in ("models", "validation", "work"):
            (folder / name).mkdir()
        data = write_houses(folder / "rows.csv", 60, seed=1)
        self.spec: EnsembleSpec = propose_spec(data, "houses", target="SalePrice").spec
        write_labelled(folder / "rows.swl", read_labelled(data, self.spec), self.spec)
        self.rows = encode_rows(read_labelled(data, self.spec).x.iloc[:NUM_ROWS], self.spec)

    def worker(self, learner: str = "ridge", memory_mib: int = 0) -> MemberWorker:
        opening = Open(self.spec, str(self.folder), ME, learner, allow_code=False)
        return MemberWorker(self.nursery, Role("works", 0, memory_mib), opening)

    async def fit(self, learner: str = "ridge") -> LoadModel:
        fitted = await self.worker(learner).call(FitModel(False, 1.0), FittedModel)
        return LoadModel(fitted.model, fitted.path)

    def question(self, load: LoadModel, shadow: LoadModel | None = None) -> PredictRows:
        other = shadow.model.version if shadow is not None else None
        place = str(self.folder / "work" / "answers")
        return PredictRows(load.model.version, self.rows, "", place, NUM_ROWS, other)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with trio.open_nursery() as nursery:
        yield Bench(nursery, tmp_path)
        nursery.cancel_scope.cancel()


async def test_the_old_model_answers_until_the_new_one_is_loaded(bench: Bench) -> None:
    first, second = await bench.fit("ridge"), await bench.fit("dummy")
    worker = bench.worker()
    shadows: list[Shadowed] = []
    worker.on_shadow = shadows.append

    await worker.keep_loaded((first,))
    answered = await worker.call(bench.question(first), Answered)
    await worker.keep_loaded((first, second))
    both = await worker.call(bench.question(first, shadow=second), Answered)
    await worker.keep_loaded((second,))
    newer = await worker.call(bench.question(second), Answered)

    answers = decode_answers(answered.answers, NUM_ROWS, 1)
    assert abs(answers.mean() - 12) < 1  # the scale is log1p
    assert both == answered
    assert newer != answered
    (shadow,) = shadows
    assert (shadow.version, shadow.num_rows) == (second.model.version, NUM_ROWS)
    assert shadow.disagreement > 0
    with pytest.raises(LearningError, match="not loaded"):
        await worker.call(bench.question(first), Answered)


async def test_a_killed_process_ends_its_call_and_the_next_has_its_models(bench: Bench) -> None:
    load = await bench.fit()
    died: list[int] = []
    opening = Open(bench.spec, str(bench.folder), ME, "ridge", allow_code=False)
    worker = MemberWorker(bench.nursery, Role("works", 0), opening, on_died=lambda: died.append(1))
    await worker.keep_loaded((load,))
    before = await worker.call(bench.question(load), Answered)
    pid = worker.pid
    assert pid is not None

    os.kill(pid, signal.SIGSTOP)  # so that the call is under way
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_kill_soon, pid)
        with pytest.raises(WorkerDiedError, match="the process that works ended"):
            await worker.call(bench.question(load), Answered)

    assert died
    assert await worker.call(bench.question(load), Answered) == before
    assert worker.pid != pid


async def _kill_soon(pid: int) -> None:
    await trio.testing.wait_all_tasks_blocked()
    os.kill(pid, signal.SIGKILL)


async def test_models_that_cannot_be_loaded_are_left_out_and_the_others_answer(
    bench: Bench,
) -> None:
    first, second = await bench.fit("ridge"), await bench.fit("dummy")
    wrong = LoadModel(first.model, second.path)
    worker = bench.worker()

    with pytest.raises(LearningError, match="is not the file of model"):
        await worker.keep_loaded((wrong, first))
    assert worker.loads == (first,)
    with pytest.raises(LearningError, match=r"longer than its limit of 0 s and was killed"):
        await worker.keep_loaded((first, second), 0.0)
    assert worker.loads == (first,)
    later = bench.worker()
    later.loads = (first, second)
    await trio.Path(first.path).unlink()

    await later.call(bench.question(second), Answered)

    assert later.loads == (second,)


async def test_a_process_that_does_not_get_ready_is_ended(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = bench.worker()
    with monkeypatch.context() as patch:
        patch.setattr(member_worker, "START_LIMIT_S", 0.0)
        with pytest.raises(WorkerDiedError, match="was not ready within 0 s and was killed"):
            await worker.start()
    late = worker.pid

    await worker.start()

    assert worker.pid not in (None, late)


async def test_a_job_beyond_its_time_is_killed_with_its_process(bench: Bench) -> None:
    worker = bench.worker("gbr")
    await worker.start()
    pid = worker.pid
    shares: list[float] = []

    with pytest.raises(LearningError, match=r"longer than its limit of 0\.001 s"):
        await worker.call(FitModel(False, 1.0), FittedModel, 0.001)
    fitted = await worker.call(FitModel(True, 1.0), FittedModel, on_progress=shares.append)

    assert worker.pid != pid
    assert shares == sorted(shares)
    assert math.isclose(shares[-1], 1.0)
    assert fitted.model.blob is None  # it stays at home
    assert 0 < fitted.score.loss < fitted.score.base_loss


async def test_a_foreign_file_that_is_no_model_is_refused_with_its_reason(bench: Bench) -> None:
    load = await bench.fit()
    place = bench.folder / "work" / "foreign.skops"
    place.write_bytes(b"not a model")
    worker = bench.worker(memory_mib=4096)

    refused = await worker.call(ScoreOf(PeerId("other"), load.model, str(place)), ScoreOrRefusal)
    scored = await worker.call(ScoreOf(PeerId("other"), load.model, load.path), ScoreOrRefusal)

    assert refused.refusal is not None
    assert "damaged" in refused.refusal.reason
    assert scored.score is not None
    assert not scored.score.is_own


async def test_too_little_memory_is_an_error_that_names_the_limit(bench: Bench) -> None:
    with pytest.raises(SwarmError, match=r"memory|40 MiB"):
        await bench.worker(memory_mib=40).start()
