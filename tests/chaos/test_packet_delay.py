"""Packets delayed in user space all arrive, late and in order."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.harness.container_links import HELPER
from tests.harness.local_network import LocalNetwork

NUM_PACKETS = 40
PORT = 9000
RECEIVE = f"""
import socket, sys, time
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inbox:
    inbox.bind(("0.0.0.0", {PORT}))
    inbox.settimeout(20)
    print("listening", flush=True)
    for _ in range({NUM_PACKETS}):
        number, sent = inbox.recv(100).split()
        print(int(number), time.monotonic() - float(sent), flush=True)
"""
SEND = f"""
import socket, sys, time
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outbox:
    for number in range({NUM_PACKETS}):
        outbox.sendto(b"%d %f" % (number, time.monotonic()), (sys.argv[1], {PORT}))
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.network,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(shutil.which("iptables") is None, reason="there is no iptables here"),
]


@contextmanager
def holding_back(network: LocalNetwork, delay_ms: int, jitter_ms: int) -> Iterator[None]:
    """All that machine 1 receives is delayed; skips where the kernel has no packet queues."""
    inside = network.prefix(1)
    options = (f"--delay-ms={delay_ms}", f"--jitter-ms={jitter_ms}")
    with subprocess.Popen(
        [*inside, sys.executable, str(HELPER), *options], stdout=subprocess.PIPE, text=True
    ) as helper:
        assert helper.stdout is not None
        if helper.stdout.readline() != "ready\n":
            pytest.skip("this kernel has no queues for packets")
        rule = ("-A", "INPUT", "-j", "NFQUEUE", "--queue-num", "7")
        subprocess.run([*inside, "iptables", *rule], check=True)
        try:
            yield
        finally:
            helper.terminate()
            helper.wait()


def send_and_receive(network: LocalNetwork) -> Iterator[tuple[int, float]]:
    """Number and travel time of each packet from machine 0 to machine 1, as they arrive."""
    command = [*network.prefix(1), sys.executable, "-c", RECEIVE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as receiver:
        assert receiver.stdout is not None
        receiver.stdout.readline()
        send = [*network.prefix(0), sys.executable, "-c", SEND, network.ip(1, 4)]
        subprocess.run(send, check=True)
        for line in receiver.stdout:
            number, seconds = line.split()
            yield int(number), float(seconds)


def test_packets_arrive_late_and_in_order() -> None:
    with LocalNetwork(2) as network, holding_back(network, 200, 50):
        arrived = list(send_and_receive(network))

    assert [number for number, _ in arrived] == list(range(NUM_PACKETS))
    assert min(seconds for _, seconds in arrived) >= 0.149


def test_delayed_packets_continue_when_the_program_ends() -> None:
    with LocalNetwork(2) as network, ThreadPoolExecutor(1) as pool:
        with holding_back(network, 600_000, 0):
            arriving = pool.submit(list, send_and_receive(network))
            subprocess.run(
                [*network.prefix(1), "sh", "-c", waiting_for(NUM_PACKETS)], check=True, timeout=20
            )
        arrived = arriving.result()

    assert [number for number, _ in arrived] == list(range(NUM_PACKETS))


def waiting_for(num_packets: int) -> str:
    """Shell words that end once the kernel holds this number of packets (its third field)."""
    table = "/proc/net/netfilter/nfnetlink_queue"
    return f"until [ $(awk '{{print $3}}' {table}) -ge {num_packets} ]; do sleep 0.05; done"
