"""Joining: a loop that starts again finds the swarm that it left."""

import numpy as np
import pytest
import trio

from swarm.core.errors import ConfigurationError
from swarm.peer.federation.own_loop import loop_peer
from swarm.peer.federation.own_loop.engine import Engine
from swarm.peer.federation.own_loop.joining import Joining
from swarm.peer.federation.own_loop.layers import Layers
from tests.peer.federation.own_loop.loops import NAMES, PATIENCE_S, started

SHAPES = ((2, 3), (3,))


def make(address: str | None = None, patience_s: float = PATIENCE_S) -> Joining:
    return Joining(
        "keras-loop",
        "join({})",
        address=address,
        ip="127.0.0.1",
        port=0,
        name="",
        min_peers=1,
        patience_s=patience_s,
    )


def join(joining: Joining, value: float) -> tuple[Engine, float]:
    """Join with weights of one value; return the first value of the swarm's model."""
    arrays = [np.full(shape, value, np.float32) for shape in SHAPES]
    engine, current = joining.join(Layers(NAMES, SHAPES), arrays)
    return engine, float(current[0].flat[0])


def _wait_for_a_join_request(engine: Engine) -> None:
    peer = engine._peer

    async def wait() -> None:
        with trio.fail_after(PATIENCE_S):
            while not peer._driver.machine._shared.joiners.current(trio.current_time()):
                await peer._driver.changed.wait()

    peer.call(wait)


@pytest.mark.slow
@pytest.mark.network
def test_a_starter_that_comes_back_joins_those_that_went_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    joining = make()
    engine, value = join(joining, 1.0)
    assert value == 1.0
    assert f"Others join with: join({engine.address})\n" in capsys.readouterr().out

    with started(0.0, engine.address) as other:
        other.begin()
        _wait_for_a_join_request(engine)
        engine.stop()
        joining.note_left(engine)
        other.wait_peers(2)  # the last thing that the starter did was to take it in
        other.learn(2.0)
        other.exchange()

        engine, value = join(joining, 7.0)
        engine.stop()

    assert value == 3.0


@pytest.mark.slow
@pytest.mark.network
def test_a_starter_that_comes_back_to_nobody_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    joining = make()
    engine, _ = join(joining, 1.0)
    address = engine.address
    with started(0.0, address) as other:
        other.begin()
    engine.stop()
    joining.note_left(engine)
    monkeypatch.setattr(loop_peer, "JOIN_WITHIN_S", 0.5)

    engine, value = join(joining, 7.0)
    engine.stop()

    assert value == 7.0
    assert engine.address == address


def test_settings_that_break_a_rule_are_named() -> None:
    with pytest.raises(ConfigurationError, match="bootstrap address 'nowhere'"):
        make("nowhere")
    with pytest.raises(ConfigurationError, match="patience_s must be a positive number, got 0"):
        make(patience_s=0)
