"""A few machines on one switch: a network namespace each, with IPv4 and IPv6 addresses.

The switch has its own namespace, so this machine's firewall and bridges do not matter. There is no
default route, so nothing outside can be reached. Needs root and `ip`.
"""

import os
import subprocess
from collections.abc import Sequence
from types import TracebackType

NETWORKS = {4: "10.178.78.", 6: "fd78:78::"}
PREFIX_BITS = {4: 24, 6: 64}


class LocalNetwork:
    """Context manager for `num_machines` machines."""

    def __init__(self, num_machines: int) -> None:
        self._num_machines = num_machines
        self._tag = f"swl{os.getpid() % 10**6}"
        self._names: list[str] = []

    def __enter__(self) -> "LocalNetwork":
        try:
            self._add_namespace("switch")
            self._inside("switch", "link", "add", "bridge", "type", "bridge")
            self._inside("switch", "link", "set", "bridge", "up")
            for index in range(self._num_machines):
                self._add_machine(index)
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.remove()

    def ip(self, index: int, version: int) -> str:
        """A machine's address."""
        return f"{NETWORKS[version]}{index + 1}"

    def prefix(self, index: int) -> Sequence[str]:
        """The command prefix that runs a command on a machine."""
        return ("ip", "netns", "exec", f"{self._tag}-{index}")

    def remove(self) -> None:
        """Remove the namespaces; their interfaces go with them."""
        for name in self._names:
            _ip("netns", "delete", name)
        self._names = []

    def _add_machine(self, index: int) -> None:
        machine = self._add_namespace(str(index))
        _ip(
            *("-n", f"{self._tag}-switch", "link", "add", f"port{index}", "type", "veth"),
            *("peer", "name", "eth0", "netns", machine),
        )
        self._inside("switch", "link", "set", f"port{index}", "master", "bridge", "up")
        for version, bits in PREFIX_BITS.items():
            address = f"{self.ip(index, version)}/{bits}"
            # Without `nodad` an IPv6 address cannot be used for the first second or two.
            options = ("nodad",) if version == 6 else ()
            self._inside(str(index), "address", "add", address, "dev", "eth0", *options)
        for device in ("lo", "eth0"):
            self._inside(str(index), "link", "set", device, "up")

    def _add_namespace(self, name: str) -> str:
        whole = f"{self._tag}-{name}"
        _ip("netns", "add", whole)
        self._names.append(whole)
        return whole

    def _inside(self, name: str, *arguments: str) -> None:
        _ip("-n", f"{self._tag}-{name}", *arguments)


def _ip(*arguments: str) -> None:
    subprocess.run(["/usr/bin/env", "ip", *arguments], check=True, capture_output=True)
