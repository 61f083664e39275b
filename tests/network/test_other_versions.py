"""Peers of another version of Swarm: counted, and named once each."""

import logging
from pathlib import Path

import msgpack
import pytest
import trio

from swarm.core.errors import RemoteProtocolError
from swarm.core.ids import ClusterId, PeerId, SessionId
from swarm.core.protocol import PROTOCOL_VERSION, topic_version
from swarm.federation.messages import SessionQuery
from swarm.federation.topics import cluster_topic, session_topic, status_topic
from swarm.network.addresses import parse_bootstrap
from swarm.network.events import DirectMessage, NetworkEvent
from swarm.network.identity import Identity, verify
from swarm.network.kademlia import NAMESPACE
from swarm.network.network import Network, NetworkConfig
from swarm.network.other_versions import LOGGED_MAX, OtherVersions
from swarm.network.statistics import Statistics
from swarm.network.store import FileBlobStore
from swarm.peer.host.wire import decode, encode
from swarm.search.study import StudyId
from swarm.search.topics import SEARCH_TOPIC, study_topic

ANNA, BEN = PeerId("anna"), PeerId("ben")
SESSION = SessionId("0" * 64)


def test_each_peer_of_another_version_is_named_once_and_counted_each_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    statistics = Statistics()
    versions = OtherVersions(statistics)

    for peer, version in [(ANNA, 1), (ANNA, 1), (BEN, 3), (ANNA, 1)]:
        versions.refuse(peer, version)

    assert statistics.rejected == {"wire-version": 4}
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert caplog.messages[0].startswith("peer anna runs an older version of Swarm")
    assert caplog.messages[0].endswith("update Swarm on that peer's machine")
    assert caplog.messages[1].startswith("peer ben runs a newer version of Swarm")
    assert caplog.messages[1].endswith("update Swarm on this machine")


def test_many_identities_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    statistics = Statistics()
    versions = OtherVersions(statistics)

    for number in range(LOGGED_MAX + 10):
        versions.refuse(PeerId(f"peer-{number}"), 1)

    assert len(caplog.messages) == LOGGED_MAX
    assert statistics.rejected["wire-version"] == LOGGED_MAX + 10


@pytest.mark.parametrize(
    "topic",
    [
        session_topic(SESSION),
        cluster_topic(SESSION, ClusterId("c")),
        status_topic(SESSION),
        SEARCH_TOPIC,
        study_topic(StudyId("s")),
        NAMESPACE,
    ],
)
def test_every_topic_carries_version_2(topic: str) -> None:
    assert topic_version(topic) == PROTOCOL_VERSION == 2


@pytest.mark.parametrize("topic", ["news", "swarm", "swarm/x/search", "swarm/1x", "a/swarm/1/b"])
def test_a_topic_of_another_program_has_no_version(topic: str) -> None:
    assert topic_version(topic) is None


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize("says", ["subscription", "message"])
async def test_a_peer_that_hears_version_1_counts_it_and_names_the_side_to_update(
    says: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    new, old = a_network(tmp_path / "new"), None

    async def take(event: NetworkEvent) -> None:
        if isinstance(event, DirectMessage):
            with pytest.raises(RemoteProtocolError) as caught:
                decode(event.data, event.sender, verify)
            new.refuse(caught.value)

    async def ignore(event: NetworkEvent) -> None:
        pass

    async with trio.open_nursery() as nursery:
        await nursery.start(new.run, take)
        old = a_network(tmp_path / "old", new.listen_addresses[0])
        await nursery.start(old.run, ignore)
        with trio.fail_after(20):
            while new.peer_id not in old.snapshot().connected:
                await trio.lowlevel.checkpoint()
            if says == "message":
                query = msgpack.unpackb(encode(SessionQuery(old.peer_id)))
                await old.send(new.peer_id, msgpack.packb({**query, "v": 1}))
            else:
                await old.subscribe("swarm/1/search")
            while "wire-version" not in new.snapshot().rejected:
                await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()

    (warning,) = (r for r in caplog.records if r.levelno == logging.WARNING)
    assert f"peer {old.peer_id} runs an older version of Swarm" in warning.getMessage()
    assert "update Swarm on that peer's machine" in warning.getMessage()


def a_network(folder: Path, *bootstraps: str) -> Network:
    config = NetworkConfig("127.0.0.1", 0, folder, tuple(map(parse_bootstrap, bootstraps)))
    return Network(config, Identity.generate(), FileBlobStore(folder / "blobs"))
