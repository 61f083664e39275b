"""The commands for rows find the member that runs here, and say what came of them."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import trio

from swarm.core.errors import ConfigurationError, SwarmError
from swarm.network.lock import hold_state_folder, holder
from swarm.peer.ensemble import local_member
from swarm.peer.ensemble.inbox import Inbox
from swarm.peer.ensemble.local_member import LocalMember, find_local_member, wait_reply
from swarm.peer.ensemble.orders import FIT, Order, leave_order


def _member_folder(state_dir: Path, name: str = "prices", id_start: str = "0123abcd") -> Path:
    path = state_dir / "ensembles" / f"{name}-{id_start}"
    (path / "inbox").mkdir(parents=True)
    (path / "spec.json").write_text(json.dumps({"name": name}))
    return path


@contextmanager
def _running(*state_dirs: Path) -> Iterator[None]:
    with ExitStack() as stack:
        for state_dir in state_dirs:
            stack.enter_context(hold_state_folder(state_dir))
        yield


def test_a_member_that_runs_is_found(tmp_path: Path) -> None:
    path = _member_folder(tmp_path)

    with _running(tmp_path):
        found = find_local_member(tmp_path)

    assert (found.path, found.name) == (path, "prices")
    assert found.pid


@pytest.mark.parametrize("name", ["prices", "0123", "0123abcd99"])
def test_a_member_is_found_by_name_or_id(tmp_path: Path, name: str) -> None:
    _member_folder(tmp_path)
    _member_folder(tmp_path, "other", "ffff0000")

    with _running(tmp_path):
        assert find_local_member(tmp_path, name).name == "prices"


def test_the_member_that_runs_is_chosen_from_the_users_state_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_member, "DEFAULT_STATE", tmp_path)
    for state_dir in ("127.0.0.1-7001", "127.0.0.1-7002"):
        _member_folder(tmp_path / state_dir)

    with _running(tmp_path / "127.0.0.1-7002"):
        assert find_local_member(None).state_dir.name == "127.0.0.1-7002"
    with (
        _running(tmp_path / "127.0.0.1-7001", tmp_path / "127.0.0.1-7002"),
        pytest.raises(ConfigurationError, match="several members fit; choose one with --state"),
    ):
        find_local_member(None)


def test_without_a_member_the_user_reads_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"was ever started .* swarm\.ensemble serve"):
        find_local_member(tmp_path)

    _member_folder(tmp_path)
    with pytest.raises(ConfigurationError, match=r"no member runs .* repeat this command"):
        find_local_member(tmp_path)


def test_the_holder_of_a_state_folder_is_known(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    with _running(tmp_path):
        assert holder(tmp_path)
    assert holder(tmp_path) is None


async def test_a_reply_is_waited_for(tmp_path: Path) -> None:
    member = LocalMember(tmp_path, _member_folder(tmp_path), "prices", 1)

    async def obey(path: Path, name: str) -> str:
        return "all members fit now"

    with _running(tmp_path):
        name = leave_order(member.inbox, Order(FIT, everyone=True))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Inbox(member.inbox, obey, obey).run)
            with trio.fail_after(30):
                reply = await wait_reply(member, name, 30)
            nursery.cancel_scope.cancel()

    assert reply.accepted
    assert reply.text == "all members fit now"


async def test_an_order_that_nobody_takes_is_taken_back(tmp_path: Path) -> None:
    member = LocalMember(tmp_path, _member_folder(tmp_path), "prices", 1)
    name = leave_order(member.inbox, Order(FIT))

    with pytest.raises(SwarmError, match="nothing was changed"):
        await wait_reply(member, name, 30)

    assert not list(member.inbox.iterdir())
