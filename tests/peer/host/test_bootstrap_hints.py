"""A peer whose bootstrap does not answer says so, now and again."""

from dataclasses import dataclass, field

import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from swarm.peer.host.bootstrap_hints import warn_while_nobody_answers


@dataclass
class Host:
    bootstraps: str = "127.0.0.1:1"
    met: trio.Event = field(default_factory=trio.Event)


async def test_it_warns_soon_and_again_until_a_peer_connects(autojump_clock: MockClock) -> None:
    host, began_s = Host(), trio.current_time()
    with capture_logs() as lines:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(warn_while_nobody_answers, host)
            await trio.sleep(5)
            early = len(lines)
            await trio.sleep(60)
            host.met.set()

    assert early == 1
    assert len(lines) == 3
    assert lines[0]["log_level"] == "warning"
    assert lines[0]["detail"].startswith("no peer answers at 127.0.0.1:1 yet: ")
    assert trio.current_time() == began_s + 65


async def test_it_says_nothing_to_a_peer_that_starts_a_swarm_or_was_answered() -> None:
    answered = Host()
    answered.met.set()
    with capture_logs() as lines:
        await warn_while_nobody_answers(Host(bootstraps=""))
        await warn_while_nobody_answers(answered)

    assert lines == []
