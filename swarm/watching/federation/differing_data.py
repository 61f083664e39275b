"""Alerts about peers whose data differ enough from other peers' data to harm training."""

from collections.abc import Mapping
from statistics import median, median_low

from swarm.core.data_summary import DataSummary
from swarm.core.ids import PeerId, RoundNumber
from swarm.core.session import SessionSpec
from swarm.federation.messages import Status
from swarm.watching.federation.alerts import Alert

REACH_RATIO = 20.0
"""Inputs in 0..255 at one site and 0..1 at another differ 255-fold; sites' own ranges far less."""
MEAN_DEVIATIONS = 3.0
NUM_TEST_MIN = 50
"""An accuracy measured on fewer examples moves by more than 2 % with each of them."""


def alerts_of_data(statuses: Mapping[PeerId, Status], spec: SessionSpec) -> list[Alert]:
    """Alerts about own data, as the peers summarise them.

    Args:
        statuses: The newest status of each peer, including peers that are gone.
        spec: The session. Parts of a named data set differ on purpose, so they are not compared.
    """
    if spec.dataset != "own":
        return []
    data = {peer: s.data for peer, s in sorted(statuses.items()) if s.data is not None}
    found = []
    for peer, summary in data.items():
        others = [other for name, other in data.items() if name != peer]
        text = _difference(peer, summary, others) if others else ""
        if not text and 0 < summary.num_classes < spec.num_classes:
            text = (
                f"{peer} has training examples of {summary.num_classes} of "
                f"{spec.num_classes} classes"
            )
        if text:
            found.append(_alert(peer, text))
    for peer, status in sorted(statuses.items()):
        if 0 < status.num_test < NUM_TEST_MIN:
            text = f"{peer} measures accuracy on {status.num_test} examples only"
            found.append(_alert(peer, text))
    return found


def _difference(peer: PeerId, mine: DataSummary, others: list[DataSummary]) -> str:
    usual = median_low(other.reach for other in others)
    if mine.reach > REACH_RATIO * max(usual, 1e-9):
        typical = next(other for other in others if other.reach == usual)
        return (
            f"the inputs of {peer} lie in {mine.low:g}..{mine.high:g}, the others' in "
            f"{typical.low:g}..{typical.high:g}: scale them alike"
        )
    center = median(other.mean for other in others)
    spread = median(other.deviation for other in others)
    if len(others) > 1 and abs(mine.mean - center) > MEAN_DEVIATIONS * max(spread, 1e-9):
        return (
            f"the mean of the inputs of {peer} is {mine.mean:g}, the others' is {center:g}, with "
            f"a deviation of {spread:g}"
        )
    return ""


def _alert(peer: PeerId, text: str) -> Alert:
    return Alert("data", RoundNumber(0), peer, text)
