"""Inbox: whole files are taken, foreign ones after a rest, wrong ones refused with a reason."""

import json
import os
from pathlib import Path

import pytest

from swarm.core.errors import DataError
from swarm.peer.ensemble import inbox as inbox_module
from swarm.peer.ensemble.inbox import REST_S, Inbox
from swarm.peer.ensemble.orders import (
    FIT,
    PROMOTE,
    REPLIES_FOLDER,
    REPLIES_MAX,
    Order,
    Reply,
    leave_order,
    leave_rows,
    read_order,
    take_reply,
    withdraw,
    write_reply,
)


class _Member:
    """Takes files as a member does; remembers them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.taken: list[str] = []
        self.refuses = ""
        self.inbox = Inbox(folder, self.take_rows, self.take_order)

    async def take_rows(self, path: Path, name: str) -> str:
        if self.refuses:
            raise DataError(f"{name}: {self.refuses}")
        self.taken.append(name)
        return f"{_num_lines(path) - 1} rows"

    async def take_order(self, path: Path, name: str) -> str:
        order = read_order(path)
        self.taken.append(order.order)
        return f"{order.order} {order.everyone}"

    async def scan_twice(self) -> None:
        await self.inbox.take_files(0.0)
        await self.inbox.take_files(REST_S)


def _num_lines(path: Path) -> int:
    return len(path.read_text().splitlines())


@pytest.fixture
def member(tmp_path: Path) -> _Member:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return _Member(folder)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n1,2\n3,4\n")
    return path


async def test_rows_of_a_command_are_taken_at_once_and_answered(
    member: _Member, rows: Path
) -> None:
    name = leave_rows(member.folder, rows)

    assert await member.inbox.take_files(0.0) == 1

    assert member.taken == ["rows.csv"]
    assert take_reply(member.folder, name) == Reply(accepted=True, text="2 rows")
    assert take_reply(member.folder, name) is None
    assert _num_lines(rows) == 3
    assert [path.name for path in member.folder.iterdir()] == [REPLIES_FOLDER]


async def test_refused_rows_are_answered_with_the_reason(member: _Member, rows: Path) -> None:
    name = leave_rows(member.folder, rows)
    member.refuses = "column 'b' must hold numbers"

    await member.inbox.take_files(0.0)

    reply = take_reply(member.folder, name)
    assert reply == Reply(accepted=False, text="rows.csv: column 'b' must hold numbers")


async def test_orders_are_obeyed_in_order(member: _Member) -> None:
    names = [leave_order(member.folder, order) for order in (Order(FIT, True), Order(PROMOTE))]
    for second, name in enumerate(names):
        os.utime(member.folder / name, (second, second))

    await member.inbox.take_files(0.0)

    assert member.taken == [FIT, PROMOTE]
    assert take_reply(member.folder, names[0]) == Reply(accepted=True, text="fit True")


async def test_a_foreign_file_must_rest_before_it_is_read(member: _Member) -> None:
    foreign = member.folder / "mine.csv"
    foreign.write_text("a,b\n")
    await member.inbox.take_files(0.0)

    foreign.write_text("a,b\n1,2\n")
    taken = [await member.inbox.take_files(now_s) for now_s in (REST_S, 1.5 * REST_S)]
    assert taken == [0, 0]
    assert await member.inbox.take_files(2 * REST_S) == 1

    assert member.taken == ["mine.csv"]
    assert (member.folder / "taken" / "mine.csv").exists()
    assert not foreign.exists()


async def test_a_refused_foreign_file_moves_aside_with_its_reason(member: _Member) -> None:
    member.refuses = "no such column"
    for _ in range(2):
        (member.folder / "mine.csv").write_text("a,b\n1,2\n")
        await member.scan_twice()
        member.inbox = Inbox(member.folder, member.take_rows, member.take_order)

    refused = member.folder / "refused"
    assert sorted(path.name for path in refused.iterdir()) == [
        "mine-2.csv",
        "mine-2.csv.reason.txt",
        "mine.csv",
        "mine.csv.reason.txt",
    ]
    assert (refused / "mine.csv.reason.txt").read_text() == "mine.csv: no such column\n"


@pytest.mark.parametrize("name", [".rows.csv.new", "rows.csv.part", "rows.csv.tmp", "rows.csv~"])
async def test_unfinished_files_are_left_alone(member: _Member, name: str) -> None:
    (member.folder / name).write_text("a,b\n1,2\n")

    await member.scan_twice()

    assert not member.taken
    assert (member.folder / name).exists()


async def test_a_file_of_another_kind_is_refused(member: _Member) -> None:
    (member.folder / "rows.json").write_text("{}")

    await member.scan_twice()

    reason = (member.folder / "refused" / "rows.json.reason.txt").read_text()
    assert reason.startswith("rows.json: its name must end with one of .csv, ")


async def test_a_name_that_is_no_text_is_refused(member: _Member) -> None:
    name = os.fsdecode(b"x\xff.csv")
    (member.folder / name).write_text("a,b\n1,2\n")

    await member.scan_twice()

    assert not member.taken
    refused = member.folder / "refused"
    assert (refused / name).exists()
    assert (
        refused / f"{name}.reason.txt"
    ).read_text() == "x\ufffd.csv: its name and folder must be valid UTF-8: rename it\n"


async def test_rows_of_a_command_whose_name_is_no_text_are_refused(
    member: _Member, tmp_path: Path
) -> None:
    source = tmp_path / os.fsdecode(b"x\xff.csv")
    source.write_text("a,b\n1,2\n")
    name = leave_rows(member.folder, source)

    await member.inbox.take_files(0.0)

    reply = take_reply(member.folder, name)
    assert reply is not None
    assert not reply.accepted
    assert not member.taken


async def test_a_value_error_refuses_a_file_and_ends_nothing(
    member: _Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> int:
        raise ValueError("\udcff")

    (member.folder / "rows.csv").write_text("a,b\n1,2\n")
    with monkeypatch.context() as patch:
        patch.setattr(f"{__name__}._num_lines", fail)
        await member.scan_twice()

    assert (member.folder / "refused/rows.csv.reason.txt").read_bytes() == b"?\n"


async def test_a_link_is_refused(member: _Member, rows: Path) -> None:
    (member.folder / "rows.csv").symlink_to(rows)

    await member.scan_twice()

    reason = (member.folder / "refused" / "rows.csv.reason.txt").read_text()
    assert reason == "rows.csv: it must be a regular file, no link\n"
    assert _num_lines(rows) == 3


async def test_a_file_of_another_user_is_refused(
    member: _Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    (member.folder / "rows.csv").write_text("a,b\n1,2\n")
    monkeypatch.setattr(inbox_module.os, "geteuid", lambda: os.stat("/").st_uid + 12345)

    await member.scan_twice()

    assert not member.taken
    assert "must belong to user" in (member.folder / "refused/rows.csv.reason.txt").read_text()


async def test_a_large_file_is_not_read(member: _Member, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swarm.learning.tables.limits.BYTES_MAX", 4)
    (member.folder / "rows.csv").write_text("a,b\n1,2\n")

    await member.scan_twice()

    assert not member.taken
    assert (
        "a table must have at most" in (member.folder / "refused/rows.csv.reason.txt").read_text()
    )


async def test_a_scan_takes_a_bounded_number(
    member: _Member, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "FILES_MAX", 2)
    for _ in range(3):
        leave_rows(member.folder, rows)

    assert [await member.inbox.take_files(now_s) for now_s in (0.0, 1.0, 2.0)] == [2, 1, 0]


async def test_a_watched_folder_takes_no_orders(tmp_path: Path, member: _Member) -> None:
    watched = Inbox(tmp_path / "mine", member.take_rows)
    await watched.take_files(0.0)
    leave_order(tmp_path / "mine", Order(PROMOTE))

    await watched.take_files(1.0)

    assert not member.taken


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("{", "Expecting"),
        ("[" * 4000, ""),
        ("[]", "mapping"),
        ('{"order": "dance"}', "order must be one of fit, promote, rollback, got 'dance'"),
        ('{"order": "promote", "everyone": true}', "everyone is for fit, not for promote"),
        ('{"order": "fit", "everyone": "yes"}', "everyone must be true or false, got 'yes'"),
        ('{"order": "fit", "speed": 1}', "speed"),
    ],
)
def test_a_wrong_order_is_refused(tmp_path: Path, content: str, rule: str) -> None:
    path = tmp_path / "x.order"
    path.write_text(content)

    with pytest.raises(DataError, match=r"the order x\.order is refused") as caught:
        read_order(path)

    assert rule in str(caught.value)


async def test_a_large_order_is_refused(member: _Member) -> None:
    (member.folder / "x.order").write_text(json.dumps({"order": FIT, "note": "x" * 5000}))

    await member.scan_twice()

    assert "at most 4096 bytes" in (member.folder / "refused/x.order.reason.txt").read_text()


def test_a_file_can_be_taken_back_until_it_was_taken(tmp_path: Path) -> None:
    name = leave_order(tmp_path, Order(FIT))

    assert withdraw(tmp_path, name)
    assert not withdraw(tmp_path, name)


def test_old_replies_are_forgotten(tmp_path: Path) -> None:
    for number in range(REPLIES_MAX + 5):
        write_reply(tmp_path, f"{number:04d}", Reply(accepted=True, text=""))

    names = sorted(path.name for path in (tmp_path / REPLIES_FOLDER).iterdir())
    assert len(names) == REPLIES_MAX
    assert names[0] == "0005.json"
