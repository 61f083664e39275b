"""Delays packets, for kernels without netem: `packet_delay.py --delay-ms 200 --jitter-ms 50`.

It runs in the network namespace of the receiver, as root. It prints `ready` and ends on SIGTERM.
An iptables rule sends packets to a kernel queue. The kernel keeps the packets, and this program
decides when each may continue. They continue in the order in which they came, as on a real link: a
packet with a longer delay holds up those behind it. Protocol: linux/netfilter/nfnetlink_queue.h.
Standard library only, because it runs where nothing of ours is installed.
"""

import argparse
import collections
import random
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterator

NETLINK_NETFILTER = 12
SOL_NETLINK, NETLINK_NO_ENOBUFS = 270, 5
REQUEST, ACKNOWLEDGE = 1, 4
ERROR = 2
"""Type of the kernel's answer to a request for one; its code is 0 on success."""
QUEUE_SUBSYSTEM = 3
PACKET, VERDICT, CONFIGURE = 0, 1, 2
COMMAND, PARAMETERS, LENGTH_MAX = 1, 2, 3
"""Attributes of CONFIGURE."""
BIND, COPY_METADATA = 1, 1
PACKET_HEADER, VERDICT_HEADER = 1, 2
ACCEPT = 1
PACKETS_MAX = 20_000
"""Packets held at once; the kernel drops more, as any full queue does."""
BUFFER_BYTES = 4 << 20
_MESSAGE = struct.Struct("=IHHII")
_FAMILY = struct.Struct("!BBH")
_ATTRIBUTE = struct.Struct("=HH")


class Queue:
    """The kernel's queue of packets that wait for a verdict."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        # Packets whose announcement did not fit are lost anyway: ignore the error.
        self._socket.setsockopt(SOL_NETLINK, NETLINK_NO_ENOBUFS, 1)
        self._socket.bind((0, 0))
        self._configure(COMMAND, struct.pack("!BBH", BIND, 0, 0))
        self._configure(PARAMETERS, struct.pack("!IB", 0, COPY_METADATA))
        self._configure(LENGTH_MAX, struct.pack("!I", PACKETS_MAX))

    def wait(self, timeout_s: float | None) -> bool:
        """Whether packets came within a time."""
        return bool(select.select([self._socket], [], [], timeout_s)[0])

    def take(self) -> list[int]:
        """Numbers of the packets that came."""
        data = self._socket.recv(1 << 16)
        return [
            int.from_bytes(value[:4], "big")
            for kind, payload in messages(data)
            if kind == (QUEUE_SUBSYSTEM << 8 | PACKET)
            for attribute, value in attributes(payload[_FAMILY.size :])
            if attribute == PACKET_HEADER
        ]

    def accept(self, packet: int) -> None:
        """Let a packet continue."""
        self._send(VERDICT, VERDICT_HEADER, struct.pack("!II", ACCEPT, packet), REQUEST)

    def _configure(self, attribute: int, value: bytes) -> None:
        self._send(CONFIGURE, attribute, value, REQUEST | ACKNOWLEDGE)
        for kind, payload in messages(self._socket.recv(1 << 16)):
            code = int.from_bytes(payload[:4], sys.byteorder, signed=True)
            if kind == ERROR and code != 0:
                raise OSError(-code, f"the kernel refuses queue {self._number}")

    def _send(self, message: int, attribute: int, value: bytes, flags: int) -> None:
        padded = value + bytes(-len(value) % 4)
        body = _FAMILY.pack(0, 0, self._number)
        body += _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), attribute) + padded
        kind = QUEUE_SUBSYSTEM << 8 | message
        self._socket.send(_MESSAGE.pack(_MESSAGE.size + len(body), kind, flags, 0, 0) + body)


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and payload of each netlink message."""
    while len(data) >= _MESSAGE.size:
        size, kind, *_ = _MESSAGE.unpack_from(data)
        yield kind, data[_MESSAGE.size : size]
        data = data[max(_MESSAGE.size, size + -size % 4) :]


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and value of each attribute; the type's two upper bits are flags."""
    while len(data) >= _ATTRIBUTE.size:
        size, kind = _ATTRIBUTE.unpack_from(data)
        yield kind & 0x3FFF, data[_ATTRIBUTE.size : size]
        data = data[max(_ATTRIBUTE.size, size + -size % 4) :]


def main() -> None:
    """Delay packets until asked to end; then let all continue at once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queue", type=int, default=7)
    parser.add_argument("--delay-ms", type=float, required=True)
    parser.add_argument("--jitter-ms", type=float, default=0.0, help="so much more or less")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    jitter = random.Random(options.seed)  # noqa: S311 - how long a packet waits, not a secret
    queue = Queue(options.queue)
    held: collections.deque[tuple[float, int]] = collections.deque()
    print("ready", flush=True)
    try:
        while True:
            pause_s = max(0.0, held[0][0] - time.monotonic()) if held else None
            if queue.wait(pause_s):
                for packet in queue.take():
                    spread_ms = jitter.uniform(-options.jitter_ms, options.jitter_ms)
                    due_s = time.monotonic() + max(0.0, options.delay_ms + spread_ms) / 1000
                    held.append((due_s, packet))
            while held and held[0][0] <= time.monotonic():
                queue.accept(held.popleft()[1])
    finally:
        for _, packet in held:
            queue.accept(packet)


if __name__ == "__main__":
    main()
