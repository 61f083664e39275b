"""Members that answer by a formula, and a host whose network is these members."""

import hashlib
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import trio

from swarm.core.blobs import BlobRef
from swarm.core.effects import Publish
from swarm.core.errors import RemoteProtocolError
from swarm.core.ids import Digest, PeerId
from swarm.core.machine import Event
from swarm.ensemble.messages import Answer, MemberCard, Payload, Question, Refusal
from swarm.ensemble.records import ModelRecord, Score
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble.payloads import decode_rows, encode_answers
from swarm.network.store import FileBlobStore
from swarm.peer.ensemble.asker_driver import AskerDriver
from swarm.peer.ensemble.asking import Asking

ME = PeerId("12D3KooWAsker0")
SPEC = EnsembleSpec("sums", "regression", (), (2,))
Formula = Callable[[Any], Any]


def version_of(peer: PeerId, number: int = 1) -> Digest:
    """The version of a member's model."""
    return Digest(hashlib.sha256(f"{peer} {number}".encode()).hexdigest())


def record_of(peer: PeerId, number: int = 1) -> ModelRecord:
    """The record of a member's model, which was fitted on 100 rows."""
    return ModelRecord(version_of(peer, number), "ridge", "skops", None, 100, 1e9, 1.0)


@dataclass
class Member:
    """One member; it answers with what its formula makes of the rows."""

    peer: PeerId
    formula: Formula
    spec: EnsembleSpec = SPEC
    questions: list[Question] = field(default_factory=list)
    refuses: str = ""
    """Why it refuses; empty to answer, `silence` for no answer."""
    data: bytes | None = None
    """Bytes that it answers instead."""

    def card(self, peers: list[PeerId]) -> MemberCard:
        """Its card, with scores of all members' models."""
        scores = tuple(Score(p, version_of(p), 1.0, 9.0, 100, p == self.peer) for p in peers)
        model = record_of(self.peer)
        return MemberCard(self.spec.id, self.peer, 1, "serving", 1.0, 100, model, scores=scores)

    def answer(self, question: Question, rows: bytes) -> Event | None:
        """What it sends back."""
        self.questions.append(question)
        to = (self.spec.id, self.peer, question.number, question.owner)
        if self.refuses:
            return None if self.refuses == "silence" else Refusal(*to, self.refuses)
        data = self.data
        if data is None:
            values = np.asarray(self.formula(decode_rows(rows, self.spec)), np.float64)
            data = encode_answers(values.reshape(question.rows.num_rows, -1))
        answers = Payload(question.rows.num_rows, inline=data)
        return Answer(*to, version_of(self.peer), answers, 0.001)


class FakeNetwork:
    """Counts refused messages."""

    def __init__(self) -> None:
        self.refused: list[str] = []

    def refuse(self, error: RemoteProtocolError) -> None:
        self.refused.append(str(error))


class FakeHost:
    """A host and its outbox: what is sent to a member is answered in a later step."""

    def __init__(self, folder: Path, members: list[Member], nursery: trio.Nursery) -> None:
        self.me = ME
        self.failure = None
        self.network = FakeNetwork()
        self.store = FileBlobStore(folder / "blobs")
        self.outbox = self
        self.published: list[Event] = []
        self.kept: dict[str, frozenset[BlobRef]] = {}
        self.driver: AskerDriver | None = None
        self.members = {member.peer: member for member in members}
        self._nursery = nursery

    def send(self, peer: PeerId, message: Event) -> None:
        if isinstance(message, Question):
            self._nursery.start_soon(self._answer, self.members[peer], message)

    def publish(self, effect: Publish) -> None:
        self.published.append(effect.message)

    def subscribe(self, key: str, topic: str) -> None:
        pass

    def keep_connected(self, key: str, peers: tuple[PeerId, ...]) -> None:
        pass

    def keep_blobs(self, key: str, blobs: frozenset[BlobRef]) -> None:
        self.kept[key] = blobs
        self.store.keep_only(frozenset().union(*self.kept.values()))

    def forget(self, key: str) -> None:
        pass

    def admit(self, key: str, path: Path, blob: BlobRef) -> None:
        self.store.admit(path, blob)

    async def _answer(self, member: Member, question: Question) -> None:
        await trio.sleep(0.01)
        blob = question.rows.blob
        rows = question.rows.inline if blob is None else self.store.read(blob)
        answer = member.answer(question, rows)
        if answer is not None and self.driver is not None:
            self.driver.handle(answer)


@asynccontextmanager
async def asked(folder: Path, members: list[Member], spec: EnsembleSpec = SPEC):
    """An asker that knows these members; yields `Asking` and the host."""
    async with trio.open_nursery() as nursery:
        host = FakeHost(folder, members, nursery)
        driver = AskerDriver(spec, host, nursery)  # type: ignore[arg-type]
        host.driver = driver
        driver.start()
        peers = [member.peer for member in members]
        for member in members:
            driver.handle(member.card(peers))
        asking = Asking(driver)
        nursery.start_soon(asking.run)
        yield asking, host
        nursery.cancel_scope.cancel()
