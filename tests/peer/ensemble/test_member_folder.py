"""MemberFolder: what a member stores comes back whole, or not at all."""

import json
from pathlib import Path

import pytest

from swarm.core.blobs import BlobRef
from swarm.core.canonical import sha256_hex
from swarm.core.errors import ConfigurationError
from swarm.core.ids import PeerId
from swarm.ensemble.effects import SaveMember
from swarm.ensemble.records import ModelRecord, Score
from swarm.ensemble.spec import EnsembleSpec
from swarm.peer.ensemble.member_folder import find_member_folder, open_member_folder

SPEC = EnsembleSpec("house prices", "regression", input_shape=(3,), founder=PeerId("founder"))
VERSION = sha256_hex(b"a model")


def record(content: bytes = b"a model") -> ModelRecord:
    version = sha256_hex(content)
    blob = BlobRef(version, len(content))
    return ModelRecord(version, "gbr", "skops", blob, 400, 1.75e9, 0.1 + 0.2)


def saved() -> SaveMember:
    score = Score(PeerId("me"), VERSION, 0.0123, 0.16, 400, is_own=True)
    return SaveMember(7, record(), None, record(b"old"), ((PeerId("other"), 3),), (score,))


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    open_member_folder(tmp_path, SPEC).save(saved())

    assert open_member_folder(tmp_path, SPEC).load() == saved()


def test_a_first_life_has_no_state(tmp_path: Path) -> None:
    assert open_member_folder(tmp_path, SPEC).load() is None


def test_the_spec_comes_back_with_its_id(tmp_path: Path) -> None:
    open_member_folder(tmp_path, SPEC)

    for name in ("", "house prices", SPEC.id[:6]):
        found = find_member_folder(tmp_path, name)
        assert found is not None
        assert found.spec == SPEC
        assert found.spec.id == SPEC.id
    assert find_member_folder(tmp_path, "other") is None


def test_ensembles_of_one_name_have_folders_of_their_own(tmp_path: Path) -> None:
    other = EnsembleSpec("house prices", "regression", input_shape=(4,))

    first, second = open_member_folder(tmp_path, SPEC), open_member_folder(tmp_path, other)

    assert first.path != second.path
    with pytest.raises(ConfigurationError, match=f"--ensemble: .*{other.id[:8]}"):
        find_member_folder(tmp_path, "house prices")
    found = find_member_folder(tmp_path, other.id[:8])
    assert found is not None
    assert found.path == second.path


def test_a_name_cannot_lead_out_of_the_state_folder(tmp_path: Path) -> None:
    evil = EnsembleSpec("../../etc", "regression", input_shape=(3,))

    folder = open_member_folder(tmp_path, evil)

    assert folder.path.parent == tmp_path / "ensembles"
    assert folder.path.name == f"etc-{evil.id[:8]}"


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b'{"card": -1}',
        json.dumps({"card": 1, "champion": {"version": "no"}}).encode(),
        b"[" * 10_000,
    ],
)
def test_a_damaged_state_is_named(tmp_path: Path, damage: bytes) -> None:
    folder = open_member_folder(tmp_path, SPEC)
    (folder.path / "member.json").write_bytes(damage)

    with pytest.raises(ConfigurationError, match=r"member\.json is damaged"):
        folder.load()


def test_files_under_way_are_gone_after_a_restart(tmp_path: Path) -> None:
    folder = open_member_folder(tmp_path, SPEC)
    (folder.work / "1.answers").write_bytes(b"half")
    (folder.work / "sub").mkdir()

    open_member_folder(tmp_path, SPEC)

    assert list(folder.work.iterdir()) == []


def test_only_models_that_are_named_are_kept(tmp_path: Path) -> None:
    folder = open_member_folder(tmp_path, SPEC)
    kept, dropped = record(), record(b"old")
    for one in (kept, dropped):
        folder.model(one.version, one.format).write_bytes(b"a model")

    folder.keep_models((kept, None))

    assert folder.model(kept.version, kept.format).exists()
    assert not folder.model(dropped.version, dropped.format).exists()
