"""Joining: how a loop gets into a swarm: at an address, at one known from before, or a new one."""

from collections.abc import Sequence

from swarm.core.errors import ConfigurationError, NetworkError
from swarm.peer.federation.own_loop.engine import Engine
from swarm.peer.federation.own_loop.layers import Array, Layers
from swarm.peer.federation.own_loop.loop_peer import LoopOptions
from swarm.peer.federation.own_loop.running_call import RunningCall
from swarm.peer.host.host_settings import parse_bootstraps

PATIENCE_S = 600.0
ROUNDS = 1_000_000
"""Rounds of a session that a loop starts: it lasts as long as there are loops."""


class Joining:
    """Joins once for each run of a loop, and remembers where peers were seen."""

    def __init__(  # noqa: PLR0913 - one keyword for each setting
        self,
        kind: str,
        invitation: str,
        *,
        address: str | Sequence[str] | None,
        ip: str,
        port: int,
        name: str,
        min_peers: int,
        patience_s: float,
    ) -> None:
        """Take what the user set.

        Args:
            kind: Names the framework; only loops of one kind train together.
            invitation: How others join, with a place for the address.
            address: Peers to join, as `ip:port`.
            ip: Address to listen on.
            port: Port to listen on.
            name: Name of this peer.
            min_peers: Peers that a new swarm waits for.
            patience_s: Longest wait in one exchange.

        Raises:
            ConfigurationError: A value breaks a rule.
        """
        parse_bootstraps(address)
        if not patience_s > 0:
            raise ConfigurationError(f"patience_s must be a positive number, got {patience_s}")
        self._given = (address,) if isinstance(address, str) else tuple(address or ())
        self._known: tuple[str, ...] = ()
        self._invitation = invitation
        self._ip = ip
        self._port = port
        self._name = name
        self._session = {"model": kind, "min_peers": min_peers, "rounds": ROUNDS}
        self._patience_s = patience_s

    def join(
        self, layers: Layers, arrays: Sequence[Array], call: RunningCall | None = None
    ) -> tuple[Engine, list[Array]]:
        """Join a swarm, or start one and say how others join; return its current model.

        Args:
            layers: The model's weights.
            arrays: Their values.
            call: The loop, if it is a call; the peer leaves when that ends.

        Raises:
            NetworkError: No peer answers.
            ShapeMismatchError: The swarm trains another model.
            SwarmError: The peer cannot start.
        """
        if self._known and not self._given:
            try:
                return self._enter(self._known, layers, arrays, call)
            except NetworkError:
                self._known = ()  # the others are gone, too: start anew
        return self._enter((*self._given, *self._known), layers, arrays, call)

    def note_left(self, engine: Engine) -> None:
        """Remember where peers were seen, for the next run of the loop."""
        self._known = engine.known or self._known

    def _enter(
        self,
        bootstraps: tuple[str, ...],
        layers: Layers,
        arrays: Sequence[Array],
        call: RunningCall | None,
    ) -> tuple[Engine, list[Array]]:
        options = LoopOptions(bootstraps, self._ip, self._port, self._name, self._session)
        engine = Engine(options, layers, arrays, self._patience_s, call)
        self._port = int(engine.address.rpartition(":")[2])  # the invitation stays true
        if not bootstraps:
            print(f"Others join with: {self._invitation.format(engine.address)}", flush=True)
        try:
            return engine, engine.begin()
        except BaseException:
            engine.stop()
            raise
