from pathlib import Path

import pytest

from tests.harness.support_table import check

ROWS = [["model", "what happens"], ["mlp", "trains"], ["a|b", "refused:\nno"]]
TABLE = "| model | what happens |\n| --- | --- |\n| mlp | trains |\n| a\\|b | refused: no |"


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("SWARM_WRITE_DOCS", raising=False)
    path = tmp_path / "page.md"
    path.write_text("# A\n<!-- table -->\n<!-- end -->\nB\n<!-- table text -->\n<!-- end -->\n")
    return path


def test_a_page_is_written_when_asked_and_holds_from_then_on(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AssertionError, match="out of date"):
        check(page, ROWS)

    monkeypatch.setenv("SWARM_WRITE_DOCS", "1")
    check(page, ROWS)
    monkeypatch.delenv("SWARM_WRITE_DOCS")
    check(page, ROWS)

    assert page.read_text() == (
        f"# A\n<!-- table -->\n{TABLE}\n<!-- end -->\nB\n<!-- table text -->\n<!-- end -->\n"
    )


def test_a_row_too_many_or_too_few_is_noticed(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWARM_WRITE_DOCS", "1")
    check(page, ROWS, "text")
    monkeypatch.delenv("SWARM_WRITE_DOCS")

    check(page, ROWS, "text")
    for rows in (ROWS[:-1], [*ROWS, ["x", "y"]]):
        with pytest.raises(AssertionError, match="out of date"):
            check(page, rows, "text")


def test_a_table_that_the_page_lacks_is_named(page: Path) -> None:
    with pytest.raises(AssertionError, match="<!-- table images -->"):
        check(page, ROWS, "images")
