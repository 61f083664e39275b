"""TensorBoard logs hold every round once, in order, at its time."""

from collections import defaultdict

import pytest
from fake_run import BEGAN_UNIX_S, ROUND_S, FakeRun
from fake_source import FakeSource
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.record_writer import masked_crc32c

from dashboard.watching.tensorboard import TensorBoardLog

RUN = FakeRun(6)


def read(folder):
    """Scalars by tag, as (round, time, value)."""
    found = defaultdict(list)
    for file in folder.rglob("events.out.tfevents.*"):
        data = file.read_bytes()
        while data:
            length = int.from_bytes(data[:8], "little")
            record = data[12 : 12 + length]
            check = int.from_bytes(data[12 + length : 16 + length], "little")
            assert check == masked_crc32c(record)
            event = Event.FromString(record)
            for value in event.summary.value:
                found[value.tag].append((event.step, event.wall_time, value.simple_value))
            data = data[16 + length :]
    return found


def test_every_round_is_written_once_with_its_time(tmp_path):
    source = FakeSource(RUN.at(25.0), RUN.past(25.0))
    log = TensorBoardLog(source, tmp_path)
    assert log.write_new() == 3  # rounds 0 to 2
    assert log.write_new() == 0
    source.past = RUN.past(45.0)
    source.show(RUN.at(45.0))

    log.start()
    log.stop()

    (session,) = tmp_path.iterdir()
    assert session.name == RUN.at(0.0)["session"]["id"][:12]
    found = read(tmp_path)
    expected = [
        (r["round"], BEGAN_UNIX_S + r["round"] * ROUND_S, pytest.approx(r["accuracy"]))
        for r in RUN.past(45.0)
    ]
    assert found["global/accuracy"] == expected
    assert len([tag for tag in found if tag.startswith("peers/")]) == 12


def test_nothing_is_written_until_the_past_is_complete(tmp_path):
    shown = RUN.at(25.0)
    shown["history"] = {"first_round": 1, "last_round": 2, "complete": False}
    log = TensorBoardLog(FakeSource(shown, RUN.past(25.0)[1:]), tmp_path)

    assert log.write_new() == 0
    log.stop()

    assert list(tmp_path.iterdir()) == []


def test_a_name_with_slashes_creates_no_folders(tmp_path):
    shown = RUN.at(25.0)
    shown["peers"][0]["name"] = "../../etc/x"
    log = TensorBoardLog(FakeSource(shown, RUN.past(25.0)), tmp_path / "logs")

    log.write_new()
    log.stop()

    assert [p.name for p in tmp_path.iterdir()] == ["logs"]
