"""Which blobs are here, which were asked for, and how long they took."""

import hashlib

from swarm.core.blobs import BlobRef
from swarm.core.ids import Digest, PeerId
from swarm.federation.blob_tracker import BlobTracker

ANNA = PeerId("anna")
BLOB = BlobRef(Digest(hashlib.sha256(b"weights").hexdigest()), 10**6)


def test_a_blob_on_its_way_is_timed_from_the_first_request_through_a_change_of_rounds() -> None:
    blobs = BlobTracker()
    blobs.want(BLOB, (ANNA,), 0.0, 10.0)

    blobs.keep_only(frozenset())  # a head was adopted, and the blob was not announced again yet
    blobs.arrived(BLOB, 17.0)

    assert blobs.took_s(BLOB) == 7.0


def test_a_blob_that_was_not_asked_for_took_no_time() -> None:
    blobs = BlobTracker()

    blobs.arrived(BLOB, 17.0)

    assert blobs.has(BLOB)
    assert blobs.took_s(BLOB) == 0.0
