"""Hints for the user of a peer that waits: what it waits for, and what to do."""

import sys

from swarm.peer.host.host import Host


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
