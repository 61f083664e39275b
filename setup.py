"""Build step: the page's libraries go into the wheel, so that its users need no npm.

Everything else is in pyproject.toml. The libraries are not in the repository: they are copied
from dashboard/node_modules, the files the page asks for and their licences only.
"""

import runpy
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.errors import SetupError

ROOT = Path(__file__).parent
LICENCES = ("LICENSE*", "LICENCE*", "COPYING*")


class BuildPage(build_py):
    """Copies the files; an editable installation goes on using node_modules itself."""

    def run(self) -> None:
        """Build, then copy."""
        super().run()
        if not self.editable_mode:
            self._copy_libraries(Path(self.build_lib) / "dashboard" / "vendor")

    def _copy_libraries(self, target: Path) -> None:
        assets = runpy.run_path(str(ROOT / "dashboard" / "page" / "assets.py"))
        source = ROOT / "dashboard" / "node_modules"
        for file in sorted({path for path, _ in assets["ASSETS"].values()}):
            if not (source / file).is_file():
                raise SetupError(
                    f"{source / file} is missing: the page's libraries go into the wheel;"
                    " run `npm ci --ignore-scripts` in dashboard/ and build again"
                )
            self._copy(source / file, target / file)
            package = Path(*Path(file).parts[: 2 if file.startswith("@") else 1])
            licences = [p for glob in LICENCES for p in (source / package).glob(glob)]
            if not licences:
                raise SetupError(f"{package} has no licence file: it may not be passed on")
            for licence in licences:
                self._copy(licence, target / package / licence.name)

    def _copy(self, source: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


setup(cmdclass={"build_py": BuildPage})
