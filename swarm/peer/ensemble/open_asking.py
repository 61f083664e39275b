"""open_asking(): finds an ensemble, gets to know its members, and is ready to ask."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio

from swarm.core.errors import NoQuorumError
from swarm.ensemble.spec import EnsembleSpec
from swarm.peer.ensemble.asker_driver import AskerDriver
from swarm.peer.ensemble.asking import Asking
from swarm.peer.ensemble.ensembles import Ensembles, open_ensembles
from swarm.peer.host.bootstrap_hints import warn_while_nobody_answers
from swarm.peer.host.host import Host, open_host
from swarm.peer.host.host_settings import HostSettings

FIND_WITHIN_S = 60.0
"""Seconds in which an ensemble must be offered, and one of its members must have a model."""
FIT_PATIENCE_S = 300.0
OTHERS_WITHIN_S = 30.0
"""Seconds from a new ensemble's first model in which the other members' are waited for."""
SETTLE_S = 2.5
"""Seconds in which members that others have scored are waited for; heartbeats come each 2 s."""


@asynccontextmanager
async def open_asking(
    host: Host, ensembles: Ensembles, spec: EnsembleSpec
) -> AsyncIterator[Asking]:
    """Ask one ensemble on a host that runs, until the block ends."""
    async with trio.open_nursery() as nursery:
        driver = AskerDriver(spec, host, nursery)
        asking = Asking(driver)
        ensembles.add(driver)
        driver.start()
        nursery.start_soon(asking.run)
        try:
            yield asking
        finally:
            ensembles.remove(driver)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_asker(
    settings: HostSettings, name: str = "", within_s: float = FIND_WITHIN_S
) -> AsyncIterator[Asking]:
    """Run a peer that only asks, until the block ends.

    Args:
        settings: Where it listens and which peers it joins.
        name: The ensemble's name, or the beginning of its id; empty for the only one.
        within_s: How long to look for it.

    Raises:
        SwarmError: The ensemble was not found; the message says what was.
    """
    async with (
        open_host(settings) as host,
        open_ensembles(host) as ensembles,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(warn_while_nobody_answers, host)
        spec = await ensembles.find(name, within_s)
        async with open_asking(host, ensembles, spec) as asking:
            yield asking
        nursery.cancel_scope.cancel()


async def wait_members(
    asking: Asking, within_s: float = FIND_WITHIN_S, say: Callable[[str], None] | None = None
) -> None:
    """Wait until a member can answer, and until all members are known that others have scored.

    Args:
        asking: The ensemble.
        within_s: Longest wait for a member that has a model or fits one. A first fit is waited
            for up to `FIT_PATIENCE_S`.
        say: Gets a line of text if members fit their first models, and the user must wait.

    Raises:
        NoQuorumError: No member has a model within the time; the message says what they do.
    """
    driver = asking.driver
    began_s = trio.current_time()
    with trio.move_on_after(within_s):
        await _until(driver, lambda: bool(_can_answer(asking) or _fitting(asking)))
    if _fitting(asking) and not _can_answer(asking):
        if say is not None:
            say(f"{_members_in_words(asking)}; waiting for their first models")
        with trio.move_on_after(FIT_PATIENCE_S):
            await _until(driver, lambda: bool(_can_answer(asking) or not _fitting(asking)))
        # All began together: the others' models, their scores and intervals follow soon.
        with trio.move_on_after(OTHERS_WITHIN_S):
            await _until(driver, lambda: not _first_fits(asking))
            await _until(driver, lambda: _has_interval(asking))
    if _can_answer(asking):
        with trio.move_on_after(SETTLE_S):
            await _until(driver, lambda: _all_known(asking))
        return
    raise NoQuorumError(
        f"no member of ensemble {asking.spec.name!r} has a model after "
        f"{trio.current_time() - began_s:.0f} s: {_members_in_words(asking)}"
    )


async def wait_cards(asking: Asking, within_s: float = FIND_WITHIN_S) -> None:
    """Wait until members are heard, whether or not they have models.

    Raises:
        NoQuorumError: No member was heard within the time.
    """
    with trio.move_on_after(within_s):
        await _until(asking.driver, lambda: bool(asking.cards()))
        await trio.sleep(SETTLE_S)  # each member's next heartbeat
    if not asking.cards():
        raise NoQuorumError(
            f"no member of ensemble {asking.spec.name!r} was heard within {within_s:g} s"
        )


def _can_answer(asking: Asking) -> bool:
    return any(card.champion for card in asking.cards())


def _fitting(asking: Asking) -> bool:
    return any(card.state == "fitting" for card in asking.cards())


def _first_fits(asking: Asking) -> bool:
    """Whether a member fits that has no model yet."""
    return any(card.state == "fitting" and not card.champion for card in asking.cards())


def _has_interval(asking: Asking) -> bool:
    """Whether a member summarised the errors of exactly the models that answer."""
    cards = asking.cards()
    champions = {card.champion.version for card in cards if card.champion}
    return any(card.residuals and champions == {*card.residuals.versions} for card in cards)


def _members_in_words(asking: Asking) -> str:
    cards = asking.cards()
    if not cards:
        return "no member was heard"
    counts = Counter(card.state for card in cards)
    said = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    details = {card.detail for card in cards if card.detail}
    return f"of its members {said}" + (f" ({'; '.join(sorted(details)[:3])})" if details else "")


def _all_known(asking: Asking) -> bool:
    cards = asking.cards()
    scored = {score.owner for card in cards for score in card.scores}
    return scored <= {card.sender for card in cards}


async def _until(driver: AskerDriver, condition: Callable[[], bool]) -> None:
    while not condition():
        await driver.changed.wait()
