"""SeenNumbers: which numbered messages of an author were seen before, in few bytes per author.

libp2p remembers the ids of messages for two minutes. After that, a peer that kept a signed message
could publish it again, and make a peer that is gone look alive.
"""

from collections import OrderedDict

from libp2p.peer.id import ID

WINDOW = 1024
"""Messages of one author that may overtake each other; in practice it is a handful."""
AUTHORS_MAX = 1024
NUMBER_BYTES_MAX = 8
"""A sequence number is a 64-bit integer, big endian."""


class SeenNumbers:
    """The newest number of each author, and one bit for each of the `WINDOW` numbers before it.

    Authors number their messages upwards, starting from the time in nanoseconds, so numbers also
    grow across restarts. A number older than the window counts as seen. Call it only for numbers
    with a checked signature, so that no peer can spoil the window of another one.
    """

    def __init__(self) -> None:
        self._authors: OrderedDict[ID, tuple[int, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._authors)

    def is_new(self, author: ID, number: int) -> bool:
        """Return whether this number of `author` was not seen before, and remember it."""
        newest, seen = self._authors.get(author, (number - 1, 0))
        behind = newest - number
        if behind >= WINDOW or (behind >= 0 and seen >> behind & 1):
            return False
        if behind < 0:
            # A restart jumps by thousands of millions: clear the bits, do not shift that far.
            seen = (seen << -behind) & ((1 << WINDOW) - 1) if -behind < WINDOW else 0
            newest, behind = number, 0
        self._authors[author] = (newest, seen | 1 << behind)
        self._authors.move_to_end(author)
        if len(self._authors) > AUTHORS_MAX:
            self._authors.popitem(last=False)
        return True
