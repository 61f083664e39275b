"""The sessions of a host: which are resumed or left, and what a failure of one does to others."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from swarm.commanding.commands import ALL_PEERS, Action, Command
from swarm.core.errors import ConfigurationError, only_error
from swarm.core.ids import PeerId, SessionId
from swarm.core.session import SessionSpec
from swarm.federation.messages import SessionOffer
from swarm.federation.records import GlobalModel
from swarm.peer.federation import sessions as sessions_module
from swarm.peer.federation import trainers
from swarm.peer.federation.peer_settings import PeerSettings
from swarm.peer.federation.session_folder import SessionFolder
from swarm.peer.federation.session_source import SessionSource
from swarm.peer.federation.sessions import Sessions
from swarm.peer.host.commands import Commanded
from swarm.peer.host.outbox import Outbox
from tests.federation.conftest import Session

ME, ANNA = PeerId("me"), PeerId("anna")
SPEC = SessionSpec(rounds=9, starter=ANNA)
CODE = SessionSpec(model="mine:build", starter=ANNA)


class StubNetwork:
    """A network that sends nothing."""

    def keep_connected(self, peers: tuple[PeerId, ...]) -> None:
        """Ignore the peers."""


class StubStore:
    """A store that keeps nothing."""

    def keep_only(self, blobs: object) -> None:
        """Delete nothing."""


class StubHost:
    """A host without a network."""

    me = ME
    failure = None

    def __init__(self, nursery: trio.Nursery) -> None:
        store: Any = StubStore()
        network: Any = StubNetwork()
        self.store = store
        self.outbox = Outbox(network, store, nursery)


@asynccontextmanager
async def _no_worker(*_: object) -> AsyncIterator[None]:
    await trio.lowlevel.checkpoint()
    yield


def opened(folder: Path, nursery: trio.Nursery, *, is_only_workload: bool = True) -> Sessions:
    host: Any = StubHost(nursery)
    settings = PeerSettings("127.0.0.1", 0, folder, bootstraps=(("anna", 1),))  # type: ignore[arg-type]
    return Sessions(host, settings, nursery, is_only_workload=is_only_workload)


def commanded(action: Action, session: SessionId) -> Commanded:
    return Commanded(Command(ALL_PEERS, ANNA, 1, action, 1e9, session=session))


def write_folder(state: Path, spec: SessionSpec, num_rounds: int) -> None:
    folder = SessionFolder.of(state, spec.id, ME)
    folder.save_spec(spec)
    for head in Session().chain(num_rounds):
        folder.save_head(head)


@pytest.fixture
def taken_up(monkeypatch: pytest.MonkeyPatch) -> list[SessionId]:
    """The sessions that are taken up; none of them runs."""
    taken: list[SessionId] = []
    monkeypatch.setattr(Sessions, "_take_up", lambda _self, begin: taken.append(begin.spec.id))

    def saved_heads(folder: SessionFolder, _store: object) -> tuple[GlobalModel, ...]:
        return tuple(Session().chain(len(list((folder.root / "heads").iterdir())) - 1))

    monkeypatch.setattr(sessions_module, "resumable_heads", saved_heads)
    return taken


async def begin(folder: Path, *events: Commanded) -> None:
    async with trio.open_nursery() as nursery:
        sessions = opened(folder, nursery)
        for event in events:
            sessions.handle(event)
        await sessions.begin()
        nursery.cancel_scope.cancel()


async def test_an_unfinished_session_is_resumed(tmp_path: Path, taken_up: list[SessionId]) -> None:
    write_folder(tmp_path, SPEC, 3)

    await begin(tmp_path)

    assert taken_up == [SPEC.id]


async def test_a_session_that_an_operator_ordered_to_leave_is_not_resumed(
    tmp_path: Path, taken_up: list[SessionId]
) -> None:
    write_folder(tmp_path, SPEC, 3)

    await begin(tmp_path, commanded("leave", SPEC.id))

    assert taken_up == []


async def test_a_session_is_resumed_if_the_newest_command_is_to_join_it(
    tmp_path: Path, taken_up: list[SessionId]
) -> None:
    write_folder(tmp_path, SPEC, 3)

    await begin(tmp_path, commanded("leave", SPEC.id), commanded("join", SPEC.id))

    assert taken_up == [SPEC.id]


async def test_an_old_command_to_join_does_not_bring_a_finished_session_back(
    tmp_path: Path, taken_up: list[SessionId]
) -> None:
    write_folder(tmp_path, SPEC, 9)
    async with trio.open_nursery() as nursery:
        sessions = opened(tmp_path, nursery)
        sessions.handle(commanded("join", SPEC.id))
        sessions._choice.carry_out(sessions._choice.machine.start(trio.current_time()))
        sessions._choice.machine._running.add(SessionId("another"))

        sessions.handle(SessionOffer(ANNA, SPEC))
        nursery.cancel_scope.cancel()

    assert taken_up == []


async def test_a_failure_of_the_only_session_ends_the_peer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainers, "open_worker", _no_worker)

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            sessions = opened(tmp_path, nursery)
            await sessions.begin()
            sessions.handle(SessionOffer(ANNA, CODE))
            await trio.sleep_forever()

    with pytest.raises(BaseExceptionGroup) as raised:
        await run()

    error = only_error(raised.value)
    assert isinstance(error, ConfigurationError)
    assert "--allow-model" in str(error)


async def test_a_failure_of_a_session_leaves_other_work_of_the_host_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainers, "open_worker", _no_worker)

    async with trio.open_nursery() as nursery:
        sessions = opened(tmp_path, nursery, is_only_workload=False)
        await sessions.begin()
        sessions.handle(SessionOffer(ANNA, CODE))
        assert sessions._beginning == {CODE.id}
        while sessions._beginning:
            await sessions.changed.wait()
        assert CODE.id not in sessions._host.outbox._kept_blobs
        nursery.cancel_scope.cancel()

    assert not sessions.runs


async def test_a_new_session_does_not_bring_a_finished_one_back(
    tmp_path: Path, taken_up: list[SessionId], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path, SPEC, 9)
    wanted = SessionSpec(rounds=2, starter=ME)
    monkeypatch.setattr(SessionSource, "create", lambda _source: wanted)
    async with trio.open_nursery() as nursery:
        sessions = opened(tmp_path, nursery)
        sessions._settings = replace(sessions._settings, new_session=True)
        await sessions.begin()
        nursery.cancel_scope.cancel()

    assert taken_up == [wanted.id]


async def test_settings_that_differ_from_a_kept_session_are_refused_with_its_folder(
    tmp_path: Path,
) -> None:
    host: Any = None
    settings = PeerSettings("127.0.0.1", 0, tmp_path, session={"rounds": 2})

    with pytest.raises(ConfigurationError) as raised:
        SessionSource(settings, host).check(SPEC, is_first=True, kept_in=tmp_path / "sessions/a")

    assert str(raised.value) == (
        f"{tmp_path}/sessions/a has a session of this peer, which it would resume, but rounds is "
        "9 in that session, not 2: start anew with --new-session, or with another folder (--state)"
    )
