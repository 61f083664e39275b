"""Strategies that are a user's code."""

import pytest

from swarm.peer.search.strategy_code import load_strategy
from swarm.search.strategies.random import RandomStrategy


def test_a_class_is_found_by_its_name() -> None:
    assert load_strategy("swarm.search.strategies.random:RandomStrategy") is RandomStrategy


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no.such.module:Class", "cannot be loaded"),
        ("swarm.search.strategies.random:NoSuch", "cannot be loaded"),
        (":Class", "cannot be loaded"),
        ("pathlib:Path", "must be a class with ask, tell"),
        ("swarm.search.strategies.random:_values", "must be a class with ask, tell"),
    ],
)
def test_what_is_no_strategy_is_refused(name: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        load_strategy(name)
