"""pre/install.sh on simulated Debian, Ubuntu, Fedora and macOS.

The script only sees the commands of this test. A folder holds what they find, and the requests
to the package manager. They find whatever was installed before.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "pre" / "install.sh"
TOOLS = ("bash", "basename", "cat", "cut", "dirname", "sed", "tr", "touch", "awk", "cp")
NOBODY = 65534
PYTHON = """#!/bin/bash
# Python as install.sh uses it; {has} holds what is installed.
case $2 in
*version_info*) [[ -e {has}/python ]] ;;
*ensurepip*) [[ -e {has}/venv ]] ;;
*sysconfig*) echo /include ;;
esac
"""
COMPILER = """#!/bin/bash
# Finds a header if {has} holds it.
header=$(sed -n 's/.*<\\(.*\\)>.*/\\1/p')
[[ -e {has}/$header ]]
"""
MANAGER = """#!/bin/bash
# Records each request, and provides the package from then on.
if [[ $1 == --prefix ]]; then echo /opt/homebrew; exit; fi
echo "{name} $*" >>{asked}
for package; do
    case $package in
    python3 | python@3.12) touch {has}/python {has}/venv {has}/Python.h ;;
    python3-venv | python3-libs) touch {has}/venv ;;
    python3-dev | python3-devel) touch {has}/Python.h ;;
    libgmp-dev | gmp-devel | gmp) touch {has}/gmp.h ;;
    gcc) cp {spare}/cc {bin}/cc ;;
    esac
done
"""
EVERYTHING = ("python", "venv", "Python.h", "gmp.h", "compiler")


class Machine:
    """A project folder, with the commands that install.sh sees."""

    def __init__(self, folder: Path, system: str, manager: str | None) -> None:
        self.folder = folder
        self.bin, self.has, self.spare = folder / "bin", folder / "has", folder / "spare"
        self.asked = folder / "asked"
        for place in (self.bin, self.has, self.spare, folder / "pre"):
            place.mkdir()
        shutil.copy(SCRIPT, folder / "pre")
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found is not None
            (self.bin / tool).symlink_to(found)
        self._write(self.bin / "uname", f"#!/bin/bash\necho {system}\n")
        self._write(self.bin / "python3", PYTHON)
        self._write(self.spare / "cc", COMPILER)
        self._write(folder / "run.sh", "#!/bin/bash\necho run.sh $*\n")
        if manager is not None:
            self._write(self.bin / manager, MANAGER.replace("{name}", manager))

    def _write(self, path: Path, text: str) -> None:
        for name in ("has", "asked", "spare", "bin"):
            text = text.replace(f"{{{name}}}", str(getattr(self, name)))
        path.write_text(text)
        path.chmod(0o755)

    def give(self, *things: str) -> "Machine":
        """Install something before the script runs."""
        for thing in things:
            if thing == "compiler":
                shutil.copy(self.spare / "cc", self.bin / "cc")
            else:
                (self.has / thing).touch()
        return self

    def install(self, *arguments: str, as_nobody: bool = False) -> tuple[int, list[str]]:
        """Return the exit code of install.sh and the lines that it printed."""
        done = subprocess.run(
            [self.folder / "pre" / "install.sh", *arguments],
            env={"PATH": str(self.bin)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            user=NOBODY if as_nobody and os.geteuid() == 0 else None,
        )
        return done.returncode, done.stdout.splitlines()

    @property
    def orders(self) -> list[str]:
        """The requests to the package manager."""
        return self.asked.read_text().splitlines() if self.asked.exists() else []


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users can read, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


DEBIAN_PACKAGES = "python3 python3-venv python3-dev gcc libc6-dev libgmp-dev"
FEDORA_PACKAGES = "python3 python3-devel gcc glibc-devel gmp-devel"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="installs as root only")


@pytest.mark.parametrize(
    ("system", "manager"),
    [("Linux", "apt-get"), ("Linux", "dnf"), ("Darwin", "brew"), ("FreeBSD", None)],
)
def test_nothing_is_installed_and_no_root_is_needed_if_nothing_is_missing(
    folder: Path, system: str, manager: str | None
) -> None:
    machine = Machine(folder, system, manager).give(*EVERYTHING)

    code, said = machine.install(as_nobody=True)

    assert code == 0
    assert said[:2] == ["This machine has everything that peers need.", "run.sh setup"]
    assert machine.orders == []


@pytest.mark.parametrize(
    ("manager", "order"),
    [
        ("apt-get", f"apt-get install -y --no-install-recommends {DEBIAN_PACKAGES}"),
        ("dnf", f"dnf install -y {FEDORA_PACKAGES}"),
    ],
)
def test_on_a_bare_linux_missing_packages_are_listed_and_only_root_installs_them(
    folder: Path, manager: str, order: str
) -> None:
    machine = Machine(folder, "Linux", manager)

    checked, check_said = machine.install("--check")
    refused, said = machine.install(as_nobody=True)

    assert checked == refused == 1
    assert check_said[:2] == ["Missing:", "  Python 3.11 or newer"]
    assert check_said[-1] == f"To install it, run: {order}"
    assert said[-1] == f"  sudo {order}"
    assert machine.orders == []


@needs_root
@pytest.mark.parametrize(
    ("manager", "orders"),
    [
        (
            "apt-get",
            [
                "apt-get update -qq",
                f"apt-get install -y --no-install-recommends {DEBIAN_PACKAGES}",
            ],
        ),
        ("dnf", [f"dnf install -y {FEDORA_PACKAGES}"]),
    ],
)
def test_root_on_a_bare_linux_installs_everything(
    folder: Path, manager: str, orders: list[str]
) -> None:
    machine = Machine(folder, "Linux", manager)

    code, said = machine.install()

    assert code == 0, said
    assert machine.orders == orders
    assert "run.sh setup" in said


def test_only_missing_packages_are_requested(folder: Path) -> None:
    machine = Machine(folder, "Linux", "dnf").give("python", "venv", "Python.h", "compiler")

    _, said = machine.install("--check")

    assert said == ["Missing:", "  GMP's headers", "To install it, run: dnf install -y gmp-devel"]


def test_a_mac_installs_with_homebrew_and_without_root(folder: Path) -> None:
    machine = Machine(folder, "Darwin", "brew").give("compiler")

    code, said = machine.install()

    assert code == 0, said
    assert machine.orders == ["brew install python@3.12 gmp"]


def test_a_mac_without_compiler_or_homebrew_prints_how_to_get_them(folder: Path) -> None:
    machine = Machine(folder, "Darwin", None)

    no_compiler, first = machine.install()
    no_homebrew, second = machine.give("compiler").install()

    assert no_compiler == no_homebrew == 1
    assert first[-1] == "Run this command first. It needs no root: xcode-select --install"
    assert second[-1].split("(")[0].strip() == "brew install python@3.12 gmp"


def test_an_unknown_system_prints_what_is_missing(folder: Path) -> None:
    code, said = Machine(folder, "FreeBSD", None).install()

    assert code == 1
    assert said[-1].startswith("This is neither Debian, Ubuntu, Fedora nor macOS")


@needs_root
def test_an_installation_that_does_not_help_is_reported_as_failed(folder: Path) -> None:
    machine = Machine(folder, "Linux", "dnf")
    (machine.bin / "dnf").write_text("#!/bin/bash\n")

    code, said = machine.install()

    assert code == 1
    assert "Still missing after the installation:" in said
    assert "run.sh setup" not in said
