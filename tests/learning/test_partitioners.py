"""One contract, run by every partitioner."""

import numpy as np
import pytest
from numpy.typing import NDArray

from swarm.core.errors import DataError
from swarm.core.session import SessionSpec
from swarm.learning.partitioners import DirichletPartitioner, Partitioner, create_partitioner

LABELS = np.arange(1_000, dtype=np.int64) % 10


@pytest.fixture(params=["iid", "dirichlet"])
def partitioner(request: pytest.FixtureRequest) -> Partitioner:
    return create_partitioner(SessionSpec(partitioner=request.param))


class TestContract:
    @pytest.mark.parametrize("num_parts", [1, 6, 100, 1_000])
    def test_every_example_goes_to_exactly_one_part(
        self, partitioner: Partitioner, num_parts: int
    ) -> None:
        parts = partitioner.partition(LABELS, num_parts, np.random.default_rng(0))

        assert len(parts) == num_parts
        assert sorted(np.concatenate(parts).tolist()) == list(range(len(LABELS)))
        assert min(len(part) for part in parts) >= 1

    def test_equal_seeds_give_equal_splits_and_other_seeds_do_not(
        self, partitioner: Partitioner
    ) -> None:
        first, again, other = (
            partitioner.partition(LABELS, 6, np.random.default_rng(seed)) for seed in (1, 1, 2)
        )

        assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
        assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))

    def test_indices_are_sorted(self, partitioner: Partitioner) -> None:
        for part in partitioner.partition(LABELS, 6, np.random.default_rng(0)):
            assert (np.diff(part) > 0).all()

    def test_fewer_examples_than_parts_are_refused(self, partitioner: Partitioner) -> None:
        with pytest.raises(DataError, match="3 examples cannot be split among 4"):
            partitioner.partition(LABELS[:3], 4, np.random.default_rng(0))


def test_iid_parts_differ_by_at_most_one_example() -> None:
    parts = create_partitioner(SessionSpec()).partition(LABELS, 7, np.random.default_rng(0))

    assert {len(part) for part in parts} <= {142, 143}


def test_a_small_alpha_makes_parts_of_few_classes() -> None:
    def classes_for_half(alpha: float) -> float:
        parts = DirichletPartitioner(alpha).partition(LABELS, 5, np.random.default_rng(0))
        return float(np.mean([_classes_that_fill_half(part) for part in parts]))

    assert classes_for_half(0.05) < 3 < classes_for_half(100.0)


def test_every_dirichlet_part_has_ten_examples_when_there_are_enough() -> None:
    for seed in range(20):
        parts = DirichletPartitioner(0.01).partition(LABELS, 20, np.random.default_rng(seed))

        assert min(len(part) for part in parts) >= 10


def _classes_that_fill_half(part: NDArray[np.int64]) -> int:
    counts = np.sort(np.bincount(LABELS[part], minlength=10))[::-1]
    return int(np.searchsorted(np.cumsum(counts), len(part) / 2)) + 1
