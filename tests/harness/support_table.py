"""check(): a table in docs holds what a test has just found out by trying each case.

A page marks a table by `<!-- table -->` and `<!-- end -->`. A page with several tables names them:
`<!-- table text -->`. After a change, SWARM_WRITE_DOCS=1 in the environment writes the table.
"""

import os
from collections.abc import Sequence
from pathlib import Path

WRITE = "SWARM_WRITE_DOCS"
_END = "<!-- end -->"


def check(path: Path, rows: Sequence[Sequence[str]], name: str = "") -> None:
    """Compare a page's table with rows; rewrite it instead if SWARM_WRITE_DOCS is 1.

    Args:
        path: The page.
        rows: Cells as Markdown; the first row is the heading.
        name: Which table of the page; "" for the one without a name.

    Raises:
        AssertionError: The page has another table, or no such marks.
    """
    page = path.read_text()
    start = f"<!-- table {name} -->" if name else "<!-- table -->"
    assert page.count(start) == 1, f"{path} must have {start} once"
    before, _, rest = page.partition(start)
    assert _END in rest, f"{path} must have {_END} after {start}"
    table, _, after = rest.partition(_END)
    expected = f"\n{markdown(rows)}\n"
    if os.environ.get(WRITE) == "1":
        path.write_text(before + start + expected + _END + after)
        return
    for line, right in zip(table.splitlines(), expected.splitlines(), strict=False):
        assert line == right, f"{path} is out of date; {WRITE}=1 writes its table"
    assert table == expected, f"{path} is out of date; {WRITE}=1 writes its table"


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Rows as a Markdown table; a bar or a line break in a cell is escaped."""
    heading, *others = rows
    assert all(len(row) == len(heading) for row in others), "rows must have the heading's cells"
    lines = (heading, ["---"] * len(heading), *others)
    return "\n".join(f"| {' | '.join(map(_escaped, line))} |" for line in lines)


def _escaped(cell: str) -> str:
    return " ".join(cell.split()).replace("|", "\\|")
