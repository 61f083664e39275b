"""Engine: loops that average their weights over real sockets, without a framework."""

import pytest

from swarm.core.errors import ConfigurationError, LearningError, NetworkError, ShapeMismatchError
from swarm.learning.progress import Evaluation
from swarm.peer.federation.own_loop import loop_peer
from tests.peer.federation.own_loop.loops import started, together

pytestmark = [pytest.mark.slow, pytest.mark.network]


def test_a_loop_alone_goes_on_with_its_own_weights() -> None:
    with started(1.0) as loop:
        loop.begin()
        for _ in range(3):
            loop.learn(1.0)
            loop.exchange()

        assert loop.value == 4.0
        assert loop.engine.round == 3
        assert loop.engine.statistics().num_peers == 1


def test_two_loops_average_by_the_examples_that_they_have_seen() -> None:
    with (
        started(1.0, min_peers=2) as first,
        started(9.0, first.engine.address) as second,
    ):
        together(first.begin, second.begin)
        assert first.value == second.value == 1.0

        first.learn(1.0)
        second.learn(4.0)
        together(lambda: first.exchange(10), lambda: second.exchange(20))

        assert first.value == second.value == 4.0


def test_what_a_joiner_learnt_before_it_was_admitted_counts() -> None:
    with started(0.0) as first:
        first.begin()
        with started(0.0, first.engine.address) as second:
            second.begin()
            second.learn(6.0)
            second.exchange()
            while first.cohort_size < 2:
                first.exchange()
            second.wait_peers(2)

            together(lambda: first.exchange(20), second.exchange)

            assert first.value == second.value == 3.0


def test_a_loop_that_leaves_is_not_waited_for() -> None:
    with started(0.0, min_peers=2) as first:
        with started(0.0, first.engine.address) as second:
            together(first.begin, second.begin)

        first.learn(1.0)
        first.exchange()

        assert first.engine.round == 1
        assert first.value == 1.0


def test_accuracies_of_a_model_are_averaged_over_the_peers_that_measured_it() -> None:
    with (
        started(1.0, min_peers=2) as first,
        started(9.0, first.engine.address) as second,
    ):
        together(first.begin, second.begin)
        assert first.engine.statistics().accuracy is None

        first.engine.measure(Evaluation(0.5, 1.0, 30))
        second.engine.measure(Evaluation(0.9, 1.0, 10))
        together(first.exchange, second.exchange)

        assert first.engine.statistics().accuracy == pytest.approx(0.6)


def test_the_last_round_ends_the_exchange_and_not_the_loop() -> None:
    with started(0.0, rounds=1) as loop:
        loop.begin()
        for _ in range(3):
            loop.learn(1.0)
            loop.exchange()

        assert loop.engine.finished
        assert loop.engine.round == 1
        assert loop.value == 3.0


def test_a_model_of_another_shape_is_refused_by_the_name_of_its_layer() -> None:
    with started(0.0) as first:
        first.begin()
        with (
            started(0.0, first.engine.address, shapes=((2, 5), (5,))) as other,
            pytest.raises(ShapeMismatchError, match=r"dense/kernel has shape \(2, 5\) here"),
        ):
            other.begin()


def test_a_loop_of_another_framework_is_refused() -> None:
    with started(0.0) as first:
        first.begin()
        with (
            started(0.0, first.engine.address, kind="torch-loop") as other,
            pytest.raises(ConfigurationError, match="of kind 'keras-loop', and this loop's is"),
        ):
            other.begin()


def test_an_address_without_a_peer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_peer, "JOIN_WITHIN_S", 0.5)

    with (
        started(0.0, "127.0.0.1:9") as loop,
        pytest.raises(NetworkError, match=r"no peer answered at 127\.0\.0\.1:9 within 0\.5 s"),
    ):
        loop.begin()


def test_weights_that_are_not_finite_are_not_handed_in() -> None:
    with started(0.0) as loop:
        loop.begin()
        loop.learn(float("inf"))

        with pytest.raises(LearningError, match=r"dense/kernel is not: the training diverged"):
            loop.exchange()
