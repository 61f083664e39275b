"""`python -m swarm.ensemble`: the command line of ensembles, one module for each task."""

from swarm.peer.ensemble import asking_commands, row_commands
from swarm.peer.ensemble.command_app import app
from swarm.peer.host.command_line import run_command

__all__ = ["app", "asking_commands", "main", "row_commands"]


def main() -> int:
    """Run the command line."""
    return run_command(app, "python -m swarm.ensemble")
