"""`python -m swarm.ensemble`: the command line of ensembles, one module for each task."""

from swarm.peer.ensemble import asking_commands, row_commands, serve_commands
from swarm.peer.ensemble.command_app import app
from swarm.peer.host.command_line import run_command

MODULES = (serve_commands, asking_commands, row_commands)
"""Each adds its commands to `app` when it is imported."""


def main() -> int:
    """Run the command line."""
    return run_command(app, "python -m swarm.ensemble")
