"""What a run achieved, read from its peers' state folders: one lineage, nothing counted twice."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from swarm.core.ids import Digest, PeerId
from swarm.federation.records import GlobalModel
from swarm.network.identity import load_or_create_identity, verify
from swarm.peer.host.wire import decode


@dataclass(frozen=True, slots=True)
class Run:
    """All adopted heads of a run, seen from the greatest one."""

    lineage: tuple[GlobalModel, ...]
    """The lineage, from the oldest head to the greatest."""
    lost: tuple[GlobalModel, ...]
    """Heads adopted by peers other than their author, yet not behind the greatest head."""
    late: tuple[GlobalModel, ...]
    """Heads that a hung author completed too late, so that no other peer adopted them."""
    counted_twice: tuple[tuple[PeerId, Digest], ...]
    """Contribution keys that the lineage names more than once."""

    @property
    def rounds(self) -> list[int]:
        """Round numbers of the lineage: 0, 1, 2, ... when none is missing."""
        return [head.round for head in self.lineage]

    @property
    def lost_rounds(self) -> list[int]:
        """Rounds with an adopted head that is not behind the greatest one."""
        return sorted({head.round for head in self.lost})


def read_run(state_dirs: Iterable[Path]) -> Run:
    """Read the heads of all peers of a run."""
    heads: dict[Digest, GlobalModel] = {}
    followed: set[Digest] = set()
    for state_dir in state_dirs:
        owner = load_or_create_identity(state_dir).peer_id
        for path in sorted(state_dir.glob("sessions/*/heads/*.head")):
            head = read_head(path)
            heads[head.digest] = head
            if owner != head.author:
                followed.add(head.digest)
    if not heads:
        return Run((), (), (), ())
    greatest = max(heads.values(), key=lambda head: head.key)
    past = _past(greatest, heads)
    others = [head for digest, head in heads.items() if digest not in past]
    keys = Counter((c.peer, c.base) for head in past.values() for c in head.contributors)
    return Run(
        lineage=_ancestors(greatest, heads)[::-1],
        lost=tuple(head for head in others if head.digest in followed),
        late=tuple(head for head in others if head.digest not in followed),
        counted_twice=tuple(key for key, count in keys.items() if count > 1),
    )


def find_head(state_dir: Path, digest: str) -> GlobalModel:
    """A head that a peer adopted."""
    (path,) = state_dir.glob(f"sessions/*/heads/*-{digest[:16]}.head")
    return read_head(path)


def read_head(path: Path) -> GlobalModel:
    """A head's record from its file; its author's signature is checked."""
    message = decode(path.read_bytes(), PeerId(""), verify).message
    if not isinstance(message, GlobalModel):
        raise ValueError(f"{path} must hold a head, got {type(message).__name__}")
    return message


def _ancestors(
    newest: GlobalModel, heads: Mapping[Digest, GlobalModel]
) -> tuple[GlobalModel, ...]:
    lineage = [newest]
    while (parent := heads.get(lineage[-1].parent or Digest(""))) is not None:
        lineage.append(parent)
    return tuple(lineage)


def _past(newest: GlobalModel, heads: Mapping[Digest, GlobalModel]) -> dict[Digest, GlobalModel]:
    """A head and all that is behind it: its ancestors, and those of merged heads."""
    past: dict[Digest, GlobalModel] = {}
    waiting: list[Digest | None] = [newest.digest]
    while waiting:
        head = heads.get(waiting.pop() or Digest(""))
        if head is not None and head.digest not in past:
            past[head.digest] = head
            waiting += [head.parent, *(merge.head for merge in head.merged)]
    return past
