"""Hints for the user of a peer that waits: what it waits for, and what to do."""

import sys

import structlog
import trio

from swarm.peer.host.host import Host

ANSWER_WITHIN_S = 5.0
"""After this time without a connection, the bootstrap address is probably wrong."""

log = structlog.get_logger()


async def warn_if_no_peer_answers(host: Host, within_s: float = ANSWER_WITHIN_S) -> None:
    """Log a warning if no peer answers within some seconds; the host goes on trying."""
    if not host.bootstraps:
        return
    with trio.move_on_after(within_s):
        await host.met.wait()
        return
    log.warning(f"no peer answers at {host.bootstraps} yet: is a peer running there?")


def print_worker_hints(host: Host, slots: int) -> None:
    """Print what a worker cannot find by itself: other peers, or slots."""
    if not host.bootstraps:
        _print(
            "Waiting for other peers. Submit a study with: "
            f"python -m swarm.search run STUDY --bootstrap {host.address}"
        )
    if not slots:
        _print("Waiting for other workers: with --slots 0 no trial runs here.")


def print_study_hints(host: Host, slots: int) -> None:
    """Print how other peers join a study of this peer, and whether it needs them."""
    _print(f"Start workers with: python -m swarm.search worker --bootstrap {host.address}")
    if not slots:
        _print("Waiting for workers: with --slots 0 no trial runs here.")


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
