"""The best measured model, as heads name it, and sessions that stop early."""

from dataclasses import replace
from typing import Any

import pytest

from swarm.core.effects import BlobArrived, KeepBlobs
from swarm.core.ids import PeerId
from swarm.federation.best_head import ending, is_last
from swarm.federation.effects import Combine, Evaluate, Train
from swarm.federation.records import GlobalModel, Metrics
from swarm.federation.validity import InvalidRecordError, check_head
from tests.harness.federation_effects import of


def measured(session: Any, *accuracies: float) -> tuple[Metrics, ...]:
    """One measurement for each of the first peers."""
    return tuple(
        Metrics(peer, accuracy, 1.0, 100)
        for peer, accuracy in zip(session.peers, accuracies, strict=False)
    )


def chain(session: Any, *accuracies: float) -> list[GlobalModel]:
    """Head 0, and a head for each accuracy, which its child measured."""
    heads = [session.head0, session.child(session.head0, metrics=measured(session, 0.99))]
    for accuracy in accuracies:
        heads.append(session.child(heads[-1], metrics=measured(session, accuracy)))
    return heads


def test_the_first_of_the_best_models_is_named_never_the_untrained_one(session: Any) -> None:
    heads = chain(session, 0.5, 0.7, 0.7, 0.6)

    found = [(h.best.round, h.best.accuracy, h.best.num_since) for h in heads if h.best]

    assert [h.best for h in heads[:2]] == [None, None]
    assert found == [(1, 0.5, 0), (2, 0.7, 0), (2, 0.7, 1), (2, 0.7, 2)]
    assert heads[-1].best is not None
    assert heads[-1].best.blob == heads[2].blob


def test_shards_count_by_their_examples(session: Any) -> None:
    *_, parent = chain(session)
    large = Metrics(session.peers[0], 0.9, 1.0, 300)
    small = Metrics(session.peers[1], 0.5, 1.0, 100)

    head = session.child(parent, metrics=(large, small))

    assert head.best is not None
    assert head.best.accuracy == pytest.approx(0.8)


def test_a_round_that_nobody_measured_counts_for_nothing(session: Any) -> None:
    *_, head = chain(session, 0.5, 0.4)

    assert session.child(head).best == head.best


def test_a_head_that_names_another_best_model_is_invalid(session: Any) -> None:
    heads = chain(session, 0.5, 0.7)
    known = {h.digest: h for h in heads}
    assert heads[-1].best is not None

    with pytest.raises(InvalidRecordError, match="best must follow"):
        check_head(
            replace(heads[-1], best=replace(heads[-1].best, accuracy=1.0)), known, session.spec
        )


class TestEarlyStop:
    @pytest.fixture
    def session(self, session: Any) -> Any:
        session.spec = replace(session.spec, rounds=50, early_stop=2)
        return session

    def test_it_ends_after_this_number_of_rounds_without_a_better_model(
        self, session: Any
    ) -> None:
        heads = chain(session, 0.5, 0.7, 0.7, 0.6)

        assert [is_last(head, session.spec) for head in heads] == [False] * 5 + [True]
        assert ending(heads[-1], session.spec) == (
            "stopped early at round 5: no better than round 2 (70.0 %) for 2 rounds"
        )
        assert ending(heads[-2], session.spec) == ""

    def test_a_better_model_gives_it_new_patience(self, session: Any) -> None:
        heads = chain(session, 0.5, 0.4, 0.6, 0.5)

        assert not any(is_last(head, session.spec) for head in heads)

    def test_no_head_may_follow(self, session: Any) -> None:
        heads = chain(session, 0.5, 0.4, 0.4)
        child = session.child(heads[-1])

        with pytest.raises(InvalidRecordError, match="has no child"):
            check_head(child, {h.digest: h for h in heads}, session.spec)

    def test_a_peer_measures_the_last_head_instead_of_training_and_combining(
        self, session: Any
    ) -> None:
        me: PeerId = session.peers[1]
        *before, last = chain(session, 0.5, 0.4, 0.4)
        machine, _ = session.machine(me, *before)
        assert not machine.finished

        machine.handle(last, 9.0)
        effects = machine.handle(BlobArrived(last.blob), 9.0)

        assert machine.finished
        assert of(Evaluate, effects) == [Evaluate(last.digest, last.blob, last.round)]
        assert of(Train, effects) + of(Combine, effects) == []

    def test_a_newcomer_sees_it_from_the_last_head_alone(self, session: Any) -> None:
        *_, last = chain(session, 0.5, 0.4, 0.4)

        assert is_last(last, session.spec)

    def test_a_greater_head_of_another_side_goes_on(self, session: Any) -> None:
        *before, stopped = chain(session, 0.5, 0.4, 0.4)
        other = session.child(before[-1], term=1, metrics=measured(session, 0.9))
        machine, _ = session.machine(session.peers[1], *before, stopped)

        machine.handle(other, 9.0)
        effects = machine.handle(BlobArrived(other.blob), 9.0)

        assert not machine.finished
        assert [e.base for e in of(Train, effects)] == [other.digest]


def test_the_weights_of_the_best_model_are_kept(session: Any) -> None:
    session.spec = replace(session.spec, rounds=50)
    heads = chain(session, 0.9, *[0.5] * 6)

    _, effects = session.machine(session.peers[1], *heads)

    (keep,) = of(KeepBlobs, effects)
    kept = [head.round for head in heads if head.blob in keep.blobs]
    assert kept == [1, 7, 8]
