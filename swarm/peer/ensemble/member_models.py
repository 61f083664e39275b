"""MemberModels: where one member's models are: in its folder, and in the store for others."""

import shutil
from dataclasses import replace
from pathlib import Path

import structlog
import trio

from swarm.core.errors import BlobNotFoundError, StorageError
from swarm.core.ids import Digest
from swarm.ensemble.effects import SaveMember
from swarm.ensemble.records import ModelRecord
from swarm.peer.ensemble.member_folder import MemberFolder
from swarm.peer.host.host import Host
from swarm.peer.processes.member_frames import LoadModel

log = structlog.get_logger()


class MemberModels:
    """Knows the files of this member's own models, by version.

    Invariants:
        The machine knows a model only when it is in the folder and its blob in the store.
        The file of a model that the machine saved is not deleted.
    """

    def __init__(self, key: str, folder: MemberFolder, host: Host) -> None:
        self._key = key
        self._folder = folder
        self._host = host
        self._records: dict[Digest, ModelRecord] = {}
        self._fresh: ModelRecord | None = None
        """A model that the machine has not heard of yet, so what it saves does not name it."""

    def load(self, version: Digest) -> LoadModel | None:
        """The job that loads a model; None if it is not here."""
        record = self._records.get(version)
        if record is None:
            return None
        return LoadModel(record, str(self._folder.model(version, record.format)))

    def record(self, version: Digest) -> ModelRecord | None:
        """The record of a model; None if it is not here."""
        return self._records.get(version)

    def guest(self, record: ModelRecord) -> LoadModel | None:
        """The job that loads another member's model; None if its blob is not in the store."""
        place = self._folder.work / f"{record.version}.{record.format}"
        try:
            if record.blob is None:
                return None
            source = self._host.store.path(record.blob)
            place.unlink(missing_ok=True)
            place.symlink_to(source.absolute())  # some formats need the ending of their name
        except (BlobNotFoundError, OSError):
            return None
        return LoadModel(record, str(place))

    async def restore(self, state: SaveMember | None) -> SaveMember | None:
        """Take up the models of an earlier life; a model whose file is gone is left out.

        Raises:
            StorageError: The disk refused to put one into the store.
        """
        if state is None:
            return None
        return replace(
            state,
            champion=await self._restore(state.champion),
            challenger=await self._restore(state.challenger),
            previous=await self._restore(state.previous),
        )

    def admit(self, record: ModelRecord, written: Path) -> None:
        """Give a model that was just fitted its place.

        Raises:
            StorageError: The disk refused it.
        """
        place = self._folder.model(record.version, record.format)
        self._fresh = record
        _move(written, place)
        self._records[record.version] = record

    async def offer_fresh(self) -> None:
        """Put the model that was just fitted into the store; the machine hears of it next.

        Raises:
            StorageError: The disk refused it.
        """
        record = self._fresh
        if record is not None:
            await self._offer(record, self._folder.model(record.version, record.format))
            self._fresh = None

    def keep_only(self, records: tuple[ModelRecord | None, ...]) -> None:
        """Delete the files of all other models, except one that the machine hears of next.

        Raises:
            StorageError: The disk refused it.
        """
        kept = (*records, self._fresh)
        self._records = {record.version: record for record in kept if record is not None}
        self._folder.keep_models(kept)

    async def _restore(self, record: ModelRecord | None) -> ModelRecord | None:
        if record is None:
            return None
        place = self._folder.model(record.version, record.format)
        if not place.is_file():
            log.warning("model lost", file=str(place), version=record.version[:8])
            return None
        self._records[record.version] = record
        await self._offer(record, place)
        return record

    async def _offer(self, record: ModelRecord, place: Path) -> None:
        """Put a copy of the file into the store, unless the model stays at home."""
        store, blob = self._host.store, record.blob
        if blob is None:
            return
        copy = store.incoming / f"{blob.digest}.model"
        try:
            if not store.has(blob):
                await trio.to_thread.run_sync(shutil.copyfile, place, copy)
        except OSError as error:
            raise StorageError(f"cannot copy the model {place}: {error.strerror}") from error
        if not store.has(blob):
            self._host.outbox.admit(self._key, copy, blob)


def _move(written: Path, place: Path) -> None:
    try:
        written.replace(place)
    except OSError as error:
        raise StorageError(f"cannot keep the model {place}: {error.strerror}") from error
