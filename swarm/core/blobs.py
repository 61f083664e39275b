"""BlobRef: a digest and a length that stand in for bytes the deciding ring never holds."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from swarm.core.ids import Digest, is_digest

INLINE_SIZE_MAX = 64 * 1024
"""Bytes; a blob up to this size rides in the announcement that names it."""


@dataclass(frozen=True, slots=True)
class BlobRef:
    """Names immutable bytes by content."""

    digest: Digest
    size_bytes: int

    def __post_init__(self) -> None:
        if not is_digest(self.digest):
            raise ValueError(f"digest must be 64 hexadecimal characters, got {self.digest!r:.80}")
        if self.size_bytes < 1:
            raise ValueError(f"size_bytes must be at least 1, got {self.size_bytes}")

    @property
    def is_small(self) -> bool:
        """Whether the bytes may ride in an announcement."""
        return self.size_bytes <= INLINE_SIZE_MAX


class BlobStore(Protocol):
    """Immutable files by content. Whatever `admit` returned can be read until it is collected."""

    def has(self, ref: BlobRef) -> bool:
        """Say whether the blob is here, verified."""
        ...

    def path(self, ref: BlobRef) -> Path:
        """Where the blob's bytes are; meant for reading only.

        Raises:
            BlobNotFoundError: The blob is not here.
        """
        ...

    def put(self, data: bytes) -> BlobRef:
        """Store bytes.

        Raises:
            StorageError: The disk refused.
        """
        ...

    def admit(self, path: Path, ref: BlobRef) -> None:
        """Move a file our own worker wrote on the same file system into the store."""
        ...

    def keep_only(self, refs: Collection[BlobRef]) -> None:
        """Delete every blob not named in `refs`."""
        ...
