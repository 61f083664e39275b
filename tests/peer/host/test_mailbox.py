"""Events in the mailbox, and what may not be deleted before they are heard."""

import trio

from swarm.core.blobs import BlobRef
from swarm.core.canonical import sha256_hex
from swarm.core.effects import BlobArrived, PeerConnected
from swarm.core.ids import Digest, PeerId
from swarm.federation.effects import TrainingFinished
from swarm.peer.host.mailbox import CAPACITY, Mailbox

ONE, TWO = (BlobRef(sha256_hex(text), 3) for text in (b"one", b"two"))


async def test_what_an_unheard_event_brings_is_kept_until_it_is_taken() -> None:
    mailbox = Mailbox()
    await mailbox.post(BlobArrived(ONE))
    await mailbox.post(PeerConnected(PeerId("anna")))
    await mailbox.post(TrainingFinished(Digest("base"), TWO, 100, 4.0, None))
    await mailbox.post(BlobArrived(ONE))
    taken, kept = [], [mailbox.blobs]

    for _ in range(4):
        taken.append(type(await mailbox.take()))
        kept.append(mailbox.blobs)

    assert taken == [BlobArrived, PeerConnected, TrainingFinished, BlobArrived]
    assert kept == [{ONE, TWO}, {ONE, TWO}, {ONE, TWO}, {ONE}, set()]


async def test_what_could_not_be_posted_is_not_kept() -> None:
    mailbox = Mailbox()
    for _ in range(CAPACITY):
        await mailbox.post(PeerConnected(PeerId("anna")))

    with trio.move_on_after(0.01):
        await mailbox.post(BlobArrived(ONE))

    assert mailbox.blobs == set()
