"""Transcript: a history in the words of the protocol, for people looking for a bug."""

from collections.abc import Callable, Iterable
from typing import Any

from swarm.core.effects import (
    BlobMissing,
    PeerConnected,
    PeerUnreachable,
    Publish,
    Send,
)
from swarm.core.ids import Digest
from swarm.core.machine import Effect, Event
from swarm.federation.effects import (
    Combine,
    Combined,
    CombineFailed,
    LearnerReady,
    Note,
    SaveHead,
    Started,
    Train,
    TrainingFinished,
)
from swarm.federation.messages import Contribution, HeadHistory, HeadRequest, JoinRequest
from swarm.federation.records import Aggregate, GlobalModel
from swarm.simulation.history import HistoryEntry


class Transcript:
    """Writes each event that had consequences: time, peer, what it got, what it did."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._names: dict[Digest, str] = {}

    def __call__(self, entry: HistoryEntry) -> None:
        """Write the next event of a history."""
        for head in _heads_in(entry):
            self._names.setdefault(head.digest, f"{head.round}/{head.digest[:4]}")
        done = [words for effect in entry.effects if (words := self._did(effect))]
        heard = self._heard(entry.event)
        if heard or done:
            line = "; ".join([heard or "(on its own)", *done])
            self._write(f"{entry.now_s:9.3f} {entry.peer}  {line}")

    def _heard(self, event: Event) -> str:
        words = _HEARD.get(type(event))
        return words(self, event) if words is not None else ""

    def _did(self, effect: Effect) -> str:
        words = _DID.get(type(effect))
        return words(self, effect) if words is not None else ""

    def _record(self, record: GlobalModel | Aggregate | Contribution) -> str:
        if isinstance(record, GlobalModel):
            return f"head {self._name(record.digest)} of {record.author}, term {record.term}"
        base = self._name(record.base)
        if isinstance(record, Contribution):
            return f"contribution of {record.peer} on head {base}"
        names = ", ".join(c.peer for c in record.contributors)
        return f"tier-{record.tier} aggregate of {record.author} ({names}) on head {base}"

    def _name(self, digest: Digest | None) -> str:
        return "(newest)" if digest is None else self._names.get(digest, f"?/{digest[:4]}")


def _heads_in(entry: HistoryEntry) -> Iterable[GlobalModel]:
    if isinstance(entry.event, GlobalModel):
        yield entry.event
    if isinstance(entry.event, HeadHistory):
        yield from entry.event.heads
    if isinstance(entry.event, Started):
        yield from entry.event.heads
    for effect in entry.effects:
        if isinstance(effect, SaveHead):
            yield effect.head
        if isinstance(effect, Publish) and isinstance(effect.message, GlobalModel):
            yield effect.message


def _adopts(self: Transcript, effect: SaveHead) -> str:
    head = effect.head
    merged = "".join(f", merging {self._name(m.head)}" for m in head.merged)
    num_stale_applied = sum(c.base != head.parent for c in head.contributors)
    stale = f", {num_stale_applied} stale" if num_stale_applied else ""
    return (
        f"ADOPTS head {self._name(head.digest)} of {head.author}: "
        f"{len(head.contributors)} contributions{stale}{merged}"
    )


def _combines(self: Transcript, effect: Combine) -> str:
    names = [item.name + " (stale)" * bool(item.stale_base) for item in effect.inputs]
    merge = f", merging {effect.merge.name}" if effect.merge else ""
    return f"COMBINES {', '.join(names)} on head {self._name(effect.base)}{merge}"


def _publishes(self: Transcript, effect: Publish) -> str:
    if isinstance(effect.message, GlobalModel | Aggregate):
        return f"announces {self._record(effect.message)}"
    return ""


def _sends(self: Transcript, effect: Send) -> str:
    if isinstance(effect.message, HeadRequest):
        request = effect.message
        name = self._name(request.digest)
        return f"asks {effect.peer} for head {name} and {request.count - 1} before"
    return ""


def _notes(_self: Transcript, effect: Note) -> str:
    return "" if effect.kind == "head" else f"{effect.kind.upper()}: {effect.text}"


def _combined(self: Transcript, event: Combined) -> str:
    rejected = "".join(f", REJECTED {r.name}: {r.reason}" for r in event.rejected)
    return f"combined on head {self._name(event.base)}{rejected}"


_HEARD: dict[type[Event], Callable[[Transcript, Any], str]] = {
    Started: lambda self, e: (
        f"STARTS with head {self._name(e.heads[-1].digest)}" if e.heads else "STARTS"
    ),
    LearnerReady: lambda self, e: "its learner is ready",
    TrainingFinished: lambda self, e: f"trained from head {self._name(e.base)}",
    Combined: _combined,
    CombineFailed: lambda self, e: f"could not combine: {e.reason}",
    Contribution: lambda self, e: self._record(e),
    Aggregate: lambda self, e: self._record(e),
    GlobalModel: lambda self, e: self._record(e),
    HeadHistory: lambda self, e: (
        f"{len(e.heads)} heads from {e.sender}, first "
        f"{self._name(e.heads[0].digest) if e.heads else 'none'}"
    ),
    HeadRequest: lambda self, e: f"{e.sender} asks for head {self._name(e.digest)}",
    JoinRequest: lambda self, e: f"join request of {e.sender}",
    PeerConnected: lambda self, e: f"connected with {e.peer}",
    PeerUnreachable: lambda self, e: f"cannot reach {e.peer}",
    BlobMissing: lambda self, e: f"weights {e.blob.digest[:4]} are missing",
}

_DID: dict[type[Effect], Callable[[Transcript, Any], str]] = {
    SaveHead: _adopts,
    Combine: _combines,
    Train: lambda self, e: f"trains from head {self._name(e.base)}",
    Publish: _publishes,
    Send: _sends,
    Note: _notes,
}
