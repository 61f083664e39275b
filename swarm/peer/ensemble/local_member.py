"""find_local_member(): the member on this machine that a command is for."""

import json
from dataclasses import dataclass
from pathlib import Path

import trio

from swarm.core.errors import ConfigurationError, SwarmError
from swarm.network.lock import holder
from swarm.peer.ensemble.orders import Reply, take_reply, withdraw
from swarm.peer.host.host_settings import DEFAULT_STATE

ENSEMBLES_FOLDER, SPEC, INBOX = "ensembles", "spec.json", "inbox"
POLL_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class LocalMember:
    """A member's folder on this machine."""

    state_dir: Path
    path: Path
    name: str
    """The ensemble's name."""
    pid: int | None
    """The process that holds the state folder; None if no member runs."""

    @property
    def inbox(self) -> Path:
        """Where rows and orders are left."""
        return self.path / INBOX


def find_local_member(
    state_dir: Path | None, name: str = "", *, running: bool = True
) -> LocalMember:
    """Find the member that a command is for.

    Args:
        state_dir: The peer's state folder; None for all in the user's state folder.
        name: Name of the ensemble, or the beginning of its id; empty for the only one.
        running: Whether its process must run.

    Raises:
        ConfigurationError: None fits, or several do; the message says what to do.
    """
    folders = [state_dir] if state_dir is not None else sorted(DEFAULT_STATE.glob("*"))
    found = [one for folder in folders for one in _members(folder, name)]
    where = f"in {state_dir}" if state_dir is not None else f"below {DEFAULT_STATE}"
    wanted = f" of ensemble {name!r}" if name else ""
    if not found:
        raise ConfigurationError(
            f"no member{wanted} was ever started {where}: start one with "
            "`python -m swarm.ensemble serve`, or name its state folder with --state"
        )
    chosen = [one for one in found if one.pid is not None] or ([] if running else found)
    if not chosen:
        raise ConfigurationError(
            f"no member{wanted} runs {where}: start it with `python -m swarm.ensemble serve`, and "
            "repeat this command"
        )
    if len(chosen) > 1:
        listed = ", ".join(f"{one.name} in {one.state_dir}" for one in chosen)
        raise ConfigurationError(
            f"several members fit; choose one with --state or --ensemble: {listed}"
        )
    return chosen[0]


async def wait_reply(member: LocalMember, name: str, within_s: float) -> Reply:
    """Wait for a member's reply to a file in its inbox.

    Raises:
        SwarmError: None came in time, or the member ended.
    """
    with trio.move_on_after(within_s):
        while True:
            reply = take_reply(member.inbox, name)
            if reply is not None:
                return reply
            if holder(member.state_dir) is None:
                break
            await trio.sleep(POLL_EVERY_S)
    if withdraw(member.inbox, name):
        raise SwarmError(
            f"the member in {member.state_dir} did not take it within {within_s:g} s; nothing was "
            "changed. Its log says whether it still runs"
        )
    raise SwarmError(
        f"the member in {member.state_dir} took it, but did not say within {within_s:g} s what "
        "came of it: see its log, or wait longer with --timeout"
    )


def _members(state_dir: Path, name: str) -> list[LocalMember]:
    paths = sorted((state_dir / ENSEMBLES_FOLDER).glob(f"*/{SPEC}"))
    names = {path.parent: _ensemble_name(path) for path in paths}
    by_name = [folder for folder, found in names.items() if not name or found == name]
    # A folder's name ends with the beginning of the ensemble's id.
    by_id = [folder for folder in names if folder.name.rpartition("-")[2].startswith(name[:8])]
    pid = holder(state_dir)
    return [LocalMember(state_dir, folder, names[folder], pid) for folder in by_name or by_id]


def _ensemble_name(path: Path) -> str:
    try:
        return str(json.loads(path.read_bytes())["name"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigurationError(f"{path} is damaged: {error}") from error
