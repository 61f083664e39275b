"""MemberRows: the labelled rows that a user gives a member, and how they fit an ensemble."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import structlog

from swarm.core.canonical import sha256_hex
from swarm.core.columns import target_of
from swarm.core.errors import ConfigurationError, DataError
from swarm.core.ids import Digest, PeerId
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble.labelled import ADDED, load_labelled, read_labelled, write_labelled
from swarm.learning.ensemble.learners import find_learner
from swarm.learning.ensemble.proposing import arrays_of, check_spec, propose_spec
from swarm.learning.tables.reading import read_sheet
from swarm.learning.tables.target import choose_target
from swarm.peer.ensemble.ensemble_settings import EnsembleSettings
from swarm.peer.ensemble.member_folder import MemberFolder
from swarm.peer.host.whole_files import write_json

ORIGIN = "origin.json"
"""Names the file that the rows came from, and its digest."""

_NOBODY = PeerId("")
log = structlog.get_logger()
R = TypeVar("R")


class MemberRows:
    """What was read from the user's file; made by `read_rows`."""

    def __init__(self, settings: EnsembleSettings, source: Any, digest: Digest) -> None:
        self._settings = settings
        self._source = source
        self._digest = digest

    def propose(self, founder: PeerId = _NOBODY) -> EnsembleSpec:
        """The ensemble that these rows found.

        Raises:
            ConfigurationError: The rows or a setting break a rule.
        """
        settings = self._settings
        fields = dict(settings.spec)
        task = fields.pop("task", None)
        try:
            proposed = propose_spec(
                self._source,
                settings.ensemble or self._default_name(),
                target=settings.target,
                task=task,
                settings={**fields, "founder": founder},
            )
        except DataError as error:
            raise ConfigurationError(str(error)) from error
        return proposed.spec

    def check(self, spec: EnsembleSpec) -> tuple[str, ...]:
        """Check the rows against an ensemble; return what its user should know.

        Raises:
            ConfigurationError: They do not fit; the message says which columns, and what to do.
        """
        find_learner(self._settings.learner, spec.task, allow_code=self._settings.allow_code)
        target, wanted = target_of(spec.columns), self._settings.target
        if target is not None and wanted not in {None, target.name}:
            raise ConfigurationError(
                f"ensemble {spec.name!r} predicts {target.name!r}, --target is {wanted!r}: leave "
                "--target out, or give --ensemble another name"
            )
        differences = _explained(lambda: check_spec(self._source, spec))
        errors = [difference.text for difference in differences if difference.is_error]
        if errors:
            listed = "; ".join(errors)
            raise ConfigurationError(
                f"{self._label} does not fit ensemble {spec.name!r}: {listed}"
            )
        return tuple(difference.text for difference in differences)

    def write(self, folder: MemberFolder) -> int:
        """Put the rows into a member's folder, unless they are there already.

        Rows that came later are kept, until the content of the user's file changes. Then they are
        left out: the new file may hold them too.

        Returns:
            The number of labelled rows there.

        Raises:
            ConfigurationError: The rows do not fit, or the folder is damaged.
            StorageError: The disk refused the write.
        """
        path = folder.path / ORIGIN
        if folder.rows.exists() and _digest_of_origin(path) == self._digest:
            return _explained(lambda: len(load_labelled(folder.rows, folder.spec)))
        rows = _explained(lambda: read_labelled(self._source, folder.spec))
        if folder.rows.exists():
            log.warning(
                "rows replaced",
                detail=f"{self._label} has changed since the last start; this member fits again, "
                "without rows that were added: add them again if the file has them not",
            )
            (folder.rows.parent / ADDED).unlink(missing_ok=True)
            folder.forget_answers()
        _explained(lambda: write_labelled(folder.rows, rows, folder.spec))
        write_json(path, {"file": self._label, "digest": self._digest})
        return len(rows)

    @property
    def _label(self) -> str:
        return str(self._settings.data)

    def _default_name(self) -> str:
        """The target's name, or the file's."""
        if isinstance(self._source, tuple):
            return Path(self._label).stem
        name: str = _explained(lambda: choose_target(self._source, self._settings.target)[0])
        return name


def read_rows(settings: EnsembleSettings) -> MemberRows:
    """Read a member's rows, and check what can be checked without the ensemble.

    Raises:
        ConfigurationError: The file or a setting breaks a rule; the message names it.
    """
    path = settings.data
    if path is None:
        raise ConfigurationError("a member needs --data, its labelled rows")

    def read() -> Any:
        arrays = arrays_of(path)
        return read_sheet(path) if arrays is None else arrays

    rows = MemberRows(settings, _explained(read), _digest(path))
    if settings.target is not None or not settings.bootstraps:
        find_learner(settings.learner, rows.propose().task, allow_code=settings.allow_code)
    return rows


def _digest(path: Path) -> Digest:
    try:
        return sha256_hex(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error


def _digest_of_origin(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())["digest"]
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
    ):  # no earlier life, or a damaged one: the rows are read again
        return None


def _explained(do: Callable[[], R]) -> R:
    """Errors in the user's data are the user's mistakes."""
    try:
        return do()
    except DataError as error:
        raise ConfigurationError(str(error)) from error
