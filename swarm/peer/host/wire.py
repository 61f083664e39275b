"""The codec of this program: the kinds of messages of all its workloads, put together."""

from swarm.commanding import commands
from swarm.ensemble import messages as ensemble
from swarm.federation import messages as federation
from swarm.network.wire import Codec
from swarm.search import messages as search

CODEC = Codec(
    federation.MESSAGE_KINDS,
    commands.MESSAGE_KINDS,
    search.MESSAGE_KINDS,
    ensemble.MESSAGE_KINDS,
)
encode, decode = CODEC.encode, CODEC.decode
