"""MemberRows: the labelled rows that a user gives a member, and how they fit an ensemble."""

from typing import Any

from swarm.core.canonical import sha256_hex
from swarm.core.errors import ConfigurationError, DataError
from swarm.core.ids import PeerId
from swarm.ensemble.spec import EnsembleSpec
from swarm.peer.ensemble.ensemble_settings import EnsembleSettings
from swarm.peer.ensemble.member_folder import MemberFolder
