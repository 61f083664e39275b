"""Observer: a peer that only watches, in a trio thread of its own, for pages and notebooks."""

import shutil
import tempfile
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import structlog
import trio

from swarm.core.effects import (
    KeepConnected,
    PeerConnected,
    PeerUnreachable,
    Publish,
    Send,
    Subscribe,
    Unsubscribe,
)
from swarm.core.errors import (
    ConfigurationError,
    NetworkError,
    RemoteProtocolError,
    SwarmError,
    only_error,
)
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event, SetTimer, TimerFired
from swarm.federation.commands import ACTIONS, VALID_FOR_S, Action, Command
from swarm.federation.effects import Started
from swarm.federation.joining import Joining
from swarm.federation.observing import Observation
from swarm.federation.operating import CommandGiven, Given
from swarm.network import events as network_events
from swarm.network.addresses import parse_bootstrap
from swarm.network.identity import Identity, load_or_create_identity, verify
from swarm.network.network import Network, NetworkConfig
from swarm.network.store import FileBlobStore
from swarm.network.wire import decode, encode, signing_bytes
from swarm.peer.painter import Painter
from swarm.peer.past_picture import PastView, history_facts
from swarm.peer.picture import command_json, empty_picture, picture
from swarm.peer.search.post import Post
from swarm.peer.studies_picture import StudiesPainter
from swarm.search.looking_on import LookingOn, is_about_studies

INBOX_MAX = 4096
"""Messages waiting; an observer of a large swarm hears much, and may fall behind for a moment."""
PICTURES_AT_MOST_EVERY_S = 0.1
PICTURES_AT_LEAST_EVERY_S = 1.0
STOP_WITHIN_S = 4.0
ROUNDS_AT_ONCE_MAX = 200
R = TypeVar("R")

log = structlog.get_logger()


class Observer:
    """Watches the swarm behind some bootstrap addresses; `snapshot` is what it sees.

    Every method may be called from any thread.
    """

    def __init__(
        self,
        bootstraps: Sequence[str],
        listen_ip: str = "127.0.0.1",
        operator_key: Path | None = None,
    ) -> None:
        """Prepare to watch.

        Args:
            bootstraps: Peers of the swarm.
            listen_ip: Address to listen on.
            operator_key: Folder of the key that signs commands, made if there is none; without
                it no commands can be given.

        Raises:
            ConfigurationError: An address or the key is not valid.
        """
        self._operator = load_or_create_identity(operator_key) if operator_key else None
        self._watching: _Watching | None = None
        self._inbox: trio.MemorySendChannel[Event] | None = None
        self._bootstraps = tuple(parse_bootstrap(text) for text in bootstraps)
        self._listen_ip = listen_ip
        self._changed = threading.Condition()
        self._snapshot: dict[str, Any] = empty_picture("", 0, 0.0, self.operator_id)
        self._thread: threading.Thread | None = None
        self._started = threading.Event()
        self._token: trio.lowlevel.TrioToken | None = None
        self._scope = trio.CancelScope()
        self._error: BaseException | None = None

    def start(self) -> None:
        """Begin to watch; returns once the observer listens.

        Raises:
            SwarmError: The network could not be started.
        """
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)
        self._thread.start()
        self._started.wait()
        if isinstance(self._error, SwarmError):
            raise self._error

    def stop(self) -> None:
        """Stop watching and join the thread."""
        if self._token is not None:
            try:
                self._token.run_sync_soon(self._scope.cancel)
            except trio.RunFinishedError:
                log.debug("observer had ended already")
        if self._thread is not None:
            self._thread.join(STOP_WITHIN_S)

    def snapshot(self) -> dict[str, Any]:
        """The newest picture, plain JSON; nobody changes it afterwards."""
        with self._changed:
            return self._snapshot

    def wait_change(self, seen_version: int, timeout_s: float) -> int:
        """Block until there is a newer picture than `seen_version`, or for `timeout_s`."""
        with self._changed:
            self._changed.wait_for(lambda: self._snapshot["version"] > seen_version, timeout_s)
            version: int = self._snapshot["version"]
            return version

    @property
    def operator_id(self) -> PeerId | None:
        """Whom peers must trust to obey the commands given here."""
        return self._operator.peer_id if self._operator is not None else None

    def rounds(self, first: int, count: int) -> dict[str, Any]:
        """Rounds of the past from `first` on, at most `count` and `ROUNDS_AT_ONCE_MAX`."""
        view = self._past()
        if view is None:
            return {"rounds": [], "next": None, "history": history_facts(())}
        return view.page(first, min(count, ROUNDS_AT_ONCE_MAX))

    def alerts(self) -> list[dict[str, Any]]:
        """All alerts that are known, oldest first."""
        view = self._past()
        return view.alert_list() if view is not None else []

    def command(
        self, action: str, peer: str | None = None, value: float | None = None
    ) -> dict[str, Any]:
        """Sign a command and give it to the swarm; what becomes of it is in the snapshots.

        Raises:
            ConfigurationError: There is no operator key, no session, or a value breaks a rule.
            NetworkError: The observer has ended, or is too busy.
        """
        if self._operator is None:
            raise ConfigurationError(
                "this dashboard gives no commands: start it with --operator-key FOLDER"
            )
        return self._ask(partial(self._give, self._operator, action, peer, value))

    def _give(
        self, operator: Identity, action: str, peer: str | None, value: float | None
    ) -> dict[str, Any]:
        seen = self._watching.observation if self._watching is not None else None
        if seen is None or self._inbox is None:
            raise ConfigurationError("no session was found yet: there is nothing to command")
        if action not in ACTIONS:
            raise ConfigurationError(f"action must be one of {', '.join(ACTIONS)}, got {action!r}")
        if peer is not None and not seen.knows(PeerId(peer)):
            raise ConfigurationError(f"no peer of this session has the id {peer!r:.80}")
        unix_s = seen.unix_s(trio.current_time())
        try:
            command = Command(
                session=seen.spec.id,
                author=operator.peer_id,
                # Milliseconds: greater than those of earlier runs of this dashboard.
                sequence=max(seen.operating.sequence + 1, int(unix_s * 1000)),
                action=cast(Action, action),
                expires_unix_s=unix_s + VALID_FOR_S,
                subject=PeerId(peer) if peer is not None else None,
                value=value,
            )
        except ValueError as error:
            raise ConfigurationError(str(error)) from error
        command = command.signed(operator.sign(signing_bytes(command.digest)))
        try:
            self._inbox.send_nowait(CommandGiven(command))
        except trio.WouldBlock as error:
            raise NetworkError("the observer is too busy now: try again") from error
        return command_json(Given(command, unix_s), unix_s)

    def _past(self) -> PastView | None:
        def take() -> PastView | None:
            seen = self._watching.observation if self._watching is not None else None
            return PastView.of(seen) if seen is not None else None

        try:
            return self._ask(take)
        except NetworkError:
            return None

    def _ask(self, question: Callable[[], R]) -> R:
        """Have the observer's thread answer between two events."""
        if self._token is None:
            raise NetworkError("the observer has not started")
        try:
            return trio.from_thread.run_sync(question, trio_token=self._token)
        except (trio.RunFinishedError, trio.Cancelled) as error:
            raise NetworkError("the observer has ended") from error

    def _run(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="swarm-observer-"))
        try:
            trio.run(self._watch, folder)
        except BaseException as error:  # told by start(), or logged: it has no caller
            self._error = only_error(error)
            log.error("observer ended", reason=repr(self._error))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            self._started.set()

    async def _watch(self, folder: Path) -> None:
        identity = Identity.generate()
        config = NetworkConfig(self._listen_ip, 0, folder, self._bootstraps)
        store = FileBlobStore(folder / "blobs")
        network = Network(config, identity, store)
        self._token = trio.lowlevel.current_trio_token()
        inbox_in, inbox = trio.open_memory_channel[Event](INBOX_MAX)

        async def take(event: network_events.NetworkEvent) -> None:
            message = _translate(event)
            if message is not None:
                await inbox_in.send(message)

        with self._scope:
            async with trio.open_nursery() as nursery:
                await nursery.start(network.run, take)
                self._started.set()
                post = Post(network, store, nursery)
                nursery.start_soon(post.run)
                watching = _Watching(network, post, inbox, self.operator_id)
                self._watching, self._inbox = watching, inbox_in
                nursery.start_soon(self._paint_forever, watching, trio.current_time())
                await watching.run()

    async def _paint_forever(self, watching: "_Watching", started_s: float) -> None:
        while True:
            now_s = trio.current_time()
            self._publish(watching.paint(now_s, now_s - started_s))
            await trio.sleep(PICTURES_AT_MOST_EVERY_S)
            with trio.move_on_after(PICTURES_AT_LEAST_EVERY_S):
                await watching.changed.wait()

    def _publish(self, painted: dict[str, Any]) -> None:
        with self._changed:
            self._snapshot = {**painted, "version": self._snapshot["version"] + 1}
            self._changed.notify_all()


class _Watching:
    """Drives what watches the session, and what watches the studies, over one network.

    Neither waits for the other: a swarm may have either, or both.
    """

    def __init__(
        self,
        network: Network,
        post: Post,
        inbox: trio.MemoryReceiveChannel[Event],
        operator: PeerId | None,
    ) -> None:
        self.changed = trio.Event()
        self._network = network
        self._post = post
        self._inbox = inbox
        self._looking_on = LookingOn(network.peer_id)
        self._studies_painter = StudiesPainter()
        self._machine: Joining | Observation = Joining(network.peer_id)
        self._timers: dict[str, float] = {}
        self._operator = operator
        self._painter = Painter()

    @property
    def observation(self) -> Observation | None:
        """The observing machine, once a session was found."""
        return self._machine if isinstance(self._machine, Observation) else None

    def paint(self, now_s: float, elapsed_s: float) -> dict[str, Any]:
        connected = len(self._network.snapshot().connected)
        seen = self.observation
        if seen is None:
            painted = empty_picture(self._network.peer_id, connected, elapsed_s, self._operator)
        else:
            seen.look(now_s)
            painted = picture(seen, connected, now_s, elapsed_s, self._operator, self._painter)
        name_of = seen.name_of if seen is not None else _end_of_id
        num_names = len(seen.names()) if seen is not None else 0
        studies = self._studies_painter.paint(self._looking_on.views(), name_of, num_names)
        return {**painted, "studies": studies}

    async def run(self) -> None:
        joining = Joining(self._network.peer_id)
        self._machine = joining
        self._carry_out_studies(self._looking_on.start(trio.current_time()))
        await self._carry_out(joining.start(trio.current_time()))
        while joining.offer is None:
            await self._handle(await self._next_event())
        observation = Observation(self._network.peer_id, joining.offer.spec)
        self._machine = observation
        unix_s = datetime.now(UTC).timestamp()
        await self._handle(Started(offered_by=(joining.offer.sender,), unix_s=unix_s))
        while True:
            await self._handle(await self._next_event())

    async def _handle(self, event: Event) -> None:
        version = self._looking_on.version
        self._carry_out_studies(self._looking_on.handle(event, trio.current_time()))
        only_studies = is_about_studies(event)
        if not only_studies:
            await self._carry_out(self._machine.handle(event, trio.current_time()))
        if only_studies and version == self._looking_on.version:
            return
        self.changed.set()
        self.changed = trio.Event()

    async def _next_event(self) -> Event:
        if not self._timers:
            return await self._inbox.receive()
        name = min(self._timers, key=self._timers.__getitem__)
        with trio.move_on_at(self._timers[name]):
            return await self._inbox.receive()
        del self._timers[name]
        return TimerFired(name)

    async def _carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case SetTimer(name, due_s):
                    self._timers[name] = due_s
                case Subscribe(topic):
                    await self._network.subscribe(topic)
                case Unsubscribe(topic):
                    await self._network.unsubscribe(topic)
                case Publish(topic, message):
                    await self._network.publish(topic, encode(message))
                case Send(peer, message):
                    try:
                        await self._network.send(peer, encode(message))
                    except NetworkError as error:  # the machine asks again
                        log.debug("not sent", peer=peer, reason=str(error))

    def _carry_out_studies(self, effects: list[Effect]) -> None:
        """Never waits for a peer: those that search may be gone."""
        for effect in effects:
            match effect:
                case SetTimer(name, due_s):
                    self._timers[name] = due_s
                case Subscribe() | Unsubscribe() | Publish():
                    self._post.queue(effect)
                case Send(peer, message):
                    self._post.send(peer, message)
                case KeepConnected(peers):
                    self._network.keep_connected(peers)


def _end_of_id(peer: PeerId) -> str:
    return peer[-6:]


def _translate(event: network_events.NetworkEvent) -> Event | None:
    match event:
        case network_events.PubsubMessage(_, sender, data):
            pass
        case network_events.DirectMessage(sender, data):
            pass
        case network_events.PeerConnected(peer):
            return PeerConnected(peer)
        case network_events.PeerUnreachable(peer):
            return PeerUnreachable(peer)
        case _:
            return None
    try:
        return decode(data, sender, verify).message
    except RemoteProtocolError as error:
        log.debug("rejected", peer=sender, reason=str(error))
        return None
