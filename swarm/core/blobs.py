"""BlobRef: a digest and a size that stand for bytes the deciding packages never hold."""

from dataclasses import dataclass

from swarm.core.ids import Digest, is_digest

INLINE_SIZE_MAX = 64 * 1024
"""Bytes; a blob up to this size travels inside the message that announces it."""


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
        """Whether the bytes may travel inside the message that announces them."""
        return self.size_bytes <= INLINE_SIZE_MAX
