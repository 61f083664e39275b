"""OwnWork: what this peer is training from, and its contributions that no head names yet."""

from swarm.core.blobs import BlobRef
from swarm.core.ids import Digest, PeerId
from swarm.federation.ancestry import Window
from swarm.federation.messages import Contribution
from swarm.federation.records import GlobalModel


class OwnWork:
    """Keeps every own contribution while it may count.

    Invariant: at most one contribution per base.
    """

    def __init__(self, me: PeerId) -> None:
        self._me = me
        self._contributions: dict[Digest, Contribution] = {}
        self._bases: dict[Digest, GlobalModel] = {}
        self._training: GlobalModel | None = None

    def starts(self, base: GlobalModel) -> None:
        """Note that training from `base` was asked for; it replaces any other."""
        self._training = base

    def ended(self, base: Digest) -> GlobalModel | None:
        """Note that training from `base` ended, well or not; return its head if it was awaited."""
        training = self._training
        if training is None or training.digest != base:
            return None
        self._training = None
        return training

    def stops(self) -> None:
        """Note that nothing is being trained."""
        self._training = None

    def busy_elsewhere(self, held: GlobalModel | None) -> bool:
        """Whether training from another head than the held one is under way."""
        return self._training is not None and self._training is not held

    def give_up_useless(self, window: Window) -> None:
        """Forget about training whose result could not count in the round of this window."""
        training = self._training
        if training is None:
            return
        if window.find(training.digest) is None or (self._me, training.digest) in window.named:
            self._training = None

    def keep(self, contribution: Contribution, base: GlobalModel) -> None:
        """Remember a contribution and the head it was trained from."""
        self._contributions[contribution.base] = contribution
        self._bases[contribution.base] = base

    def of(self, base: Digest) -> Contribution | None:
        """The contribution trained from this head."""
        return self._contributions.get(base)

    def may_apply_stale(self, window: Window) -> list[Contribution]:
        """Stale contributions that may count in the round of this window, newest first."""
        kept = (self._contributions.get(head.digest) for head in window.heads[1:])
        return [c for c in kept if c is not None and window.may_apply_stale(c.contributor)]

    def forget_counted(self, window: Window) -> None:
        """Drop contributions that the lineage names, or that are too old to count."""
        kept = {window.base.digest, *(c.base for c in self.may_apply_stale(window))}
        self._contributions = {d: c for d, c in self._contributions.items() if d in kept}
        self._bases = {d: head for d, head in self._bases.items() if d in kept}

    def blobs(self) -> frozenset[BlobRef]:
        """Weights of contributions and of their bases: combining a stale one needs both."""
        mine = frozenset(c.blob for c in self._contributions.values())
        return mine | {head.blob for head in self._bases.values()}
