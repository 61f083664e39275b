"""LoopSource: loops and learner processes do not mix, and the refusal says how to join."""

from pathlib import Path
from typing import Any

import pytest

from swarm.core.errors import ConfigurationError
from swarm.core.ids import PeerId
from swarm.core.session import SessionSpec
from swarm.peer.federation.own_loop.loop_source import LoopSource
from swarm.peer.federation.peer_settings import PeerSettings
from swarm.peer.federation.session_source import SessionSource

FIELDS = {"model": "keras-loop", "min_peers": 2, "rounds": 9}


class StubHost:
    """A host without a network."""

    me = PeerId("me")


@pytest.fixture
def settings(tmp_path: Path) -> PeerSettings:
    return PeerSettings("127.0.0.1", 0, tmp_path)


def source(settings: PeerSettings, fields: dict[str, Any] = FIELDS) -> LoopSource:
    host: Any = StubHost()
    return LoopSource(settings, host, fields)


def test_a_session_of_loops_needs_no_data_and_no_model_file(settings: PeerSettings) -> None:
    spec = source(settings).create()

    assert (spec.model, spec.dataset, spec.min_peers, spec.rounds) == ("keras-loop", "loop", 2, 9)
    assert spec.starter == "me"


def test_a_field_that_breaks_a_rule_is_named(settings: PeerSettings) -> None:
    with pytest.raises(ConfigurationError, match="min_peers must be at least 1, got 0"):
        source(settings, {**FIELDS, "min_peers": 0}).create()


def test_a_peer_with_a_learner_process_is_told_how_to_join_loops(settings: PeerSettings) -> None:
    host: Any = StubHost()
    usual = SessionSource(settings, host)

    with pytest.raises(ConfigurationError, match=r"callbacks=\[swarm\.Swarm\(\.\.\.\)\]"):
        usual.check(source(settings).create(), is_first=True)


def test_a_loop_is_told_that_a_session_has_learner_processes(settings: PeerSettings) -> None:
    with pytest.raises(ConfigurationError, match="the swarm's session is of kind 'cnn'"):
        source(settings).check(SessionSpec(), is_first=True)


def test_a_loop_trains_one_session_only(settings: PeerSettings) -> None:
    ours = source(settings)
    spec = ours.create()
    ours.check(spec, is_first=True)
    ours.check(spec, is_first=False)

    with pytest.raises(ConfigurationError, match="trains another session already"):
        ours.check(SessionSpec(model="keras-loop", dataset="loop"), is_first=False)
