"""LoopSource: specs of sessions that loops train."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from swarm.core.errors import ConfigurationError
from swarm.core.ids import PeerId
from swarm.core.session import SessionSpec
from swarm.peer.federation.peer_settings import PeerSettings, make_spec
from swarm.peer.federation.session_source import SessionSource
from swarm.peer.host.host import Host

DEADLINE_FIRST_S = 3600.0
"""Nothing is known of a loop's first period; a peer that is lost is noticed without a deadline."""


class LoopSource(SessionSource):
    """Makes a session for the loop's framework, and takes no session of another kind."""

    def __init__(self, settings: PeerSettings, host: Host, fields: Mapping[str, Any]) -> None:
        """Make a source.

        Args:
            settings: Settings of the peer.
            host: The peer's host.
            fields: Fields of a session that this peer starts; `model` names the framework.
        """
        super().__init__(settings, host)
        self._fields = fields
        self._me = host.me
        self._session: SessionSpec | None = None

    async def model_path(
        self, spec: SessionSpec, offered_by: tuple[PeerId, ...], folder: Path
    ) -> str | None:
        """None: the loop has the model."""
        return None

    def create(self) -> SessionSpec:
        """Make the spec of a new session.

        Raises:
            ConfigurationError: A value breaks a rule.
        """
        return make_spec(
            self._fields,
            dataset="loop",
            deadline_first_s=DEADLINE_FIRST_S,
            starter=self._me,
        )

    def check(self, spec: SessionSpec, *, is_first: bool, kept_in: Path | None = None) -> None:
        """Check that this loop can take part.

        Raises:
            ConfigurationError: The session is not trained by loops of this framework, or this
                loop trains another one.
        """
        mine = self._fields["model"]
        if spec.model != mine:
            raise ConfigurationError(
                f"this loop cannot take part: the swarm's session is of kind {spec.model!r}, "
                f"and this loop's is {mine!r}"
            )
        if self._session not in (None, spec):
            raise ConfigurationError("this loop trains another session already")
        self._session = spec
