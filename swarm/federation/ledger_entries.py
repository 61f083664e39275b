"""Ledger entries: signed records of what went wrong or out of the ordinary, and their messages.

Entries are for observers; no peer decides anything by them. Peers pass them on, so each carries
its author's signature.
"""

from dataclasses import dataclass, replace
from functools import cached_property

from swarm.core.canonical import digest_of
from swarm.core.ids import Digest, PeerId, RoundNumber, SessionId
from swarm.core.machine import Event

PAGE_MAX = 32
"""Most entries in one message."""
TEXT_MAX = 256
"""Characters of an entry's text; the author cuts longer ones."""
SEQUENCE_MAX = 2**53
FACTS = frozenset({"name", "site"})
"""Kinds of entries in which an author describes itself, for when it is gone. Only the newest of
a kind counts, and only the author's own. They make no alert."""
_UNSIGNED = frozenset({"signature"})


@dataclass(frozen=True)
class LedgerEntry:
    """One thing that `author` noticed."""

    session: SessionId
    author: PeerId
    sequence: int
    """Grows from one entry of an author to the next, also across restarts."""
    unix_s: float
    """When, by the author's clock: seconds since 1970."""
    kind: str
    """As in `effects.Note`, or one of `FACTS`."""
    round: RoundNumber
    """The round that was being made."""
    subject: PeerId | None
    """The peer that it is about, if any."""
    text: str
    signature: bytes = b""

    def __post_init__(self) -> None:
        if not 0 <= self.sequence <= SEQUENCE_MAX or self.round < 0:
            raise ValueError(f"sequence must be in [0, 2**53], got {self.sequence}")
        if not 0 <= self.unix_s < float("inf"):
            raise ValueError(f"unix_s must be finite and at least 0, got {self.unix_s}")
        if not 1 <= len(self.kind) <= 32 or len(self.text) > TEXT_MAX:
            raise ValueError(f"kind must have 1 to 32 characters, text at most {TEXT_MAX}")

    @cached_property
    def digest(self) -> Digest:
        """Digest of the entry without its signature."""
        return digest_of(self, without=_UNSIGNED)

    @property
    def key(self) -> tuple[PeerId, int]:
        """Identifies the entry; it is kept at most once."""
        return self.author, self.sequence

    @property
    def is_fact(self) -> bool:
        """Whether it gives its author's name or site."""
        return self.kind in FACTS

    def signed(self, signature: bytes) -> "LedgerEntry":
        """The same entry with its author's signature."""
        return replace(self, signature=signature)


@dataclass(frozen=True, slots=True)
class Introduction:
    """What a peer says of itself. Only the site has an effect: on its place in the tree."""

    name: str = ""
    site: str = ""

    @property
    def facts(self) -> dict[str, str]:
        """What is known, by kind of entry."""
        facts = {"name": self.name, "site": self.site}
        return {kind: text for kind, text in facts.items() if text}


@dataclass(frozen=True, slots=True)
class LedgerRequest(Event):
    """`sender` asks for the entries of a peer's ledger from place `first` on."""

    session: SessionId
    sender: PeerId
    first: int

    def __post_init__(self) -> None:
        if not 0 <= self.first <= SEQUENCE_MAX:
            raise ValueError(f"first must be in [0, 2**53], got {self.first}")


@dataclass(frozen=True, slots=True)
class LedgerPage(Event):
    """Entries of a ledger: the answer to a request, or new ones sent to a cluster."""

    session: SessionId
    sender: PeerId
    entries: tuple[LedgerEntry, ...]
    next: int | None
    """In an answer: the place to ask for next. None in a page for a cluster."""
    more: bool = False
    """Whether there are more entries now."""

    def __post_init__(self) -> None:
        if len(self.entries) > PAGE_MAX:
            raise ValueError(f"entries must be at most {PAGE_MAX}, got {len(self.entries)}")
        if self.next is not None and not 0 <= self.next <= SEQUENCE_MAX:
            raise ValueError(f"next must be in [0, 2**53], got {self.next}")
