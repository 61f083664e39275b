"""The network connection of one container, which can be cut, slowed and made lossy."""

import os
import signal
import subprocess
import sys
from pathlib import Path

QUEUE = 7
HELPER = Path(__file__).with_name("packet_delay.py")
"""Delays packets in user space where the kernel has no netem."""
_helpers: dict[int, subprocess.Popen[str]] = {}


class NoDelayError(Exception):
    """This machine has no means to delay packets."""


class Link:
    """Rules in the network namespace of a container's processes; needs root."""

    def __init__(self, pid: int, ip: str) -> None:
        self._pid = pid
        self.ip = ip

    def drop_from(self, ip: str) -> None:
        """Drop all packets from one address: one direction of a partition."""
        self._inside("iptables", "-A", "INPUT", "-s", ip, "-j", "DROP")

    def drop_all_incoming(self) -> None:
        """Drop all packets that arrive; packets that are sent still arrive elsewhere."""
        self._inside("iptables", "-A", "INPUT", "-i", "eth0", "-j", "DROP")

    def lose(self, share: float) -> None:
        """Lose this share of the packets that arrive."""
        match = ("-m", "statistic", "--mode", "random", "--probability", str(share))
        self._inside("iptables", "-A", "INPUT", "-i", "eth0", *match, "-j", "DROP")

    def limit(self, kbit_per_s: int) -> None:
        """Limit sending and receiving to this number of kilobits a second."""
        bucket = ("tbf", "rate", f"{kbit_per_s}kbit", "burst", "8kb", "latency", "500ms")
        self._inside("tc", "qdisc", "replace", "dev", "eth0", "root", *bucket)
        _run("tc", "qdisc", "replace", "dev", self._outer_end(), "root", *bucket)

    def delay(self, delay_ms: int, jitter_ms: int) -> None:
        """Delay packets that arrive.

        Raises:
            NoDelayError: The kernel has neither netem nor queues for packets.
        """
        netem = ("netem", "delay", f"{delay_ms}ms", f"{jitter_ms}ms")
        try:
            _run("tc", "qdisc", "replace", "dev", self._outer_end(), "root", *netem)
        except RuntimeError:
            self._delay_in_user_space(delay_ms, jitter_ms)

    def calm(self) -> None:
        """Remove all faults."""
        self._inside("iptables", "-F", "INPUT")
        for where, device in ((self._inside, "eth0"), (_run, self._outer_end())):
            shown = where("tc", "qdisc", "show", "dev", device, "root")
            if "tbf" in shown or "netem" in shown:
                where("tc", "qdisc", "delete", "dev", device, "root")
        helper = _helpers.pop(self._pid, None)
        if helper is not None:
            helper.send_signal(signal.SIGTERM)
            helper.communicate()

    def _delay_in_user_space(self, delay_ms: int, jitter_ms: int) -> None:
        held_back = (f"--delay-ms={delay_ms}", f"--jitter-ms={jitter_ms}")
        command = [*self._enter(), sys.executable, str(HELPER), f"--queue={QUEUE}", *held_back]
        helper = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert helper.stdout is not None
        if helper.stdout.readline().strip() != "ready":
            words = helper.communicate()[1].strip().splitlines()[-1:]
            raise NoDelayError(f"no netem in this kernel, and no queue: {words}")
        _helpers[self._pid] = helper
        rule = ("-A", "INPUT", "-i", "eth0", "-j", "NFQUEUE", "--queue-num", str(QUEUE))
        try:
            self._inside("iptables", *rule, "--queue-bypass")
        except RuntimeError as error:
            raise NoDelayError(f"no netem in this kernel, and no NFQUEUE: {error}") from None

    def _outer_end(self) -> str:
        """The device on this machine that leads to the container."""
        index = self._inside("cat", "/sys/class/net/eth0/iflink").strip()
        for device in os.listdir("/sys/class/net"):
            if Path("/sys/class/net", device, "ifindex").read_text().strip() == index:
                return device
        raise RuntimeError(f"no device of this machine leads to {self.ip}")

    def _enter(self) -> tuple[str, ...]:
        return ("nsenter", "--target", str(self._pid), "--net")

    def _inside(self, *command: str) -> str:
        return _run(*self._enter(), *command)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout
