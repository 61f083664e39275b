"""LedgerFile: the folder of a study, with `study.json` and a growing `ledger.jsonl`."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from cattrs import Converter
from cattrs.errors import BaseValidationError, StructureHandlerNotFoundError
from cattrs.strategies import configure_tagged_union, configure_union_passthrough

from swarm.core.errors import ConfigurationError, StorageError
from swarm.peer.host.whole_files import write_whole
from swarm.search.study import StudySpec
from swarm.search.study_ledger import Entry, StudyLedger
from swarm.search.values import Value

STUDY, ENTRIES, TERM = "study.json", "ledger.jsonl", "term"


class LedgerFile:
    """Appends entries to the ledger; a reader of the folder gets all entries that were synced."""

    def __init__(self, folder: Path, spec: StudySpec) -> None:
        """Create the folder, or open one of the same study.

        Raises:
            ConfigurationError: The folder holds another study, or is damaged.
            StorageError: The disk refused the write.
        """
        self._folder = folder
        self._file: TextIO | None = None
        self.ledger: StudyLedger
        """The ledger in the folder when it was opened."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if (folder / STUDY).exists():
                self.ledger = read_ledger(folder)
                if self.ledger.spec.id != spec.id:
                    raise ConfigurationError(
                        f"{folder} contains study {self.ledger.spec.name!r} with other settings; "
                        "use another folder"
                    )
                _cut_torn_line(folder / ENTRIES)
            else:
                self.ledger = StudyLedger(spec)
                (folder / ENTRIES).touch()
                write_whole(folder / STUDY, _dump(spec, StudySpec).encode())
        except OSError as error:
            raise StorageError(f"cannot write a study to {folder}: {error}") from error

    def add(self, entries: Iterable[Entry]) -> None:
        """Append entries; they survive the death of this process from now on.

        The caller's ledger decides what is new: of two entries with one key, the later counts.
        A power cut may lose only entries that were added since the last `sync`.

        Raises:
            StorageError: The disk refused the write.
        """
        try:
            if self._file is None:
                self._file = (self._folder / ENTRIES).open("a")  # `close` closes it
            self._file.writelines(_dump(entry, Entry) + "\n" for entry in entries)
            self._file.flush()
        except OSError as error:
            raise self._refusal(error) from error

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def sync(self) -> None:
        """Write everything that was added to the disk itself; blocks for milliseconds or more.

        Raises:
            StorageError: The disk refused the write.
        """
        try:
            with (self._folder / ENTRIES).open("a") as file:
                os.fsync(file.fileno())
        except OSError as error:
            raise self._refusal(error) from error

    def load_term(self) -> int:
        """The newest term that an earlier life of this peer knew."""
        try:
            return max(0, int((self._folder / TERM).read_text()))
        except (OSError, ValueError):  # no file yet, or a damaged one: trials have terms, too
            return max((trial.term for trial in self.ledger.trials.values()), default=0)

    def save_term(self, term: int) -> None:
        """Save the newest term.

        Raises:
            StorageError: The disk refused the write.
        """
        write_whole(self._folder / TERM, f"{term}\n".encode())

    def _refusal(self, error: OSError) -> StorageError:
        return StorageError(f"cannot write to {self._folder}: {error}")


def read_ledger(folder: Path) -> StudyLedger:
    """Read a study's folder; an incomplete last line is ignored.

    Raises:
        ConfigurationError: It is not the folder of a study, or is damaged in the named line.
    """
    try:
        spec: StudySpec = _CONVERTER.structure(json.loads((folder / STUDY).read_text()), StudySpec)
        lines = (folder / ENTRIES).read_text().split("\n")
    except OSError as error:
        raise ConfigurationError(f"{folder} is not the folder of a study: {error}") from error
    except _MALFORMED as error:
        raise ConfigurationError(f"{folder / STUDY} is damaged: {error}") from error
    ledger = StudyLedger(spec)
    for number, line in enumerate(lines[:-1], 1):
        try:
            entry: Entry = _CONVERTER.structure(json.loads(line), Entry)  # type: ignore[arg-type]
        except _MALFORMED as error:
            raise ConfigurationError(
                f"{folder / ENTRIES}, line {number} is damaged: {error}"
            ) from error
        ledger.adopt(entry)
    return ledger


def _cut_torn_line(path: Path) -> None:
    with path.open("rb+") as file:
        data = file.read()
        file.truncate(data.rfind(b"\n") + 1)


def _dump(value: Any, kind: Any) -> str:
    return _ENCODER.encode(_CONVERTER.unstructure(value, kind))


def _converter() -> Converter:
    converter = Converter(forbid_extra_keys=True)
    configure_union_passthrough(Value, converter)
    configure_tagged_union(Entry, converter, tag_name="kind")
    return converter


_CONVERTER = _converter()
_ENCODER = json.JSONEncoder(allow_nan=False)
_MALFORMED = (
    *(BaseValidationError, StructureHandlerNotFoundError),
    *(ValueError, TypeError, KeyError, AttributeError),
)
