"""Files that a user's command leaves in a member's inbox, and the member's replies to them.

A command copies rows, or writes an order, under a hidden name, then renames it: the member never
sees half of a file. Its name has a token, under which the reply comes:

    inbox/   20261201T161500-9f3c2a10--rows.csv      rows to add
             20261201T161500-51b07e44--fit.order     {"order": "fit", "everyone": true}
    inbox/replies/20261201T161500-9f3c2a10--rows.csv.json    {"accepted": true, "text": "..."}
"""

import json
import os
import re
import secrets
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from swarm.core.errors import ConfigurationError, DataError, StorageError
from swarm.peer.host.whole_files import write_json, write_whole

ORDER_ENDING = ".order"
ORDER_SIZE_MAX = 4096
FIT, PROMOTE, ROLLBACK = "fit", "promote", "rollback"
ORDERS = (FIT, PROMOTE, ROLLBACK)
REPLIES_FOLDER = "replies"
REPLIES_MAX = 256
"""Replies that are kept for commands that did not wait for them; the oldest goes first."""
_TOKEN = re.compile(r"\d{8}T\d{6}-[0-9a-f]{8}--")


@dataclass(frozen=True, slots=True)
class Order:
    """What a user wants a member to do."""

    order: str
    """One of `ORDERS`."""
    everyone: bool = False
    """Whether all members are to fit."""

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise ValueError(f"order must be one of {', '.join(ORDERS)}, got {self.order!r:.40}")
        if self.everyone not in (True, False):
            raise ValueError(f"everyone must be true or false, got {self.everyone!r:.40}")
        if self.everyone and self.order != FIT:
            raise ValueError(f"everyone is for {FIT}, not for {self.order}")


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a file."""

    accepted: bool
    text: str


# -- a command's side


def leave_rows(inbox: Path, source: Path) -> str:
    """Copy a file of rows into an inbox; returns its name there.

    Raises:
        ConfigurationError: The file cannot be read.
        StorageError: The inbox cannot be written.
    """
    name = _new_token() + source.name
    hidden = inbox / f".{name}.new"
    try:
        with source.open("rb") as read, hidden.open("wb") as written:
            shutil.copyfileobj(read, written, 1 << 20)
    except OSError as error:
        hidden.unlink(missing_ok=True)
        if error.filename == str(source) or isinstance(error, IsADirectoryError):
            raise ConfigurationError(f"cannot read {source}: {error.strerror}") from error
        raise StorageError(f"cannot write to {inbox}: {error.strerror}") from error
    hidden.replace(inbox / name)
    return name


def leave_order(inbox: Path, order: Order) -> str:
    """Write an order into an inbox; returns its name there.

    Raises:
        StorageError: The inbox cannot be written.
    """
    name = f"{_new_token()}{order.order}{ORDER_ENDING}"
    hidden = inbox / f".{name}"
    write_whole(hidden, json.dumps(asdict(order)).encode())
    hidden.replace(inbox / name)
    return name


def take_reply(inbox: Path, name: str) -> Reply | None:
    """The reply to a file, which is deleted then; None while there is none.

    Raises:
        StorageError: It is damaged.
    """
    path = _reply_path(inbox, name)
    try:
        plain = json.loads(path.read_bytes())
        reply = Reply(bool(plain["accepted"]), str(plain["text"]))
        path.unlink()
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StorageError(f"the reply {path} is damaged: {error}") from error
    return reply


def withdraw(inbox: Path, name: str) -> bool:
    """Take a file back; False if the member has taken it already."""
    try:
        (inbox / name).unlink()
    except FileNotFoundError:
        return False
    return True


# -- a member's side


def read_order(path: Path) -> Order:
    """Read an order.

    Raises:
        DataError: It breaks a rule.
    """
    try:
        plain = json.loads(path.read_bytes()[: ORDER_SIZE_MAX + 1])
        return Order(**plain)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise DataError(f"the order {original_name(path.name)} is refused: {error}") from error


def write_reply(inbox: Path, name: str, reply: Reply) -> None:
    """Write the reply to a file, and forget the oldest replies of which there are too many.

    Raises:
        StorageError: The disk refused the write.
    """
    folder = inbox / REPLIES_FOLDER
    write_json(_reply_path(inbox, name), asdict(reply))
    names = sorted(os.listdir(folder))  # they begin with the time
    for old in names[: max(0, len(names) - REPLIES_MAX)]:
        (folder / old).unlink(missing_ok=True)


def is_own_copy(name: str) -> bool:
    """Whether a file was left by a command of ours: it is whole, and a copy."""
    return _TOKEN.match(name) is not None


def original_name(name: str) -> str:
    """A file's name without the token, for messages."""
    return _TOKEN.sub("", name, count=1)


def _new_token() -> str:
    moment = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    return f"{moment}-{secrets.token_hex(4)}--"


def _reply_path(inbox: Path, name: str) -> Path:
    return inbox / REPLIES_FOLDER / f"{name}.json"
