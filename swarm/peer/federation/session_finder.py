"""SessionFinder: the session to take part in: resumed, adopted from the swarm, or a new one."""

import shutil
from pathlib import Path
from typing import Any

import structlog
import trio

from swarm.core.effects import Send
from swarm.core.errors import ConfigurationError, NetworkError
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event, SetTimer, TimerFired
from swarm.core.session import SessionSpec, dataset_label, is_stand_in
from swarm.federation.joining import ASK, Joining
from swarm.learning.progress import Progress
from swarm.network.network import Network
from swarm.network.store import FileBlobStore
from swarm.network.wire import encode
from swarm.peer.federation.peer_settings import PeerSettings, disagreement, make_spec
from swarm.peer.federation.session_folder import StateFolder
from swarm.peer.host.mailbox import Mailbox

MODEL_FILE_RETRY_S = 1.0

log = structlog.get_logger()


class SessionFinder:
    """Finds the session before there is a machine to take part in it."""

    def __init__(
        self, settings: PeerSettings, state: StateFolder, network: Network, store: FileBlobStore
    ) -> None:
        self._settings = settings
        self._state = state
        self._network = network
        self._store = store

    async def find(
        self, mailbox: Mailbox, *, resumes: bool
    ) -> tuple[SessionSpec, tuple[PeerId, ...]]:
        """The session, and who offered it.

        Args:
            mailbox: Events from the network.
            resumes: Whether a head of an earlier life is here with its weights.

        Raises:
            ConfigurationError: The user asked for something else than what runs.
        """
        offered_by: tuple[PeerId, ...] = ()
        # Without a head there is nothing to resume, and nobody whose head could be believed.
        spec = self._state.load_spec() if self._state.has_heads() else None
        if spec is not None and not resumes:
            # Who offers the session is believed its newest head; the own past cannot be proved.
            log.warning("joining", detail="no weights of the earlier life are left: asking others")
            spec, offered_by = await self._ask(mailbox)
        elif spec is None and self._settings.bootstraps:
            log.info("joining", detail="asking the bootstrap which session runs")
            spec, offered_by = await self._ask(mailbox)
        elif spec is None:
            spec = await trio.to_thread.run_sync(self._new)
        problem = disagreement(self._settings.session, spec)
        if problem is not None:
            raise ConfigurationError(f"this peer cannot take part: {problem}")
        self._check_code(spec)
        self._state.save_spec(spec)
        _announce(spec)
        return spec, offered_by

    async def model_path(self, spec: SessionSpec, offered_by: tuple[PeerId, ...]) -> str | None:
        """Have the session's `.keras` file here, under a name Keras accepts."""
        if spec.model_file is None:
            return None
        while not self._store.has(spec.model_file):
            try:
                await self._network.fetch(spec.model_file, offered_by)
            except NetworkError as error:
                log.warning("waiting", detail=f"the model file: {error}")
                await trio.sleep(MODEL_FILE_RETRY_S)
        path = self._settings.state_dir / "model.keras"
        await trio.to_thread.run_sync(shutil.copyfile, self._store.path(spec.model_file), path)
        return str(path)

    async def _ask(self, mailbox: Mailbox) -> tuple[SessionSpec, tuple[PeerId, ...]]:
        joining = Joining(self._network.peer_id)
        due_s = await self._carry_out(joining.start(trio.current_time()), trio.current_time())
        while joining.offer is None:
            event: Event = TimerFired(ASK)
            with trio.move_on_at(due_s):
                event = await mailbox.take()
            due_s = await self._carry_out(joining.handle(event, trio.current_time()), due_s)
        return joining.offer.spec, (joining.offer.sender,)

    async def _carry_out(self, effects: list[Effect], due_s: float) -> float:
        for effect in effects:
            match effect:
                case SetTimer(_, next_due_s):
                    due_s = next_due_s
                case Send(peer, message):
                    try:
                        await self._network.send(peer, encode(message))
                    except NetworkError as error:  # asked again in a second
                        log.debug("not sent", peer=peer, reason=str(error))
        return due_s

    def _new(self) -> SessionSpec:
        """Write the spec of a new session; what data there really is, is found out here."""
        # Imported here: data sets need numpy, and only the starter looks at them.
        from swarm.learning.datasets import describe  # noqa: PLC0415

        settings = self._settings
        fields = dict(settings.session)
        if settings.data is not None:
            fields.setdefault("dataset", "own")
            shape, num_classes = describe(str(settings.data))
        else:
            fields["dataset"] = self._resolve(fields.get("dataset", SessionSpec().dataset))
            shape, num_classes = describe(fields["dataset"])
        derived: dict[str, Any] = {
            "input_shape": shape,
            "num_classes": num_classes,
            "starter": self._network.peer_id,
        }
        if settings.model_path is not None:
            derived |= {"model": "file", "model_file": self._store.put(_read(settings.model_path))}
        return make_spec(fields, **derived)

    def _resolve(self, dataset: str) -> str:
        from swarm.learning.datasets import resolve_dataset  # noqa: PLC0415 - as above

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

    def _check_code(self, spec: SessionSpec) -> None:
        if ":" in spec.model and not self._settings.allow_model:
            raise ConfigurationError(
                f"the session's model {spec.model!r} is code: "
                "start with --allow-model to run it on this machine"
            )


def _announce(spec: SessionSpec) -> None:
    log.info(
        "session",
        id=spec.id,
        model=spec.model,
        dataset=dataset_label(spec.dataset),
        rounds=spec.rounds,
        min_peers=spec.min_peers,
    )
    if is_stand_in(spec.dataset):
        log.warning("stand-in", detail=f"all numbers are for {dataset_label(spec.dataset)}")


def _log_progress() -> Any:
    """A callback that logs each tenth of a download or a generation."""
    told = -1

    def tell(progress: Progress) -> None:
        nonlocal told
        if int(progress.fraction * 10) > told:
            told = int(progress.fraction * 10)
            log.info(progress.phase, detail=progress.text, percent=told * 10)

    return tell


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot read the model {path}: {error.strerror}") from error
