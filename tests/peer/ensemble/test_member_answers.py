"""MemberAnswers: own models do not wait for copies of others' models."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import trio

from swarm.core.errors import LearningError
from swarm.ensemble.effects import Serve
from swarm.ensemble.records import ModelRecord
from swarm.peer.ensemble.member_answers import MemberAnswers
from swarm.peer.processes.member_frames import LoadModel
from tests.ensemble.parts import digest, model

COPY_LIMIT_S = 7.0


class _Worker:
    """Loads models as soon as it may."""

    def __init__(self) -> None:
        self.loads: tuple[LoadModel, ...] = ()
        self.limit_s = 0.0
        self.asked, self.may = trio.Event(), trio.Event()

    async def keep_loaded(self, loads: tuple[LoadModel, ...], limit_s: float = 0.0) -> None:
        self.limit_s = limit_s
        self.asked.set()
        await self.may.wait()
        self.loads = loads[:1]
        if len(loads) > 1:
            raise LearningError("damaged")


class _Models:
    """Each model is where its version says."""

    def load(self, version: str) -> LoadModel:
        return LoadModel(model(int(version, 16)), version)

    def guest(self, record: ModelRecord) -> LoadModel:
        return LoadModel(record, record.version)


def _versions(worker: _Worker) -> list[str]:
    return [load.model.version for load in worker.loads]


async def test_a_fitted_model_is_loaded_while_a_copy_hangs(tmp_path: Path) -> None:
    own, copies = _Worker(), _Worker()
    own.may.set()
    processes = SimpleNamespace(answers=own, copies=copies)
    answers = MemberAnswers(
        "member",
        cast("Any", None),
        cast("Any", _Models()),
        cast("Any", processes),
        tmp_path,
        COPY_LIMIT_S,
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answers.serve, Serve(digest(1), None, (model(3), model(4))))
        await copies.asked.wait()
        own.loads = ()

        await answers.load(digest(2))

        assert _versions(own) == [digest(2)]
        assert copies.limit_s == COPY_LIMIT_S
        copies.may.set()
    assert _versions(copies) == [digest(3)]
