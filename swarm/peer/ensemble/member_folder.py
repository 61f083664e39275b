"""MemberFolder: what one member keeps on disk, so that a restart resumes.

    <state>/ensembles/<name>-<id>/
        spec.json      the ensemble's EnsembleSpec
        member.json    what `SaveMember` stored: the card's number, models, orders obeyed
        rows.swl       labelled rows of this member, see `swarm.learning.ensemble.labelled`
        models/        its model files, named by version
        validation/    answers to the validation rows, for scores and summaries
        work/          files under way; emptied at each start
        inbox/         orders and rows from the user, see `python -m swarm.ensemble add`
        audit.log      which peers asked for how many rows

Nothing here is pickled: it is JSON, numbers and texts, and models whose format carries no code.
"""

import json
import math
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from cattrs import Converter
from cattrs.errors import BaseValidationError, StructureHandlerNotFoundError

from swarm.core.errors import ConfigurationError, StorageError
from swarm.core.ids import Digest, PeerId
from swarm.ensemble.effects import SaveMember
from swarm.ensemble.records import ModelRecord
from swarm.ensemble.spec import EnsembleSpec
from swarm.peer.ensemble.audit_log import AUDIT_LOG, AuditLog
from swarm.peer.host.whole_files import write_json

ENSEMBLES_FOLDER = "ensembles"
SPEC, MEMBER = "spec.json", "member.json"
ANSWERS_KEPT_S = 3600.0
"""Seconds for which answers are kept after their model is gone."""
_FOLDERS = ("models", "validation", "work", "inbox")
_ID_LENGTH = 8
_NAME_LENGTH_MAX = 40
_CONVERTER = Converter(forbid_extra_keys=True)
T = TypeVar("T")


class MemberFolder:
    """The folder of one member of one ensemble; made by `open_member_folder`."""

    def __init__(self, path: Path, spec: EnsembleSpec) -> None:
        self.path = path
        self.spec = spec
        self._audit_log = AuditLog(path / AUDIT_LOG)

    @property
    def rows(self) -> Path:
        """File of labelled rows."""
        return self.path / "rows.swl"

    @property
    def validation(self) -> Path:
        """Folder of answers to this member's validation rows."""
        return self.path / "validation"

    @property
    def work(self) -> Path:
        """Folder for files that a child process writes, before they get their place."""
        return self.path / "work"

    @property
    def inbox(self) -> Path:
        """Folder in which the user's orders and rows arrive."""
        return self.path / "inbox"

    def model(self, version: Digest, model_format: str) -> Path:
        """Where a model of this member is kept."""
        return self.path / "models" / f"{version}.{model_format}"

    def keep_models(self, records: tuple[ModelRecord | None, ...]) -> None:
        """Delete all model files but those of these records.

        Raises:
            StorageError: The disk refused it.
        """
        kept = {self.model(record.version, record.format) for record in records if record}
        try:
            for path in (self.path / "models").iterdir():
                if path not in kept:
                    path.unlink()
        except OSError as error:
            raise StorageError(f"cannot delete a model in {self.path}: {error}") from error

    def keep_answers(self, versions: frozenset[Digest], now_s: float) -> None:
        """Delete answers to the validation rows, unless they are of these models or recent.

        Args:
            versions: Models that this member has, or has scored.
            now_s: Seconds since 1970. A model that is being scored has recent answers.

        Raises:
            StorageError: The disk refused it.
        """
        try:
            for path in self.validation.iterdir():
                is_recent = path.stat().st_mtime > now_s - ANSWERS_KEPT_S
                if path.stem not in versions and not is_recent:
                    path.unlink()
        except OSError as error:
            raise StorageError(f"cannot delete answers in {self.path}: {error}") from error

    def has_answers(self, version: Digest) -> bool:
        """Whether a model's answers to this member's rows are here, so it can be compared."""
        return (self.validation / f"{version}.npz").exists()

    def forget_answers(self) -> None:
        """Delete all answers to the validation rows: the rows are others now.

        Raises:
            StorageError: The disk refused it.
        """
        self.keep_answers(frozenset(), math.inf)

    def save(self, state: SaveMember) -> None:
        """Store a member's state.

        Raises:
            StorageError: The disk refused the write.
        """
        write_json(self.path / MEMBER, _CONVERTER.unstructure(state))

    def audit(self, asker: PeerId, num_rows: int, outcome: str) -> None:
        """Append one line to the audit log.

        Raises:
            StorageError: The disk refused the write.
        """
        self._audit_log.write(asker, num_rows, outcome, datetime.now(UTC))

    def load(self) -> SaveMember | None:
        """Read a member's state; None in its first life.

        Raises:
            ConfigurationError: The file is damaged.
        """
        path = self.path / MEMBER
        return _read(path, SaveMember) if path.exists() else None


def open_member_folder(state_dir: Path, spec: EnsembleSpec) -> MemberFolder:
    """Create the folder of an ensemble, or open the one of an earlier life.

    Raises:
        StorageError: The disk refused it.
    """
    path = state_dir / ENSEMBLES_FOLDER / _folder_name(spec)
    try:
        for name in _FOLDERS:
            (path / name).mkdir(parents=True, exist_ok=True)
        for leftover in (path / "work").iterdir():
            if leftover.is_dir():
                shutil.rmtree(leftover)
            else:
                leftover.unlink()
    except OSError as error:
        raise StorageError(f"cannot prepare the folder {path}: {error}") from error
    if not (path / SPEC).exists():
        write_json(path / SPEC, _CONVERTER.unstructure(spec))
    return MemberFolder(path, spec)


def find_member_folder(state_dir: Path, name: str = "") -> MemberFolder | None:
    """The folder of an ensemble that this peer was a member of; None if there is none.

    Args:
        state_dir: The peer's state folder.
        name: Name of the ensemble, or the beginning of its id; empty for the only one.

    Raises:
        ConfigurationError: Several fit, or a folder is damaged.
    """
    paths = sorted((state_dir / ENSEMBLES_FOLDER).glob(f"*/{SPEC}"))
    folders = [MemberFolder(path.parent, _read(path, EnsembleSpec)) for path in paths]
    named = [folder for folder in folders if not name or folder.spec.name == name]
    fitting = named or [folder for folder in folders if folder.spec.id.startswith(name)]
    if len(fitting) > 1:
        choices = ", ".join(f"{one.spec.name} ({one.spec.id[:_ID_LENGTH]})" for one in fitting)
        raise ConfigurationError(
            f"{state_dir} has several ensembles; give one of these with --ensemble: {choices}"
        )
    return fitting[0] if fitting else None


def _folder_name(spec: EnsembleSpec) -> str:
    """Readable, safe in any file system, and different for ensembles that share a name."""
    readable = re.sub(r"[^A-Za-z0-9_.-]+", "-", spec.name).strip("-.")[:_NAME_LENGTH_MAX]
    return f"{readable or 'ensemble'}-{spec.id[:_ID_LENGTH]}"


def _read(path: Path, kind: type[T]) -> T:
    try:
        plain: Any = json.loads(path.read_bytes())
        if not isinstance(plain, dict):
            raise ValueError(f"it must hold one object, got {plain!r:.40}")
        return _CONVERTER.structure(plain, kind)
    except (
        OSError,
        ValueError,
        RecursionError,
        BaseValidationError,
        StructureHandlerNotFoundError,
    ) as error:
        raise ConfigurationError(f"{path} is damaged: {error}") from error
