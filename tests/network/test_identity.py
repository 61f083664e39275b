import os

import pytest

from swarm.core.errors import ConfigurationError
from swarm.core.ids import PeerId
from swarm.network.addresses import is_peer_id
from swarm.network.identity import Identity, load_or_create_identity, verify

ANNA, BEN = Identity.generate(b"a" * 32), Identity.generate(b"b" * 32)


def test_an_identity_is_the_same_after_a_restart(tmp_path):
    first = load_or_create_identity(tmp_path / "state")

    assert load_or_create_identity(tmp_path / "state").peer_id == first.peer_id
    assert (tmp_path / "state" / "identity.key").stat().st_mode & 0o777 == 0o600
    assert is_peer_id(first.peer_id)


@pytest.mark.parametrize("damage", [b"", b"garbage", b"\x08\x01\x12\x40" + b"x" * 10])
def test_a_damaged_identity_file_is_refused_by_name(tmp_path, damage):
    (tmp_path / "identity.key").write_bytes(damage)

    with pytest.raises(ConfigurationError, match=r"identity\.key"):
        load_or_create_identity(tmp_path)


def test_a_signature_proves_its_author_and_its_bytes():
    signature = ANNA.sign(b"words")

    assert verify(ANNA.peer_id, b"words", signature)
    assert not verify(BEN.peer_id, b"words", signature)
    assert not verify(ANNA.peer_id, b"other words", signature)


@pytest.mark.parametrize(
    "peer", ["", "x", "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG", "0OIl"]
)
@pytest.mark.parametrize("signature", [b"", b"short", b"x" * 64, os.urandom(500)])
def test_malformed_signatures_and_ids_are_not_valid(peer, signature):
    assert not verify(PeerId(peer), b"words", signature)
    assert not verify(ANNA.peer_id, b"words", signature)
