"""SessionSource: makes the spec of a new session, and checks the spec of an offered one."""

import shutil
from pathlib import Path
from typing import Any

import structlog
import trio

from swarm.core.errors import ConfigurationError, NetworkError
from swarm.core.ids import PeerId
from swarm.core.session import SessionSpec, dataset_label, is_stand_in
from swarm.learning.progress import Progress
from swarm.peer.federation.own_data import default_model, describe_data
from swarm.peer.federation.peer_settings import PeerSettings, disagreement, make_spec
from swarm.peer.host.host import Host

MODEL_FILE_RETRY_S = 1.0

log = structlog.get_logger()


class SessionSource:
    """Makes and checks specs according to the user's settings."""

    def __init__(self, settings: PeerSettings, host: Host) -> None:
        self._settings = settings
        self._host = host

    async def model_path(
        self, spec: SessionSpec, offered_by: tuple[PeerId, ...], folder: Path
    ) -> str | None:
        """Copy the session's `.keras` file to its folder, under a name that Keras accepts.

        Returns:
            The path of the copy; None if the model is no file.
        """
        if spec.model_file is None:
            return None
        while not self._host.store.has(spec.model_file):
            try:
                await self._host.network.fetch(spec.model_file, offered_by)
            except NetworkError as error:
                log.warning("waiting", detail=f"the model file: {error}")
                await trio.sleep(MODEL_FILE_RETRY_S)
        path = folder / "model.keras"
        source = self._host.store.path(spec.model_file)
        await trio.to_thread.run_sync(_copy, source, path)
        return str(path)

    def create(self) -> SessionSpec:
        """Make the spec of a new session; this finds out which data is available.

        Raises:
            ConfigurationError: A value breaks a rule, or the data cannot be read.
        """
        settings = self._settings
        fields = settings.spec_fields
        if settings.data is not None:
            fields.setdefault("dataset", "own")
        else:
            fields["dataset"] = self._resolve(fields.get("dataset", SessionSpec().dataset))
        described = describe_data(settings, fields["dataset"], _say)
        derived: dict[str, Any] = {**described.spec_fields, "starter": self._host.me}
        if settings.model_path is not None:
            derived |= {
                "model": "file",
                "model_file": self._host.store.put(_read(settings.model_path)),
            }
        elif settings.data is not None and "model" not in fields:
            fields["model"] = default_model(described)
            _say(f"no model was named: using {fields['model']}")
        return make_spec(fields, **derived)

    def _resolve(self, dataset: str) -> str:
        from swarm.learning.datasets import resolve_dataset  # noqa: PLC0415 - it needs numpy

        data_dir = self._settings.data_dir
        resolved = resolve_dataset(
            dataset,
            str(data_dir) if data_dir is not None else None,
            str(self._settings.cache_dir),
            _log_progress(),
        )
        if resolved.reason:
            log.warning("stand-in", detail=f"{resolved.reason}; using {resolved.label}")
        return resolved.name

    def check(self, spec: SessionSpec, *, is_first: bool, kept_in: Path | None = None) -> None:
        """Check that this peer can take part.

        Args:
            spec: The session.
            is_first: Whether it must agree with the user's settings of a session.
            kept_in: The folder from which an earlier life of this peer is resumed.

        Raises:
            ConfigurationError: It cannot; the message says why.
        """
        problem = disagreement(self._settings.spec_fields, spec) if is_first else None
        if problem is not None and kept_in is not None:
            raise ConfigurationError(
                f"{kept_in} has a session of this peer, which it would resume, but {problem}: "
                "start anew with --new-session, or with another folder (--state)"
            )
        if problem is not None:
            raise ConfigurationError(f"this peer cannot take part: {problem}")
        if spec.dataset == "loop":
            raise ConfigurationError(
                f"the session's peers train it in loops of their own ({spec.model}): join it from "
                "such a loop, as in model.fit(..., callbacks=[swarm.Swarm(...)])"
            )
        if ":" in spec.model and not self._settings.allow_model:
            raise ConfigurationError(
                f"the session's model {spec.model!r} is code: "
                "start this peer with --allow-model to run it on this machine"
            )


def announce(spec: SessionSpec) -> None:
    """Log what this session trains."""
    log.info(
        "session",
        id=spec.id,
        model=spec.model,
        dataset=dataset_label(spec.dataset),
        rounds=spec.rounds,
        min_peers=spec.min_peers,
    )
    if is_stand_in(spec.dataset):
        log.warning("stand-in", detail=f"all results are for {dataset_label(spec.dataset)}")


def _log_progress() -> Any:
    """A callback that logs each tenth of a download or of generating data."""
    logged = -1

    def note(progress: Progress) -> None:
        nonlocal logged
        if int(progress.fraction * 10) > logged:
            logged = int(progress.fraction * 10)
            log.info(progress.phase, detail=progress.text, percent=logged * 10)

    return note


def _say(note: str) -> None:
    log.info("note", detail=note)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot read the model {path}: {error.strerror}") from error
