"""NewRows: the machine hears of rows that were added, of their drift, and of the user's orders."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio

from swarm.core.errors import DataError
from swarm.core.ids import PeerId
from swarm.core.machine import Event
from swarm.ensemble.effects import Fitted, MemberStarted
from swarm.ensemble.member import Member
from swarm.ensemble.records import Drift
from swarm.peer.ensemble.new_rows import NewRows
from swarm.peer.ensemble.orders import (
    FIT,
    PROMOTE,
    ROLLBACK,
    Order,
    Reply,
    leave_order,
    leave_rows,
    take_reply,
)
from swarm.peer.processes.member_frames import AddRows, MeasureDrift, RowsAdded
from tests.ensemble.parts import make_spec, model, score

ME = PeerId("me")
NUM_ROWS = 100
NEWER = 7 << 252
"""Number of a model whose version begins otherwise."""
DRIFT = Drift(5.0, 2.0, "column 'x': mean 1 at the fit, 2 in 20 new rows")


class _Member:
    """A member's machine; its process answers by what it is told."""

    def __init__(self, inbox: Path) -> None:
        self.machine = Member(ME, make_spec())
        self.folder = SimpleNamespace(inbox=inbox)
        self.changed = trio.Event()
        self.jobs: list[object] = []
        self.refusal = ""
        self.new_rows = NewRows(cast("Any", self), cast("Any", self), NUM_ROWS, None, 2.0)
        self.handle(MemberStarted(NUM_ROWS))
        self.handle(Fitted(1, model(1, num_rows=NUM_ROWS), score(ME, 1)))

    def handle(self, event: Event) -> None:
        self.machine.handle(event, 0.0)
        self.notify()

    def notify(self) -> None:
        self.changed.set()
        self.changed = trio.Event()

    async def call(self, job: object, reply_type: type[object], limit_s: float) -> object:
        self.jobs.append(job)
        if isinstance(job, MeasureDrift):
            return DRIFT
        if self.refusal:
            raise DataError(self.refusal)
        return RowsAdded(20, 0, NUM_ROWS + 20)


@pytest.fixture
def member(tmp_path: Path) -> _Member:
    (tmp_path / "inbox").mkdir()
    return _Member(tmp_path / "inbox")


@asynccontextmanager
async def _running(member: _Member) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(member.new_rows.run)
        with trio.fail_after(30):
            yield
        nursery.cancel_scope.cancel()


async def _reply(member: _Member, name: str) -> Reply:
    while True:
        reply = take_reply(member.folder.inbox, name)
        if reply is not None:
            return reply
        await trio.sleep(0.05)


async def test_added_rows_reach_the_machine_and_are_measured(
    member: _Member, tmp_path: Path
) -> None:
    (tmp_path / "new.csv").write_text("x,y\n")

    async with _running(member):
        name = leave_rows(member.folder.inbox, tmp_path / "new.csv")
        reply = await _reply(member, name)
        while member.machine.card().drift != DRIFT:
            await member.changed.wait()

    assert reply == Reply(True, "new.csv: 20 rows; this member has 120 now")
    assert member.machine.card().num_rows == NUM_ROWS + 20
    assert [type(job) for job in member.jobs] == [AddRows, MeasureDrift]


async def test_refused_rows_change_nothing(member: _Member, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("x,y\n")
    member.refusal = "column 'x' is missing"

    async with _running(member):
        reply = await _reply(member, leave_rows(member.folder.inbox, tmp_path / "new.csv"))

    assert reply == Reply(False, "column 'x' is missing")
    assert member.machine.card().num_rows == NUM_ROWS


@pytest.mark.parametrize(
    ("order", "text"),
    [
        (Order(PROMOTE), "there is no challenger: `fit` makes one"),
        (Order(ROLLBACK), "there is no previous model"),
    ],
)
async def test_an_order_without_an_object_is_refused(
    member: _Member, order: Order, text: str
) -> None:
    async with _running(member):
        reply = await _reply(member, leave_order(member.folder.inbox, order))

    assert reply == Reply(False, text)


async def test_a_challenger_is_promoted_and_rolled_back(member: _Member) -> None:
    inbox = member.folder.inbox
    async with _running(member):
        fit = await _reply(member, leave_order(inbox, Order(FIT)))
        member.handle(Fitted(2, model(NEWER), score(ME, NEWER)))
        promoted = await _reply(member, leave_order(inbox, Order(PROMOTE)))
        back = await _reply(member, leave_order(inbox, Order(ROLLBACK)))

    assert fit == Reply(True, "this member fits now")
    versions = [model(number).version[:8] for number in (NEWER, 1)]
    assert [promoted.text, back.text] == [f"version {v} answers now" for v in versions]
