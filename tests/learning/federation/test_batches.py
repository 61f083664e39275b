from collections import Counter
from itertools import chain
from typing import Any

import pytest

from swarm.core.session import SessionSpec
from swarm.learning.federation.batches import RoundBatches


class Round:
    """A round in which each batch takes `step_s` on a clock of its own."""

    def __init__(
        self,
        position: int = 0,
        size: int = 10,
        partition: int = 2,
        step_s: float = 0,
        **fields: Any,
    ) -> None:
        spec = SessionSpec(**{"batch_size": 4, "seed": 7, **fields})
        self.now_s = 100.0
        self.batches = RoundBatches(spec, partition, size, position, lambda: self.now_s)
        self.fractions: list[float] = []
        self.taken: list[list[int]] = []
        self.steps: list[int] = []
        for indices in self.batches:
            self.now_s += step_s
            self.taken.append(indices.tolist())
            self.fractions.append(self.batches.fraction)
            self.steps.append(self.batches.step)


class TestOrder:
    def test_an_epoch_uses_every_example_once(self) -> None:
        epoch = Round()

        assert [len(indices) for indices in epoch.taken] == [4, 4, 2]
        assert sorted(chain(*epoch.taken)) == list(range(10))
        assert (epoch.batches.position, epoch.batches.weight) == (10, 10)

    def test_passes_peers_and_seeds_differ_and_nothing_else_does(self) -> None:
        first = Round().taken

        assert Round(rounds=3, learning_rate=0.5).taken == first
        assert Round(position=10).taken != first
        assert Round(seed=8).taken != first
        assert Round(partition=3).taken != first

    def test_a_round_goes_on_where_the_last_one_ended(self) -> None:
        position, used = 0, []
        for _ in range(9):
            short = Round(position, local_steps=2)
            used += short.taken
            position = short.batches.position

        assert used == Round(local_epochs=6).taken

    @pytest.mark.parametrize("steps", [1, 2, 3, 5, 7])
    def test_no_example_is_starved_however_short_the_rounds(self, steps: int) -> None:
        position, uses = 0, Counter[int]()
        for _ in range(60):
            short = Round(position, local_steps=steps)
            uses.update(chain(*short.taken))
            position = short.batches.position

        assert max(uses.values()) - min(uses[k] for k in range(10)) <= 1
        assert uses.total() == position

    def test_steps_count_batches_since_pass_0(self) -> None:
        position, steps = 0, []
        for _ in range(4):
            short = Round(position, local_steps=2)
            steps += short.steps
            position = short.batches.position

        assert steps == list(range(8))


class TestBounds:
    def test_steps_replace_epochs(self) -> None:
        assert len(Round(local_steps=2, local_epochs=5).taken) == 2
        assert len(Round(local_steps=20).taken) == 20

    def test_time_ends_a_round_after_the_batch_that_reaches_it(self) -> None:
        assert len(Round(step_s=3, round_seconds=5, local_epochs=100).taken) == 2

    def test_a_slow_peer_trains_one_batch(self) -> None:
        assert len(Round(step_s=60, round_seconds=0.5).taken) == 1

    def test_whichever_bound_comes_first_ends_the_round(self) -> None:
        assert len(Round(step_s=0.1, round_seconds=5).taken) == 3
        assert len(Round(step_s=0.1, round_seconds=5, local_steps=4).taken) == 4
        assert len(Round(step_s=2, round_seconds=5, local_steps=4).taken) == 3

    def test_progress_is_that_towards_the_bound_that_comes_first(self) -> None:
        by_time = Round(step_s=2, round_seconds=8, local_epochs=100)
        by_steps = Round(step_s=2, round_seconds=80, local_steps=5)

        assert by_time.fractions == [0.25, 0.5, 0.75, 1.0]
        assert by_steps.fractions == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


class TestWeight:
    def test_whole_epochs_count_each_example_once(self) -> None:
        batches = Round(local_epochs=3).batches

        assert (batches.num_used, batches.weight, batches.epoch) == (30, 10, 2)

    def test_part_of_the_epochs_counts_in_proportion(self) -> None:
        batches = Round(step_s=1, round_seconds=4, local_epochs=2).batches

        assert (batches.num_used, batches.weight) == (14, 7)

    def test_with_steps_every_use_counts(self) -> None:
        batches = Round(local_steps=6, local_epochs=2).batches

        assert (batches.num_used, batches.weight) == (20, 20)

    def test_a_peer_that_used_three_times_as_many_examples_weighs_three_times_as_much(
        self,
    ) -> None:
        fast, slow = (Round(step_s=s, round_seconds=6, size=100).batches for s in (1, 3))

        assert fast.weight == 3 * slow.weight
