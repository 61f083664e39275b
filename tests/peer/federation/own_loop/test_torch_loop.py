"""swarm.torch.Swarm in real PyTorch loops."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import swarm.torch
from swarm.core.errors import ConfigurationError, LearningError, ShapeMismatchError
from tests.harness.reserved_ports import reserved_ports
from tests.peer.federation.own_loop.loops import together

pytestmark = pytest.mark.slow
X = torch.ones(8, 2)
Loop = tuple[torch.nn.Module, torch.optim.Optimizer]


def linear(value: float = 0.0) -> Loop:
    """A model whose weights have one value, and an optimizer that changes nothing."""
    model = torch.nn.Linear(2, 1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(value)
    return model, torch.optim.SGD(model.parameters(), lr=0.0)


def open_swarm(address: str | None = None, *, value: float = 0.0, **options: Any) -> Any:
    return swarm.torch.Swarm(*linear(value), address, ip="127.0.0.1", **options)


def open_two(*loops: Loop, **options: Any) -> list[swarm.torch.Swarm]:
    """Start a swarm of two loops; both wait for each other."""
    opened: dict[int, swarm.torch.Swarm] = {}

    def enter(index: int, **more: Any) -> None:
        opened[index] = swarm.torch.Swarm(*loops[index], ip="127.0.0.1", **options, **more)

    with reserved_ports(1) as (port,):
        together(
            lambda: enter(0, port=port, min_peers=2),
            lambda: enter(1, address=f"127.0.0.1:{port}"),
        )
    return [opened[0], opened[1]]


def values(model: torch.nn.Module) -> set[float]:
    return {float(v) for p in model.parameters() for v in p.detach().ravel()}


def move(model: torch.nn.Module, change: float) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(change)


@pytest.mark.network
def test_two_loops_average_by_examples_and_the_one_that_joins_takes_the_swarms_weights() -> None:
    first, second = open_two(linear(1.0), linear(9.0), every=2)
    with first, second:
        assert values(second._model) == {1.0}

        move(first._model, 1.0)
        move(second._model, 4.0)
        together(
            lambda: [first.step_end(examples=5) for _ in range(2)],
            lambda: [second.step_end(examples=10) for _ in range(2)],
        )

        assert values(first._model) == values(second._model) == {4.0}
        assert (first.round, second.round, first.peers, second.peers) == (1, 1, 2, 2)


@pytest.mark.network
def test_only_floats_travel_and_half_precision_comes_back_as_it_was() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2).to(torch.bfloat16), torch.nn.BatchNorm1d(2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    with swarm.torch.Swarm(model, optimizer, ip="127.0.0.1", every=1) as alone:
        model(X.to(torch.bfloat16))
        before = {k: t.clone() for k, t in model.state_dict().items()}

        assert alone.step_end(examples=8)

        assert alone.round == 1
        assert list(alone._tensors()) == [
            k for k in model.state_dict() if k != "1.num_batches_tracked"
        ]
        for key, tensor in model.state_dict().items():
            assert tensor.dtype == before[key].dtype
            assert torch.equal(tensor, before[key])


@pytest.mark.network
def test_reported_accuracy_travels_with_the_next_contribution() -> None:
    with open_swarm(every=1) as alone:
        alone.step_end(8)
        alone.report(0.75, examples=4, loss=float("nan"))
        alone.step_end(8)

        assert alone.accuracy == 0.75
        with pytest.raises(ConfigurationError, match=r"in 0\.\.1 .* got 1\.5 and 4"):
            alone.report(1.5, examples=4)


@pytest.mark.network
def test_what_does_not_fit_is_refused() -> None:
    model, optimizer = torch.nn.Linear(2, 5), torch.optim.SGD
    with (
        open_swarm() as first,
        pytest.raises(ShapeMismatchError, match=r"weight has shape \(5, 2"),
    ):
        swarm.torch.Swarm(
            model, optimizer(model.parameters(), lr=0.1), first.address, ip="127.0.0.1"
        )
    with pytest.raises(ConfigurationError, match="the optimizer trains no parameter of the model"):
        swarm.torch.Swarm(model, linear()[1])
    with pytest.raises(ConfigurationError, match="every must be at least 1, got 0"):
        open_swarm(every=0)


@pytest.mark.network
def test_an_error_in_the_loop_leaves_without_an_exchange() -> None:
    alone = open_swarm(every=10)

    def loop() -> None:
        with alone:
            alone.step_end()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop()

    assert alone.round == 0
    assert not alone._engine._peer._thread.running


@pytest.mark.network
def test_a_loop_that_diverged_is_told_which_weight_is_not_finite() -> None:
    alone = open_swarm(every=1)
    move(alone._model, float("nan"))

    with pytest.raises(LearningError, match="weight is not: the training diverged"), alone:
        alone.step_end()


@pytest.mark.network
def test_two_loops_on_different_classes_learn_all_of_them() -> None:
    digits = load_digits()
    x = torch.from_numpy((digits.images / 16).astype(np.float32).reshape(-1, 64))
    y = torch.from_numpy(digits.target)
    torch.manual_seed(1)

    def classifier() -> Loop:
        model = torch.nn.Sequential(
            torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10)
        )
        return model, torch.optim.SGD(model.parameters(), lr=0.3)

    def train(ours: swarm.torch.Swarm, loop: Loop, classes: list[int]) -> None:
        model, optimizer = loop
        mine = torch.isin(y[:1200], torch.tensor(classes))
        with ours:
            for _ in range(25):
                for inputs, labels in zip(
                    x[:1200][mine].split(32), y[:1200][mine].split(32), strict=True
                ):
                    optimizer.zero_grad()
                    torch.nn.functional.cross_entropy(model(inputs), labels).backward()
                    optimizer.step()
                    ours.step_end(examples=len(inputs))

    loops = classifier(), classifier()
    first, second = open_two(*loops, every=10)
    together(
        lambda: train(first, loops[0], [0, 1, 2, 3, 4]),
        lambda: train(second, loops[1], [5, 6, 7, 8, 9]),
    )

    hits = (loops[0][0](x[1200:]).argmax(1) == y[1200:]).float().mean()
    assert float(hits) > 0.6  # five classes of ten are half of the test examples
