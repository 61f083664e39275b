"""Identity: the Ed25519 key of this peer, and the check of other peers' signatures."""

import functools
import os
from dataclasses import dataclass
from pathlib import Path

from libp2p.crypto.ed25519 import Ed25519PublicKey, create_new_key_pair
from libp2p.crypto.keys import KeyPair, KeyType
from libp2p.crypto.serialization import deserialize_private_key
from libp2p.peer.id import ID

from swarm.core.errors import ConfigurationError
from swarm.core.ids import PeerId

KEY_FILE = "identity.key"


@dataclass(frozen=True, slots=True)
class Identity:
    """A key pair, and the peer id that follows from it."""

    key_pair: KeyPair

    @classmethod
    def generate(cls, seed: bytes | None = None) -> "Identity":
        """Make an identity in memory; equal 32-byte seeds give equal identities."""
        return cls(create_new_key_pair(seed))

    @property
    def peer_id(self) -> PeerId:
        """The public key inside a multihash, in base58."""
        return PeerId(ID.from_pubkey(self.key_pair.public_key).to_base58())

    def sign(self, data: bytes) -> bytes:
        """Sign `data`; `verify` checks the signature with our peer id alone."""
        return self.key_pair.private_key.sign(data)


def load_or_create_identity(state_dir: Path) -> Identity:
    """Read `identity.key` from the state folder; write a new one if there is none.

    Raises:
        ConfigurationError: The file is damaged, or the folder cannot be written.
    """
    path = state_dir / KEY_FILE
    try:
        stored = path.read_bytes()
    except FileNotFoundError:
        return _create(path)
    except OSError as error:
        raise ConfigurationError(f"cannot read the identity file {path}: {error}") from error
    try:
        private_key = deserialize_private_key(stored)
        if private_key.get_type() != KeyType.Ed25519:
            raise ValueError("not an Ed25519 key")
        return Identity(KeyPair(private_key, private_key.get_public_key()))
    except Exception as error:  # protobuf, NaCl and libp2p each raise their own errors
        raise ConfigurationError(
            f"{path} is not a valid Ed25519 identity: restore it from a copy, or move it away "
            "to get a new peer id"
        ) from error


def verify(peer: PeerId, data: bytes, signature: bytes) -> bool:
    """Return whether `peer` signed `data`; False for malformed input."""
    try:
        return _public_key(peer).verify(data, signature)
    except Exception:  # a remote may send anything, and False covers it
        return False


@functools.lru_cache(maxsize=1024)
def _public_key(peer: PeerId) -> Ed25519PublicKey:
    key = ID.from_base58(peer).extract_public_key()
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"{peer!r:.80} does not contain an Ed25519 key")
    return key


def _create(path: Path) -> Identity:
    identity = Identity.generate()
    temporary = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(identity.key_pair.private_key.serialize())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise ConfigurationError(f"cannot write the identity file {path}: {error}") from error
    return identity
