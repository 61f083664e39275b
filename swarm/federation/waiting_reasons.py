"""awaited(): what a peer's machine waits for, in a few words, for time-outs."""

from collections.abc import Mapping

from swarm.core.ids import PeerId
from swarm.federation.federation import Federation

NAMED_MAX = 4
"""Peers that one sentence names; of more it gives the number."""


def awaited(machine: Federation, progress: float, now_s: float) -> str:
    """What the machine waits for now; it names the peers concerned.

    Args:
        machine: The machine.
        progress: Finished share of the training under way, 0 to 1.
        now_s: Seconds on the machine's clock.
    """
    if machine.registers.waits:
        return "an operator holds the session"
    if machine.finished:
        return "this peer still measures the last model"
    if machine.held is None:
        num_here = len({*machine.asking(now_s), machine.me})
        return f"{num_here} of {machine.spec.min_peers} peers are here"
    current = machine.round
    if current is None:
        return "this peer is not in the round yet; it asks to join"
    if current.mine is None:
        return f"this peer has trained {progress:.0%} of round {machine.held.round + 1}"
    given = current.announced.contributions.keys() | current.given_up | {machine.me}
    missing = [name_of(p, machine.names) for p in current.home.peers if p not in given]
    verb = "has" if len(missing) == 1 else "have"
    return (
        f"{joined(missing)} {verb} not contributed to round {machine.held.round + 1}"
        if missing
        else f"the contributions to round {machine.held.round + 1} are being combined"
    )


def name_of(peer: PeerId, names: Mapping[PeerId, str]) -> str:
    """The name by which a peer introduced itself, or the end of its id."""
    return names.get(peer) or f"peer {peer[-6:]}"


def joined(names: list[str]) -> str:
    """Names as a list in a sentence.

    Example:
        >>> joined(["a", "b", "c"])
        'a, b and c'
        >>> joined(list("abcdefg"))
        'a, b, c, d and 3 others'
    """
    if len(names) > NAMED_MAX + 1:
        names = [*names[:NAMED_MAX], f"{len(names) - NAMED_MAX} others"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
