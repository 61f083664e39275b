"""order_fit(): has all members of an ensemble fit at once, and waits until they have."""

from collections.abc import Iterable
from datetime import UTC, datetime

import trio

from swarm.core.effects import Publish
from swarm.core.ids import PeerId
from swarm.ensemble.messages import FitOrder, MemberCard
from swarm.ensemble.topics import ensemble_topic
from swarm.peer.ensemble.asking import Asking

FIT_WITHIN_S = 600.0
REPEAT_S = 2.0
"""The order is published again until all members have obeyed: pubsub may lose it."""


async def order_fit(asking: Asking, within_s: float = FIT_WITHIN_S) -> None:
    """Order a fit, and wait until each member that is present has fitted.

    A fit on unchanged rows gives the same model again, so versions do not say whether it is over.

    Raises:
        trio.TooSlowError: A member was not done in time; it goes on.
    """
    driver, spec = asking.driver, asking.spec
    before = {card.sender: card.num_fits for card in asking.cards()}
    number = int(datetime.now(UTC).timestamp() * 1000)
    order = Publish(ensemble_topic(spec.id), FitOrder(spec.id, driver.me, number))
    with trio.fail_after(within_s):
        while not _all_done(asking.cards(), before):
            driver.publish(order)
            with trio.move_on_after(REPEAT_S):
                while not _all_done(asking.cards(), before):
                    await driver.changed.wait()


def _all_done(cards: Iterable[MemberCard], before: dict[PeerId, int]) -> bool:
    """Whether each member that was there, and is still, has fitted since."""
    return all(
        card.state != "fitting" and card.num_fits != before[card.sender]
        for card in cards
        if card.sender in before
    )
