"""Pulling blobs from peers in other processes, sound and faulty ones."""

import signal

import pytest
import trio
import trio.testing

pytestmark = [pytest.mark.network, pytest.mark.slow]


@pytest.fixture
async def three(start_peer):
    anna = await start_peer("anna")
    ben = await start_peer("ben", anna.address)
    cleo = await start_peer("cleo", anna.address)
    await anna.wait_connected(ben, cleo)
    await ben.wait_connected(cleo)
    return anna, ben, cleo


@pytest.mark.parametrize("size", [1, 65_536, 1_280_000, 12_000_000])
async def test_a_blob_arrives_whole(start_peer, size):
    anna = await start_peer("anna")
    ben = await start_peer("ben", anna.address)
    await anna.wait_connected(ben)
    blob = await anna.tell("put", size=size)

    await ben.tell("fetch", **blob, holders=[anna.peer_id])

    assert (await ben.tell("snapshot"))["blob_bytes_received"] == size
    assert (await anna.tell("snapshot"))["blob_bytes_sent"] == size


async def test_the_next_holder_is_asked_when_one_has_nothing(three):
    anna, ben, cleo = three
    blob = await anna.tell("put", size=1000)

    await cleo.tell("fetch", **blob, holders=[ben.peer_id, anna.peer_id])


async def test_a_blob_that_no_peer_has_is_not_found(three):
    anna, ben, cleo = three

    with pytest.raises(Exception, match="BlobNotFoundError"):
        await cleo.tell(
            "fetch", digest="ab" * 32, size_bytes=5, holders=[ben.peer_id, anna.peer_id]
        )


async def test_a_holder_with_corrupt_bytes_is_passed_over_and_counted(three):
    anna, ben, cleo = three
    blob = await anna.tell("put", size=3_000_000)
    await ben.tell("spoil", digest=blob["digest"], size=3_000_000)

    await cleo.tell("fetch", **blob, holders=[ben.peer_id, anna.peer_id])

    assert (await cleo.tell("snapshot"))["rejected"]["blob-corrupt"] == 1


async def test_a_blob_flows_through_a_holder_that_is_still_waiting_for_it(three):
    anna, ben, cleo = three
    done = []
    data = "aGVsbG8="  # hello
    digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

    async with trio.open_nursery() as nursery:

        async def fetch(peer, holder):
            await peer.tell(
                "fetch", digest=digest, size_bytes=5, holders=[holder.peer_id], wait_s=9
            )
            done.append(peer)

        nursery.start_soon(fetch, cleo, ben)
        nursery.start_soon(fetch, ben, anna)
        await trio.testing.wait_all_tasks_blocked()  # both commands to fetch were sent ...
        for peer in (cleo, ben):
            await peer.tell("snapshot")  # ... and both fetches have begun
        assert not done
        await anna.tell("put_data", data=data)

    assert set(done) == {ben, cleo}


async def test_two_calls_for_one_blob_share_the_transfer(three):
    anna, _, cleo = three
    blob = await anna.tell("put", size=8_000_000)

    async with trio.open_nursery() as nursery:
        for _ in range(3):

            async def fetch():
                await cleo.tell("fetch", **blob, holders=[anna.peer_id])

            nursery.start_soon(fetch)

    assert (await cleo.tell("snapshot"))["blob_bytes_received"] == 8_000_000


async def test_a_transfer_goes_on_at_the_next_holder_when_one_freezes(three):
    anna, ben, cleo = three
    blob = await anna.tell("put", size=150_000_000)
    await ben.tell("fetch", **blob, holders=[anna.peer_id])
    before = (await ben.tell("snapshot"))["blob_bytes_sent"]

    async with trio.open_nursery() as nursery:

        async def fetch():
            await cleo.tell("fetch", **blob, holders=[anna.peer_id, ben.peer_id])

        nursery.start_soon(fetch)
        while not (await cleo.tell("snapshot"))["blob_bytes_received"]:
            pass
        anna.signal(signal.SIGKILL)

    sent = (await ben.tell("snapshot"))["blob_bytes_sent"] - before
    assert 0 < sent < 150_000_000
    assert (await cleo.tell("snapshot"))["blob_bytes_received"] == 150_000_000
