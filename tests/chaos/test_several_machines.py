"""Peers on separate machines with their own addresses: announced addresses can be dialled."""

import ipaddress
import json

import pytest

from tests.harness.faulty_swarm import READY_WITHIN_S, FaultySwarm
from tests.harness.local_network import LocalNetwork
from tests.harness.wires import why_impossible

REASON = why_impossible()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.network,
    pytest.mark.skipif(REASON is not None, reason=str(REASON)),
]

THREE = tuple(range(3))
SESSION = ("--dataset", "digits", "--model", "mlp", "--rounds", "100000")
WILDCARDS = {4: "0.0.0.0", 6: "::"}  # noqa: S104 - what a user tells a peer to listen on


class SeveralMachines(FaultySwarm):
    """Peers that listen on all addresses of their machine, which has no default route."""

    def __init__(self, network: LocalNetwork, version: int) -> None:
        self._network = network
        self._version = version
        super().__init__(len(THREE), SESSION)

    def ip(self, index: int) -> str:
        return self._network.ip(index, self._version)

    def listen_ip(self, index: int) -> str:
        return WILDCARDS[self._version]

    def launch_prefix(self, index: int) -> tuple[str, ...]:
        return tuple(self._network.prefix(index))

    def known_ips(self, index: int) -> set[str]:
        """Addresses of other peers that a peer received and has verified."""
        lines = json.loads((self.state_dir(index) / "peers.json").read_text())
        return {line.split("/")[2] for line in lines}


@pytest.mark.parametrize("version", [4, 6])
def test_peers_that_listen_everywhere_announce_addresses_others_can_dial(version: int) -> None:
    with LocalNetwork(3) as network, SeveralMachines(network, version) as swarm:
        head = swarm.wait_common_head(THREE, THREE, after_round=1, timeout_s=READY_WITHIN_S)
        swarm.wait_event("connected", READY_WITHIN_S, num_connected=2)
        swarm.peers[0].process.terminate()  # the bootstrap, through which the others met
        swarm.peers[0].process.wait(30)
        swarm.wait_common_head((1, 2), (1, 2), after_round=head.round)
        for index in (1, 2):
            swarm.peers[index].process.terminate()
            swarm.peers[index].process.wait(30)

        known = {index: swarm.known_ips(index) for index in THREE}

    addresses = {index: str(ipaddress.ip_address(network.ip(index, version))) for index in THREE}
    for index in THREE:
        assert known[index] <= {ip for i, ip in addresses.items() if i != index}
    assert addresses[2] in known[1]
    assert addresses[1] in known[2]
