import socket

import pytest

from swarm.core.errors import ConfigurationError
from swarm.network.addressbook import PEERS_MAX, AddressBook
from swarm.network.addresses import BootstrapAddress, Endpoint, parse_bootstrap, reachable_ip
from swarm.network.identity import Identity
from swarm.network.lock import hold_state_folder, require_free_port

ANNA = Identity.generate(b"a" * 32).peer_id
HOME = Endpoint("192.0.2.1", 4001)


def peer(number):
    return Identity.generate(number.to_bytes(32, "big")).peer_id


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.7:4001", BootstrapAddress("192.0.2.7", 4001)),
        ("[2001:db8::1]:4001", BootstrapAddress("2001:db8::1", 4001)),
        ("peer-1:4001", BootstrapAddress("peer-1", 4001)),
        ("swarm.example.org:1", BootstrapAddress("swarm.example.org", 1)),
        ("/ip4/192.0.2.7/tcp/4001", BootstrapAddress("192.0.2.7", 4001)),
        (f"/ip4/192.0.2.7/tcp/4001/p2p/{ANNA}", BootstrapAddress("192.0.2.7", 4001, ANNA)),
        (f"/ip6/::1/tcp/4001/p2p/{ANNA}", BootstrapAddress("::1", 4001, ANNA)),
        (f"/dns4/example.org/tcp/4001/p2p/{ANNA}", BootstrapAddress("example.org", 4001, ANNA)),
    ],
)
def test_every_form_of_a_bootstrap_address_is_understood(text, address):
    assert parse_bootstrap(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "", "4001", ":4001", "host", "host:", "host:0", "host:65536", "host:x", "host:٤",
        "1.2.3:4001",
        "256.0.0.1:4001", "::1:4001", "[::g]:4001", "-bad-:4001", "two words:4001", "http://host:4001",
        "/ip4/192.0.2.7", "/ip4/192.0.2.7/udp/4001", "/ip4/host/tcp/4001", "/ip4/192.0.2.7/tcp/0",
        "/ip4/192.0.2.7/tcp/4001/p2p/QmNotEd25519", "/ip4/192.0.2.7/tcp/4001/quic",
    ],
)  # fmt: skip
def test_a_wrong_bootstrap_address_is_refused_with_its_value(text):
    with pytest.raises(ConfigurationError) as refusal:
        parse_bootstrap(text)

    assert repr(text) in str(refusal.value)


def test_a_wildcard_becomes_an_address_others_can_dial():
    assert reachable_ip("192.0.2.7") == "192.0.2.7"
    assert reachable_ip("0.0.0.0") != "0.0.0.0"  # noqa: S104  # a wildcard is the input


def test_a_restart_keeps_confirmed_addresses_and_drops_hints(tmp_path):
    book = AddressBook(tmp_path / "peers.json")
    book.confirm(peer(1), [HOME])
    book.hint(peer(2), [HOME])
    book.save()

    again = AddressBook(tmp_path / "peers.json")

    assert list(again) == [peer(1)]
    assert again.endpoints(peer(1)) == (HOME,)


@pytest.mark.parametrize("damage", [b"", b"{}", b"[1]", b"null", b'["/ip4/x"]', b"\xff"])
def test_a_damaged_address_book_starts_empty(tmp_path, damage):
    (tmp_path / "peers.json").write_bytes(damage)

    assert len(AddressBook(tmp_path / "peers.json")) == 0


def test_the_address_book_is_bounded_and_hints_go_first(tmp_path):
    book = AddressBook(tmp_path / "peers.json")
    book.confirm(ANNA, [HOME])
    for number in range(PEERS_MAX + 20):
        book.hint(peer(number), [Endpoint("192.0.2.1", 1 + number)])

    assert len(book) == PEERS_MAX
    assert ANNA in book


def test_an_address_that_cannot_be_dialled_is_not_kept(tmp_path):
    book = AddressBook(tmp_path / "peers.json")

    book.confirm(ANNA, [Endpoint("0.0.0.0", 4001)])  # noqa: S104  # a peer may claim it

    assert ANNA not in book


def test_a_folder_is_free_again_when_its_holder_releases_it(tmp_path):
    with hold_state_folder(tmp_path):
        pass
    refused = pytest.raises(ConfigurationError, match="in use by process")
    with hold_state_folder(tmp_path), refused, hold_state_folder(tmp_path):
        pass


def test_a_taken_port_is_noticed_although_libp2p_would_share_it():
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port}"):
            require_free_port("127.0.0.1", port)
    require_free_port("127.0.0.1", port)
