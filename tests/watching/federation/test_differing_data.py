"""What an observer says of peers whose data differ."""

from typing import Any

import pytest

from swarm.core.data_summary import DataSummary
from swarm.core.ids import PeerId, RoundNumber, SessionId
from swarm.core.session import SessionSpec
from swarm.federation.messages import Status
from swarm.watching.federation.differing_data import alerts_of_data

SPEC = SessionSpec(dataset="own")
USUAL = DataSummary(0.0, 1.0, 0.4, 0.3, 10)
PIXELS = DataSummary(0.0, 255.0, 102.0, 76.0, 10)


def said(*summaries: DataSummary, spec: SessionSpec = SPEC, **fields: Any) -> list[str]:
    statuses = {}
    for number, summary in enumerate(summaries):
        peer = PeerId(f"peer-{number}")
        known = (SessionId(spec.id), peer, "", "training", RoundNumber(1), 0.5, None)
        statuses[peer] = Status(*known, **{"data": summary, "num_test": 100, **fields})
    return [alert.text for alert in alerts_of_data(statuses, spec)]


@pytest.mark.parametrize("others", [1, 2, 5])
def test_one_site_with_0_to_255_among_others_with_0_to_1_is_named(others: int) -> None:
    assert said(PIXELS, *[USUAL] * others) == [
        "the inputs of peer-0 lie in 0..255, the others' in 0..1: scale them alike"
    ]


def test_a_mean_far_from_the_others_is_named() -> None:
    far = DataSummary(0.0, 2.0, 1.6, 0.3, 10)

    assert said(USUAL, USUAL, far) == [
        "the mean of the inputs of peer-2 is 1.6, the others' is 0.4, with a deviation of 0.3"
    ]


def test_missing_classes_and_tiny_test_shards_are_named() -> None:
    few = DataSummary(0.0, 1.0, 0.4, 0.3, 3)

    assert said(USUAL, few) == ["peer-1 has training examples of 3 of 10 classes"]
    assert said(USUAL, num_test=12) == ["peer-0 measures accuracy on 12 examples only"]


def test_like_sites_and_parts_of_a_named_data_set_raise_no_alert() -> None:
    assert said(USUAL, USUAL, USUAL) == []
    assert said(PIXELS, USUAL, spec=SessionSpec(dataset="digits")) == []


@pytest.mark.parametrize(
    "numbers", [(float("nan"), 1, 0, 1), (0, 1, 0, -1), (0, float("inf"), 0, 1)]
)
def test_a_summary_has_finite_numbers(numbers: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="finite"):
        DataSummary(*numbers)
