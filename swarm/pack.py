"""`python -m swarm.pack SOURCE out.npz` and `swarm.pack()`: one `.npz` file from any data."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from swarm.core.errors import ConfigurationError, DataError
from swarm.learning.datasets.pack import pack
from swarm.learning.progress import Progress
from swarm.peer.host.command_line import run_command

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


class _CallableModule(ModuleType):
    """Makes `swarm.pack(...)` work also after this module was imported."""

    def __call__(self, *args: Any, **options: Any) -> Path:
        return pack(*args, **options)


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def main(
    source: Annotated[Path, typer.Argument(help="File or folder, as --data takes it.")],
    target: Annotated[Path, typer.Argument(help="The .npz file to write.")],
) -> None:
    """Write the examples of SOURCE to one .npz file."""
    if target.suffix != ".npz":
        raise ConfigurationError(f"the file to write must end in .npz, got {target}")
    try:
        pack(source, target, progress=_show)
    except DataError as error:
        raise ConfigurationError(str(error)) from error
    print(f"wrote {target}")


def _show(progress: Progress) -> None:
    print(f"{progress.text}: {progress.fraction:.0%}", file=sys.stderr)


sys.modules[__name__].__class__ = _CallableModule

if __name__ == "__main__":
    sys.exit(run_command(app, "python -m swarm.pack"))
