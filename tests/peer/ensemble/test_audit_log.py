"""The audit log: one line a question, bounded, and summed up by asker."""

from datetime import UTC, datetime
from pathlib import Path

from swarm.core.ids import PeerId
from swarm.peer.ensemble.audit_log import AskerTotal, AuditLog, read_totals

ANA, BEN = PeerId("ana"), PeerId("ben")
NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
NOON_TEXT = "2026-12-01T12:00:00.000Z"


def test_questions_are_summed_up_by_asker(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.log")

    log.write(ANA, 10, "answered", NOON)
    log.write(BEN, 100, "answered", NOON)
    log.write(ANA, 7, "budget", NOON)

    assert read_totals(tmp_path / "audit.log") == [
        AskerTotal(BEN, 1, 100, 0, NOON_TEXT),
        AskerTotal(ANA, 2, 10, 1, NOON_TEXT),
    ]


def test_the_log_is_bounded(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.log", size_max=1000)

    for _ in range(100):
        log.write(ANA, 1, "answered", NOON)

    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2 * 1100
    assert 10 <= read_totals(tmp_path / "audit.log")[0].num_questions < 100


def test_a_line_that_a_crash_cut_off_is_left_out(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.log")
    log.write(ANA, 10, "answered", NOON)
    with (tmp_path / "audit.log").open("a") as file:
        file.write('{"time": "2026')

    assert read_totals(tmp_path / "audit.log") == [AskerTotal(ANA, 1, 10, 0, NOON_TEXT)]


def test_no_log_is_no_question(tmp_path: Path) -> None:
    assert read_totals(tmp_path / "audit.log") == []
