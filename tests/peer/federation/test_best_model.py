"""Which model is the best measured one, as one peer can tell."""

from dataclasses import replace
from pathlib import Path

import pytest

from swarm.core.effects import BlobArrived
from swarm.federation.effects import EvaluationFinished
from swarm.federation.federation import Federation
from swarm.federation.records import Metrics
from swarm.peer.federation.best_model import BestModel, best_model, best_path
from tests.federation.conftest import Session


def machine_after(*shards: tuple[float, float], last: float | None) -> Federation:
    """The first peer at the session's end.

    Head k was measured as `shards[k - 1]` by the first two peers, the last head only here.
    """
    session = Session()
    session.spec = replace(session.spec, rounds=len(shards) + 1)
    heads = session.chain(1)
    for accuracies in shards:
        metrics = (
            Metrics(peer, accuracy, 1.0, 100)
            for peer, accuracy in zip(session.peers, accuracies, strict=False)
        )
        heads.append(session.child(heads[-1], metrics=tuple(metrics)))
    machine, _ = session.machine(session.peers[0], *heads)
    if last is not None:
        metrics_here = Metrics(session.peers[0], last, 1.0, 100)
        machine.handle(EvaluationFinished(heads[-1].digest, metrics_here), 9.0)
    return machine


def test_the_untrained_model_is_never_the_best() -> None:
    session = Session()
    machine, _ = session.machine(session.peers[0], session.head0)
    head1 = session.child(session.head0, metrics=(Metrics(session.peers[0], 0.9, 1.0, 100),))

    before = best_model(machine)
    machine.handle(head1, 1.0)
    machine.handle(BlobArrived(head1.blob), 1.0)

    assert before is None
    assert best_model(machine) is None


def test_an_earlier_model_is_best_if_the_last_is_worse_on_the_same_examples() -> None:
    machine = machine_after((0.8, 0.4), (0.2, 0.2), last=0.7)

    best = best_model(machine)

    assert machine.held is not None
    assert machine.held.best is not None
    # 0.7 is more than the mean of both shards, 0.6, but less than 0.8 on the peer's own.
    assert best == BestModel(1, pytest.approx(0.6), machine.held.best.blob)


def test_the_last_model_is_best_if_it_is_as_good_here() -> None:
    machine = machine_after((0.4, 0.8), (0.2, 0.2), last=0.4)

    assert machine.held is not None
    assert best_model(machine) == BestModel(3, 0.4, machine.held.blob)


def test_before_the_last_model_is_measured_the_best_of_the_others_counts() -> None:
    machine = machine_after((0.4, 0.8), (0.2, 0.2), last=None)

    best = best_model(machine)

    assert best is not None
    assert best.round == 1


def test_its_file_is_named_after_that_of_the_last() -> None:
    assert best_path(Path("runs/model.keras")) == Path("runs/model-best.keras")
