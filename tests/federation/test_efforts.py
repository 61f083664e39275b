"""Whether peers get on, by what they report of their work."""

import pytest

from swarm.core.ids import PeerId, SessionId
from swarm.federation.efforts import PLACES_MAX, PROGRESS_MAX, TRAINED, WORKS_FOR_S, Efforts
from swarm.federation.messages import Heartbeat

ANNA, BEN = PeerId("anna"), PeerId("ben")


def test_a_peer_works_while_its_progress_grows() -> None:
    efforts = Efforts()
    assert not efforts.works([ANNA], 0, 0.0)

    efforts.hear(ANNA, (0.2,), 10.0)
    efforts.hear(ANNA, (0.2,), 20.0)
    efforts.hear(ANNA, (0.1,), 30.0)

    assert efforts.works([BEN, ANNA], 0, 10.0 + WORKS_FOR_S - 0.1)
    assert not efforts.works([BEN, ANNA], 0, 10.0 + WORKS_FOR_S)
    assert not efforts.works([BEN], 0, 10.0)


def test_each_place_grows_for_itself() -> None:
    efforts = Efforts()
    efforts.hear(ANNA, (2.0, 5.0), 1.0)
    efforts.hear(ANNA, (2.0, 6.0), 9.0)
    efforts.hear(BEN, (1.5,), 9.0)

    assert [efforts.grew_s(ANNA, place) for place in (0, 1, 2)] == [1.0, 9.0, float("-inf")]
    assert [efforts.done([ANNA, BEN], place) for place in (0, 1, 2)] == [3.5, 6.0, 0.0]


@pytest.mark.parametrize(
    "progress", [(-0.1,), (2 * PROGRESS_MAX,), (0.0,) * (PLACES_MAX + 1)], ids=str
)
def test_progress_out_of_bounds_is_refused(progress: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="progress must be"):
        Heartbeat(SessionId("a" * 64), ANNA, None, progress)


def test_a_peer_that_boasts_counts_as_trained_and_no_more() -> None:
    efforts = Efforts()

    efforts.hear(ANNA, (PROGRESS_MAX, PROGRESS_MAX), 1.0)

    assert [efforts.done([ANNA], place) for place in (0, 1)] == [TRAINED, PROGRESS_MAX]


def test_a_pause_of_this_peer_is_not_held_against_others() -> None:
    efforts = Efforts()
    efforts.hear(ANNA, (0.5,), 10.0)
    efforts.hear(BEN, (0.5,), 45.0)

    efforts.postpone(40.0, 50.0)

    assert efforts.works([ANNA], 0, 50.0)
    assert efforts.grew_s(BEN, 0) == 50.0
