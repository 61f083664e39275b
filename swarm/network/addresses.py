"""Addresses at which peers can be dialled: `ip:port`, `host:port` and full multiaddrs."""

import ipaddress
import re
import socket
from dataclasses import dataclass

import base58
import psutil

from swarm.core.errors import ConfigurationError
from swarm.core.ids import PeerId

_ED25519_ID_PREFIX = bytes.fromhex("002408011220")
"""Identity multihash of a protobuf with an Ed25519 key; the 32 bytes of the key follow."""
_ED25519_ID_LENGTH = len(_ED25519_ID_PREFIX) + 32
_ED25519_ID_CHARACTERS = 52
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")
_MULTIADDR = re.compile(
    r"/(?P<kind>ip4|ip6|dns|dns4|dns6)/(?P<host>[^/]+)/tcp/(?P<port>\d+)(?:/p2p/(?P<peer>\w+))?"
)
_FORMS = "use ip:port, [ipv6]:port, host:port or /ip4/IP/tcp/PORT/p2p/ID"


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """A TCP address of a peer: always an IP address, never a host name."""

    ip: str
    port: int

    def __post_init__(self) -> None:
        ipaddress.ip_address(self.ip)
        if not 1 <= self.port <= 65535:
            raise ValueError(f"port must be in 1..65535, got {self.port}")

    @property
    def multiaddr(self) -> str:
        """The address in libp2p's notation, without a peer id."""
        kind = "ip6" if ":" in self.ip else "ip4"
        return f"/{kind}/{self.ip}/tcp/{self.port}"

    @property
    def is_wildcard(self) -> bool:
        """Whether it means "every address of this machine", which no peer can dial."""
        return ipaddress.ip_address(self.ip).is_unspecified

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can dial it; elsewhere it means another machine."""
        return is_loopback(self.ip)


@dataclass(frozen=True, slots=True)
class BootstrapAddress:
    """The address of a first peer; its id may be unknown until the handshake."""

    host: str
    """An IP address, or a name, which is resolved again on every attempt."""
    port: int
    peer_id: PeerId | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def check_ip(ip: str) -> None:
    """Check an address to listen on. A name is refused, because it may have several addresses.

    Raises:
        ConfigurationError: It is not an IP address.
    """
    try:
        ipaddress.ip_address(ip)
    except ValueError as error:
        raise ConfigurationError(f"ip must be an IP address, got {ip!r:.80}") from error


def parse_bootstrap(text: str) -> BootstrapAddress:
    """Read one bootstrap address.

    Raises:
        ConfigurationError: The address breaks a rule; the message gives both.

    Example:
        >>> parse_bootstrap("192.0.2.7:4001")
        BootstrapAddress(host='192.0.2.7', port=4001, peer_id=None)
    """
    try:
        return _from_multiaddr(text) if text.startswith("/") else _from_host_port(text)
    except ValueError as error:
        raise ConfigurationError(f"bootstrap address {text!r:.200}: {error}") from error


def parse_peer_address(text: str) -> tuple[PeerId, Endpoint]:
    """Read a full multiaddr with an IP address and a peer id.

    Raises:
        ValueError: The text is anything else.
    """
    address = _from_multiaddr(text)
    if address.peer_id is None:
        raise ValueError("the peer id (/p2p/ID) is missing")
    return address.peer_id, Endpoint(address.host, address.port)


def format_peer_address(peer: PeerId, endpoint: Endpoint) -> str:
    """Format an address the way `parse_peer_address` reads it."""
    return f"{endpoint.multiaddr}/p2p/{peer}"


def is_peer_id(text: str) -> bool:
    """Return whether `text` is a base58 peer id that contains an Ed25519 key."""
    if len(text) != _ED25519_ID_CHARACTERS:  # decoding 32 KiB of base58 takes a second
        return False
    try:
        raw = base58.b58decode(text)
    except ValueError:
        return False
    return len(raw) == _ED25519_ID_LENGTH and raw.startswith(_ED25519_ID_PREFIX)


def reachable_ip(listen_ip: str) -> str:
    """Return the IP address to announce: a wildcard becomes the machine's main address."""
    if not ipaddress.ip_address(listen_ip).is_unspecified:
        return listen_ip
    family, far_away = (
        (socket.AF_INET6, "2001:db8::1") if ":" in listen_ip else (socket.AF_INET, "192.0.2.1")
    )
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((far_away, 9))  # UDP: this chooses a route and sends nothing
            return str(probe.getsockname()[0])
        except OSError:  # no route out of the local network
            return _interface_ip(family)


def is_loopback(ip: str) -> bool:
    """Return whether an address leads back to the machine that dials it."""
    return ipaddress.ip_address(ip.partition("%")[0]).is_loopback


def _interface_ip(family: socket.AddressFamily) -> str:
    """Return an address that other machines may reach; the loopback address if there is none."""
    addresses = psutil.net_if_addrs()
    up = [name for name, state in psutil.net_if_stats().items() if state.isup]
    for name in up:
        for address in addresses.get(name, ()):
            ip = ipaddress.ip_address(address.address) if address.family == family else None
            if ip is not None and not (ip.is_loopback or ip.is_link_local):
                return str(ip)
    # Without a network, peers on this machine can still connect.
    return "::1" if family == socket.AF_INET6 else "127.0.0.1"


def _from_multiaddr(text: str) -> BootstrapAddress:
    match = _MULTIADDR.fullmatch(text)
    if match is None:
        raise ValueError(_FORMS)
    kind, host, peer = match["kind"], match["host"], match["peer"]
    if kind == "ip4":
        ipaddress.IPv4Address(host)
    elif kind == "ip6":
        ipaddress.IPv6Address(host)
    else:
        _check_name(host)
    if peer is not None and not is_peer_id(peer):
        raise ValueError(f"{peer!r:.80} is not an Ed25519 peer id")
    return BootstrapAddress(host, _port(match["port"]), PeerId(peer) if peer else None)


def _from_host_port(text: str) -> BootstrapAddress:
    bracketed = re.fullmatch(r"\[([^\]]+)\]:(\d+)", text)
    if bracketed:
        return BootstrapAddress(str(ipaddress.IPv6Address(bracketed[1])), _port(bracketed[2]))
    host, colon, port = text.rpartition(":")
    if not colon or not host or ":" in host:
        raise ValueError(_FORMS)
    if re.fullmatch(r"[\d.]+", host):
        ipaddress.IPv4Address(host)
    else:
        _check_name(host)
    return BootstrapAddress(host, _port(port))


def _check_name(host: str) -> None:
    if len(host) > 253 or not _HOST_NAME.fullmatch(host):
        raise ValueError(f"{host!r:.80} is not a host name")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 65535):
        raise ValueError(f"port must be in 1..65535, got {text!r:.20}")
    return int(text)
