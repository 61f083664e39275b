"""The wheel serves the page without a checkout and without npm."""

import re
import shutil
import subprocess
import sys
import sysconfig
import urllib.request
import zipfile
from pathlib import Path

import pytest

from dashboard.page.assets import ASSETS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
SERVE = """
import sys
sys.path.insert(0, {tests!r})
import dashboard
from fake_run import FakeRun
from fake_source import FakeSource
from dashboard.config import DashboardConfig
from dashboard.server import serve
print(dashboard.__file__, flush=True)
sys.exit(serve(lambda: FakeSource(FakeRun(6).at(29.0)), DashboardConfig(port=0)))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build from a copy, because a build leaves folders behind."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("swarm", "dashboard"):
        unwanted = shutil.ignore_patterns("node_modules", "vendor", "__pycache__")
        shutil.copytree(ROOT / name, source / name, ignore=unwanted)
    (source / "dashboard" / "node_modules").symlink_to(ROOT / "dashboard" / "node_modules")
    folder = tmp_path_factory.mktemp("wheel")
    pip(sys.executable, "wheel", "--no-deps", "--wheel-dir", str(folder), str(source))
    (built,) = folder.glob("*.whl")
    return built


def pip(python: str | Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "-q", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_wheel_contains_the_libraries_and_their_licences_and_nothing_else_of_npm(
    wheel: Path,
) -> None:
    names = [n for n in zipfile.ZipFile(wheel).namelist() if n.startswith("dashboard/")]

    vendored = {n.removeprefix("dashboard/vendor/") for n in names if "/vendor/" in n}
    assert {path for path, _ in ASSETS.values()} <= vendored
    others = vendored - {path for path, _ in ASSETS.values()}
    assert all(re.match("licen[sc]e", Path(n).name, re.IGNORECASE) for n in others)
    assert {Path(n).parts[0] for n in others} == {Path(n).parts[0] for n in vendored}
    assert not any("node_modules" in n for n in names)
    assert "dashboard/templates/index.html" in names
    assert any(n.startswith("dashboard/static/js/") for n in names)


def test_a_new_environment_outside_the_checkout_serves_the_page(
    wheel: Path, tmp_path: Path
) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip(python, "install", "--no-deps", "--no-index", str(wheel))
    # Dependencies come from this environment, which holds no copy of the project itself.
    site = sysconfig.get_path("purelib", vars={"base": str(tmp_path / "venv")})
    Path(site, "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")

    script = SERVE.format(tests=str(Path(__file__).parent))
    with subprocess.Popen(
        [str(python), "-c", script], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        try:
            where = process.stdout.readline().strip()
            url = process.stdout.readline().removeprefix("Dashboard: ").strip()
            page = read(url).decode()
            libraries = {name: read(f"{url}/vendor/{name}") for name in ASSETS}
        finally:
            process.terminate()

    assert Path(where).is_relative_to(tmp_path)
    assert "<title>Swarm</title>" in page
    assert process.returncode == 0
    assert all(libraries.values())
    for path in re.findall(r'(?:src|href)="(static/[^"]+)"', page):
        assert Path(where).parent.joinpath(path.split("?")[0]).is_file()


def read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=20) as answer:  # noqa: S310 (our own server)
        assert answer.status == 200
        return bytes(answer.read())
