"""A small ensemble for tests of its machines, and values by name."""

from typing import Any

from swarm.core.blobs import BlobRef
from swarm.core.ids import Digest, PeerId
from swarm.ensemble.messages import MemberCard, Payload
from swarm.ensemble.records import ModelRecord, Score
from swarm.ensemble.spec import EnsembleSpec

ME, OTHER, THIRD, ASKER = PeerId("me"), PeerId("other"), PeerId("third"), PeerId("asker")


def make_spec(**fields: Any) -> EnsembleSpec:
    """An ensemble that predicts a number from two arrays' numbers."""
    return EnsembleSpec(
        **{"name": "houses", "task": "regression", "input_shape": (2,), "founder": OTHER, **fields}
    )


def digest(number: int) -> Digest:
    """A digest that is easy to tell from others."""
    return Digest(f"{number:064x}")


def model(number: int, *, at_home: bool = False, num_rows: int = 100) -> ModelRecord:
    """A model whose version is `digest(number)`."""
    blob = None if at_home else BlobRef(digest(number), 1000)
    return ModelRecord(digest(number), "gbr", "skops", blob, num_rows, 1.0, 1.0)


def score(owner: PeerId, number: int, loss: float = 1.0, *, is_own: bool = False) -> Score:
    """A score of the model `digest(number)`."""
    return Score(owner, digest(number), loss, 2.0, 50, is_own)


def card(sender: PeerId, number: int, champion: ModelRecord | None, **fields: Any) -> MemberCard:
    """A card of another member."""
    state = "serving" if champion else "waiting"
    return MemberCard(make_spec().id, sender, number, state, 0.0, 100, champion=champion, **fields)


def payload(num_rows: int = 1, data: bytes = b"rows") -> Payload:
    """Rows or answers that ride along."""
    return Payload(num_rows, data)
