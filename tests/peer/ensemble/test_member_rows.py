"""A member's rows and its user's file: kept while the content is the same, else fitted again."""

import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import MagicMock

import numpy as np
import pytest
import trio

from swarm.core.ids import PeerId
from swarm.ensemble.member import Member
from swarm.learning.ensemble.jobs import Place
from swarm.learning.ensemble.labelled import load_labelled
from swarm.learning.ensemble.new_rows import add_rows
from swarm.peer.ensemble.ensemble_settings import EnsembleSettings
from swarm.peer.ensemble.member_driver import MemberDriver
from swarm.peer.ensemble.member_folder import MemberFolder, open_member_folder
from swarm.peer.ensemble.member_rows import read_rows
from swarm.peer.processes.member_frames import Open
from swarm.peer.processes.member_jobs import MemberJobs
from tests.harness.house_rows import TARGET, write_houses

ME = PeerId("me")
NUM_ROWS = 60
WITHIN_S = 600.0
"""Seconds of the test's own clock, which jumps."""


def _settings(folder: Path, data: Path) -> EnsembleSettings:
    return EnsembleSettings(
        "127.0.0.1", 1, folder, data=data, target=TARGET, learner="ridge", keep_model=True
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_houses(tmp_path / "rows.csv", NUM_ROWS, seed=1)


@pytest.fixture
def folder(tmp_path: Path, data: Path) -> MemberFolder:
    rows = read_rows(_settings(tmp_path, data))
    folder = open_member_folder(tmp_path, rows.propose(ME))
    assert rows.write(folder) == NUM_ROWS
    return folder


def _add(folder: MemberFolder) -> None:
    place = Place(folder.spec, ME, folder.rows, folder.validation)
    add_rows(place, write_houses(folder.path / "more.csv", 10, seed=2), "more.csv")


def _write_again(folder: MemberFolder, data: Path) -> int:
    return read_rows(_settings(folder.path, data)).write(folder)


def test_rows_that_were_added_stay_wherever_the_same_file_is(
    folder: MemberFolder, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _add(folder)
    monkeypatch.chdir(data.parent)

    assert _write_again(folder, Path("rows.csv")) == NUM_ROWS + 10
    assert _write_again(folder, data.rename(data.with_name("moved.csv"))) == NUM_ROWS + 10


def test_a_file_that_changed_replaces_rows_and_what_was_answered_to_them(
    folder: MemberFolder, data: Path
) -> None:
    _add(folder)
    (folder.validation / "0.npz").write_bytes(b"answers")
    before = load_labelled(folder.rows, folder.spec).y

    assert _write_again(folder, write_houses(data, NUM_ROWS, seed=3)) == NUM_ROWS

    assert not np.isin(load_labelled(folder.rows, folder.spec).y, before).all()
    assert not list(folder.validation.iterdir())
    _add(folder)
    assert len(load_labelled(folder.rows, folder.spec)) == NUM_ROWS + 10


class _Worker:
    """Does a member's jobs in this process."""

    def __init__(self, folder: MemberFolder) -> None:
        self.loads: tuple[object, ...] = ()
        opening = Open(folder.spec, str(folder.path), ME, "ridge", allow_code=False)
        self._jobs = MemberJobs(opening)

    async def keep_loaded(self, loads: tuple[object, ...], *_: object) -> None:
        self.loads = loads

    async def call(self, job: Any, *_: object) -> object:
        return self._jobs.do(job, lambda share: None)


async def _live_until(
    folder: MemberFolder, data: Path, has_come: Callable[[Member], bool]
) -> Member:
    """One life of a member, until something has come."""
    worker = _Worker(folder)
    processes = SimpleNamespace(**dict.fromkeys(("answers", "fits", "guests", "copies"), worker))
    host = SimpleNamespace(me=ME, failure=None, store=None, outbox=MagicMock())
    settings = _settings(folder.path, data)
    machine = Member(ME, folder.spec, settings.member)
    async with trio.open_nursery() as nursery:
        driver = MemberDriver(
            machine, cast("Any", host), nursery, folder, cast("Any", processes), settings
        )
        await driver.start(_write_again(folder, data))
        with trio.fail_after(WITHIN_S):
            while not has_come(machine):
                await driver.changed.wait()
        nursery.cancel_scope.cancel()
    return machine


async def test_a_member_whose_file_changed_fits_again_and_answers_with_the_new_model(
    folder: MemberFolder, data: Path, autojump_clock: object
) -> None:
    first = await _live_until(folder, data, lambda member: bool(member.models.champion))
    old = first.models.champion
    assert old is not None
    write_houses(data, NUM_ROWS, seed=3)  # as many rows, others

    second = await _live_until(
        folder, data, lambda member: member.models.champion not in (None, old)
    )
    new = second.models.champion
    assert new is not None
    assert second.models.previous == old
    assert folder.has_answers(new.version)
    third = await _live_until(folder, data, lambda member: bool(member.models.champion))

    assert third.models.champion == new
    assert not third.fitting.is_running
    assert math.isfinite(third.models.scores[0].loss)
