"""The folder of a session: what is read back after a restart; it stays small."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from swarm.commanding.commands import Command
from swarm.core.blobs import BlobRef
from swarm.core.canonical import sha256_hex
from swarm.core.ids import Digest, PeerId, RoundNumber, SessionId
from swarm.core.session import SessionSpec
from swarm.federation.ledger_entries import PAGE_MAX, LedgerEntry
from swarm.federation.messages import Contribution
from swarm.federation.records import Best
from swarm.network.identity import Identity
from swarm.network.wire import signing_bytes
from swarm.peer.federation import session_folder as folder_module
from swarm.peer.federation.session_folder import SessionFolder
from tests.federation.conftest import Session

SESSION, OTHER = (SessionId(sha256_hex(name)) for name in (b"session", b"other"))
IDENTITY = Identity.generate(b"k" * 32)


def entry(sequence: int, session: SessionId = SESSION) -> LedgerEntry:
    made = LedgerEntry(
        session,
        IDENTITY.peer_id,
        sequence,
        1.5,
        "lost",
        RoundNumber(2),
        None,
        f"number {sequence}",
    )
    return made.signed(IDENTITY.sign(signing_bytes(made.digest)))


def command(session: SessionId = SESSION) -> Command:
    made = Command(session, IDENTITY.peer_id, 1, "pause", 99.0)
    return made.signed(IDENTITY.sign(signing_bytes(made.digest)))


@pytest.fixture
def folder(tmp_path: Path) -> SessionFolder:
    return SessionFolder(tmp_path, IDENTITY.peer_id)


def test_a_ledger_of_several_pages_is_read_back_in_its_order(folder: SessionFolder) -> None:
    entries = tuple(entry(k) for k in range(2 * PAGE_MAX + 3))

    folder.save_entries(entries)

    assert folder.load_entries(SESSION) == entries


def test_commands_are_read_back(folder: SessionFolder) -> None:
    folder.save_commands((command(),))

    assert folder.load_commands(SESSION) == (command(),)


def test_what_belongs_to_another_session_is_left_out(folder: SessionFolder) -> None:
    folder.save_entries((entry(1, OTHER),))
    folder.save_commands((command(OTHER),))

    assert (folder.load_entries(SESSION), folder.load_commands(SESSION)) == ((), ())


def test_an_empty_folder_has_nothing(folder: SessionFolder) -> None:
    assert (folder.load_entries(SESSION), folder.load_commands(SESSION)) == ((), ())


def test_a_contribution_with_any_byte_damaged_is_left_out(
    folder: SessionFolder, tmp_path: Path
) -> None:
    blob = BlobRef(sha256_hex(b"weights"), 4)
    digest = Digest(sha256_hex(b"base"))
    made = Contribution(SESSION, IDENTITY.peer_id, digest, 100, blob, 2.5, None)
    folder.save_contribution(made)
    assert folder.load_contribution() == made
    file = tmp_path / "contribution.msgpack"
    data = file.read_bytes()

    for place in range(len(data)):
        file.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert folder.load_contribution() is None
    file.write_bytes(data[:20])
    assert folder.load_contribution() is None


def test_a_session_is_finished_once_the_head_of_its_last_round_is_there(
    folder: SessionFolder,
) -> None:
    assert not folder.is_finished()
    folder.save_spec(SessionSpec(rounds=2))

    answers = []
    for head in Session().chain(2):
        folder.save_head(head)
        answers.append(folder.is_finished())

    assert answers == [False, False, True]


def test_a_session_that_stopped_early_is_finished(folder: SessionFolder) -> None:
    me = IDENTITY.peer_id
    session = Session(SessionSpec(rounds=50, early_stop=2, starter=me), (me,))
    folder.save_spec(session.spec)
    model = Best(RoundNumber(1), 0.5, session.head0.blob)

    answers = []
    for since, head in enumerate(session.chain(3)):
        stopping = replace(head, best=replace(model, num_since=since))
        folder.save_head(stopping.signed(IDENTITY.sign(signing_bytes(stopping.digest))))
        answers.append(folder.is_finished())

    assert answers == [False, False, True, True]


def test_the_digest_of_the_data_is_read_back(folder: SessionFolder) -> None:
    assert folder.load_fingerprint() == ""

    folder.save_fingerprint("abc")

    assert folder.load_fingerprint() == "abc"


@pytest.mark.parametrize("damage", ["cut", "flipped", "forged"])
def test_a_damaged_file_is_left_out_not_believed(
    folder: SessionFolder, tmp_path: Path, damage: str
) -> None:
    if damage == "forged":
        unsigned = Command(SESSION, PeerId(IDENTITY.peer_id), 2, "stop", 99.0)
        folder.save_commands((unsigned,))
    else:
        folder.save_commands((command(),))
        file = tmp_path / "commands.msgpack"
        data = bytearray(file.read_bytes())
        data = data[:-7] if damage == "cut" else data[:-1] + bytes([data[-1] ^ 1])
        file.write_bytes(bytes(data))

    assert folder.load_commands(SESSION) == ()


def test_old_heads_are_deleted_now_and_then(
    folder: SessionFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_module, "HEADS_KEPT_MAX", 10)
    monkeypatch.setattr(folder_module, "PRUNE_EVERY_ROUNDS", 5)
    for head in Session().chain(25):
        folder.save_head(head)

    names = sorted(os.listdir(tmp_path / "heads"))
    assert len(names) == 10
    assert names[-1].startswith("000025-")
