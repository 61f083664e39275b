"""The docstring of each package is its table of contents: it lists every module, and no other."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = sorted(
    path.parent for name in ("swarm", "dashboard") for path in (ROOT / name).rglob("__init__.py")
)
_ENTRY = re.compile(
    r"^(?:swarm\.)?([a-z_][a-z0-9_]*(?:, [a-z_][a-z0-9_]*)*)(?: {2,}|$)", re.MULTILINE
)


def modules_of(package: Path) -> set[str]:
    files = {path.stem for path in package.glob("*.py")} - {"__init__"}
    return files | {path.parent.name for path in package.glob("*/__init__.py")}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_package_lists_all_of_its_modules(package: Path) -> None:
    docstring = ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or ""
    listed = {name for entry in _ENTRY.findall(docstring) for name in entry.split(", ")}

    assert modules_of(package) == listed
