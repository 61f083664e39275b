"""Network namespaces, one per peer, joined by wires that can be cut, slow and lossy.

Each namespace has one TUN device. A thread in this process carries the packets between them and
decides about each. Needs root, `ip`, and /dev/net/tun, but no kernel module for delays.
"""

import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import threading
import time
from collections.abc import Iterable, Sequence
from types import TracebackType

NETWORK = "10.177.77"
MTU = 9000
"""Jumbo frames: fewer packets for the thread to carry."""
_TUNSETIFF = 0x400454CA
_IFF_TUN_WITHOUT_HEADER = 0x0001 | 0x1000


def why_impossible() -> str | None:
    """The reason why this machine cannot make namespaces, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not os.path.exists("/dev/net/tun"):
        return "this machine has no /dev/net/tun"
    try:
        with Wires(1):
            pass
    except (OSError, subprocess.CalledProcessError) as error:
        return f"network namespaces cannot be made here: {error}"
    return None


class Wires:
    """Context manager for `num_peers` namespaces, with one address each, and their wires.

    Packets from one peer to another arrive in order, after the delay, unless they are lost.
    """

    def __init__(self, num_peers: int, seed: int = 0) -> None:
        self._num_peers = num_peers
        self._random = random.Random(seed)  # noqa: S311 - which packets are lost, not a secret
        self._devices: list[int] = []
        self._names: list[str] = []
        self._groups: dict[int, int] = {}
        self._waiting: list[tuple[float, int, int, bytes]] = []
        self._wake_out, self._wake = os.pipe()
        self._thread = threading.Thread(target=self._carry_forever, daemon=True)
        self._stopping = False
        self.delay_s = 0.0
        self.loss = 0.0
        """Share of the packets that vanish."""
        self.deaf: frozenset[int] = frozenset()
        """Peers that receive nothing, while what they send arrives."""
        self.bytes_per_s: dict[int, float] = {}
        """By peer: limit on what it receives, and on what it sends."""
        self._free_s: dict[tuple[str, int], float] = {}
        """When the packets that a limited peer received, or sent, will be through its link."""
        self.num_carried = 0
        self.num_lost = 0

    def __enter__(self) -> "Wires":
        try:
            for index in range(self._num_peers):
                self._add(index)
        except BaseException:
            self._remove()
            raise
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping = True
        os.write(self._wake, b"x")
        self._thread.join()
        self._remove()

    def ip(self, index: int) -> str:
        """The address of a peer."""
        return f"{NETWORK}.{index + 1}"

    def prefix(self, index: int) -> Sequence[str]:
        """The command prefix that runs a command in the peer's namespace."""
        return ("ip", "netns", "exec", self._names[index])

    def split(self, *groups: Iterable[int]) -> None:
        """Drop packets between groups silently, as a cut cable does."""
        self._groups = {peer: number for number, group in enumerate(groups) for peer in group}

    def heal(self) -> None:
        """Remove all faults."""
        self._groups = {}
        self.delay_s = self.loss = 0.0
        self.deaf = frozenset()
        self.bytes_per_s = {}

    def _add(self, index: int) -> None:
        name, device = f"swarm{os.getpid()}-{index}", f"swt{os.getpid() % 10**6}-{index}"
        _ip("netns", "add", name)
        self._names.append(name)
        tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        self._devices.append(tun)
        fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH", device.encode(), _IFF_TUN_WITHOUT_HEADER))
        _ip("link", "set", device, "netns", name)
        inside = ("-n", name)
        _ip(*inside, "link", "set", "lo", "up")
        _ip(*inside, "address", "add", f"{self.ip(index)}/24", "dev", device)
        _ip(*inside, "link", "set", device, "mtu", str(MTU), "up")

    def _remove(self) -> None:
        for tun in self._devices:
            os.close(tun)
        for name in self._names:
            _ip("netns", "delete", name)
        for end in (self._wake, self._wake_out):
            os.close(end)
        self._devices, self._names = [], []

    def _carry_forever(self) -> None:
        poll = select.poll()
        for index in range(self._num_peers):
            poll.register(self._devices[index], select.POLLIN)
        poll.register(self._wake_out, select.POLLIN)
        senders = {tun: index for index, tun in enumerate(self._devices)}
        while not self._stopping:
            for tun, _ in poll.poll(self._pause_ms()):
                if tun in senders:
                    self._take_all(senders[tun], tun)
            self._give_due()

    def _pause_ms(self) -> int | None:
        if not self._waiting:
            return None
        return max(0, int(1000 * (self._waiting[0][0] - time.monotonic())) + 1)

    def _take_all(self, sender: int, tun: int) -> None:
        while True:
            try:
                packet = os.read(tun, 65536)
            except BlockingIOError:
                return
            receiver = packet[19] - 1 if packet[0] >> 4 == 4 else -1  # the last byte of an IPv4
            if 0 <= receiver < self._num_peers and self._passes(sender, receiver):
                self.num_carried += 1
                due_s = self._through_s(sender, receiver, len(packet)) + self.delay_s
                heapq.heappush(self._waiting, (due_s, self.num_carried, receiver, packet))

    def _through_s(self, sender: int, receiver: int, size_bytes: int) -> float:
        """When a packet is through the limits of both ends, after the packets before it."""
        through_s = time.monotonic()
        for end, peer in (("sent", sender), ("received", receiver)):
            if peer in self.bytes_per_s:
                begin_s = max(through_s, self._free_s.get((end, peer), 0.0))
                through_s = begin_s + size_bytes / self.bytes_per_s[peer]
                self._free_s[end, peer] = through_s
        return through_s

    def _passes(self, sender: int, receiver: int) -> bool:
        if self._groups.get(sender) != self._groups.get(receiver):
            return False
        if receiver in self.deaf:
            return False
        if self.loss and self._random.random() < self.loss:
            self.num_lost += 1
            return False
        return True

    def _give_due(self) -> None:
        now_s = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now_s:
            _, _, receiver, packet = heapq.heappop(self._waiting)
            try:
                os.write(self._devices[receiver], packet)
            except BlockingIOError:
                self.num_lost += 1  # dropped, as in any full queue


def _ip(*arguments: str) -> None:
    subprocess.run(["/usr/bin/env", "ip", *arguments], check=True, capture_output=True)
