"""Text files from Windows begin with a byte order mark."""

import json
import tomllib
from pathlib import Path

import pytest

from swarm.core.text import decode_text
from swarm.peer.federation.peer_settings import read_session_file


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_the_mark_names_the_encoding_and_is_left_out(encoding: str) -> None:
    assert tomllib.loads(decode_text("name = 'Zürich'\r\n".encode(encoding))) == {"name": "Zürich"}
    assert json.loads(decode_text('{"a": 1}'.encode(encoding))) == {"a": 1}


def test_bytes_without_a_mark_are_utf_8() -> None:
    with pytest.raises(UnicodeDecodeError):
        decode_text("Zürich".encode("cp1252"))


def test_a_session_file_may_begin_with_a_mark(tmp_path: Path) -> None:
    path = tmp_path / "session.toml"
    path.write_bytes(b"\xef\xbb\xbfrounds = 3\r\n")

    assert read_session_file(path) == {"rounds": 3}
