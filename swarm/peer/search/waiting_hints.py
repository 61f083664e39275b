"""What a peer that works says of what it waits for: who sees nothing happen wants to know why."""

import sys

import structlog
import trio

from swarm.peer.host.host import Host

ANSWER_WITHIN_S = 5.0
"""After so long without a connection a bootstrap is probably wrong."""

log = structlog.get_logger()


async def warn_if_no_peer_answers(host: Host, within_s: float = ANSWER_WITHIN_S) -> None:
    """Say once that nobody answered, if that is so after some seconds; it goes on trying."""
    if not host.bootstraps:
        return
    with trio.move_on_after(within_s):
        await host.met.wait()
        return
    log.warning(f"nobody answers at {host.bootstraps} yet: is a peer running there?")


def print_worker_hints(host: Host, slots: int) -> None:
    """Say what a worker lacks that it cannot find by itself."""
    if not host.bootstraps:
        _say(
            "Waits for others to join; submit a study with: "
            f"python -m swarm.search run STUDY --bootstrap {host.address}"
        )
    if not slots:
        _say("Waits for other workers: --slots 0 executes no trials here")


def print_study_hints(host: Host, slots: int) -> None:
    """Say how others join a study of this peer, and whether it needs them."""
    _say(f"Others work for it with: python -m swarm.search worker --bootstrap {host.address}")
    if not slots:
        _say("Waits for workers: --slots 0 executes no trials here")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
