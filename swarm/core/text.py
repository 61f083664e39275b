"""decode_text(): text from the bytes of a file, with or without a byte order mark."""

_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),  # before UTF-16, whose mark is a prefix of this one
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


def marked_encoding(data: bytes) -> str | None:
    """The encoding that a byte order mark names, as editors on Windows write it; None if none.

    Example:
        >>> marked_encoding("a".encode("utf-8-sig"))
        'utf-8-sig'
    """
    return next((name for mark, name in _MARKS if data.startswith(mark)), None)


def decode_text(data: bytes) -> str:
    r"""Decode UTF-8, or the encoding that a byte order mark names; the mark itself is left out.

    Raises:
        UnicodeDecodeError: The bytes are no text in that encoding.

    Example:
        >>> decode_text(b"\xef\xbb\xbfrounds = 3")
        'rounds = 3'
    """
    return data.decode(marked_encoding(data) or "utf-8")
